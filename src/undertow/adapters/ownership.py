"""Files that root makes in somebody else's folder are left to whoever owns that folder.

A command that is run once as root would otherwise leave files, or locks, that the service which owns the store can never open again.
"""

import contextlib
import os
from pathlib import Path


def leave_to_owner(fd: int, folder: Path) -> None:
    """Give a new file to the owner of a folder, where this process is root and that owner is not.

    Where root may not do so (a file system of another machine, a container) the file stays as it is.

    Args:
        fd: Of a file that this process has just made: what was there before may be a link to anything.
        folder: Whose owner gets it.
    """
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        owner = folder.stat()
        if owner.st_uid != 0:
            os.fchown(fd, owner.st_uid, owner.st_gid)


def open_or_make(path: Path, flags: int, mode: int) -> int:
    """Open a file; one that is made is left to the owner of its folder.

    Args:
        path: The file; its folder must exist.
        flags: Of `os.open`.
        mode: Permissions of a new file.

    Returns:
        A file descriptor, to be closed.

    Raises:
        OSError: It cannot be opened or made.
    """
    flags |= os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_EXCL, mode)
    except FileExistsError:
        return os.open(path, flags, mode)
    leave_to_owner(fd, path.parent)
    return fd


def make_folders(folder: Path, like: Path | None = None) -> None:
    """Make a folder, and those above it, where they are missing.

    Args:
        folder: The folder.
        like: Whose owner gets what is made; None: the folder that each is made in.

    Raises:
        OSError: One cannot be made.
    """
    missing = []
    at = folder
    while not at.exists() and at != at.parent:
        missing.append(at)
        at = at.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        fd = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            leave_to_owner(fd, like or each.parent)
        finally:
            os.close(fd)
    folder.mkdir(exist_ok=True)  # says what is wrong where something else has its name
