"""Reads and writes files as a whole: those that one program writes and a gateway reads while it runs."""

import os
import tempfile
from pathlib import Path

from undertow.adapters.ownership import leave_to_owner
from undertow.errors import ConfigError

PUBLIC, PRIVATE = 0o644, 0o640
"""Permissions: what everybody on the machine may read, and what may hold text of users."""


def write_whole(path: str | Path, content: bytes, mode: int = PUBLIC) -> None:
    """Write a file as a whole or not at all: whoever reads it never sees half of it, and it lasts through a loss of power.

    Args:
        path: The file; its folder must exist.
        content: All of it.
        mode: Permissions of the file.

    Raises:
        OSError: It cannot be written; an older file is as it was.
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            leave_to_owner(file.fileno(), target.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_whole(path: str | Path, max_bytes: int, made_by: str) -> bytes:
    """The content of a file.

    Args:
        path: The file.
        max_bytes: A larger one is refused.
        made_by: The command that writes such files, for messages.

    Raises:
        ConfigError: It cannot be read, or is too large.
    """
    try:
        # A pipe in its place would have a process that serves wait for a writer for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            content = file.read(max_bytes + 1) or b""
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; `{made_by}` makes it") from None
    if len(content) > max_bytes:
        raise ConfigError(f"{path}: larger than anything that `{made_by}` writes")
    return content
