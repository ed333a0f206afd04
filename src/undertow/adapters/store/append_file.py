"""One append-only file that one process writes and holds a lock on: the building block of segments and intent files.

Whether a writer still lives is told by its lock and by nothing else: the kernel frees an flock when the process ends, however
it ends, and a process id may be reused. The lock belongs to the open file, so a file must be created after a fork, not before.
"""

import fcntl
import os
from collections.abc import Callable
from os import write as _write
from pathlib import Path
from threading import Lock

LOCK_ATTEMPTS = 3
_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""macOS has no `fdatasync`."""


class AppendFile:
    """A locked file to which whole lines are appended; a line that did not go in whole is taken back.

    `append` belongs to one thread. `sync` may be called from another: it and `close` exclude each other.

    Attributes:
        path: Where it is (its name may change when it is sealed).
        size: Bytes of whole lines in it.
        error: Why the last append failed, or None.
    """

    __slots__ = ("_closing", "_dirty", "_fd", "_is_linked", "_repair", "error", "path", "size")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.size = 0
        self.error: OSError | None = None
        self._fd = fd
        self._repair = False
        self._dirty = False
        self._is_linked = False
        self._closing = Lock()

    @classmethod
    def create(cls, path: Path) -> "AppendFile":
        """Make the file, and its folders, and lock it.

        Raises:
            OSError: It exists, or cannot be made.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(LOCK_ATTEMPTS):
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A recovery that saw the file before it was locked may have removed it as an empty leftover.
                if os.fstat(fd).st_nlink:
                    return cls(path, fd)
            except BlockingIOError:
                path.unlink(missing_ok=True)
            except OSError:
                os.close(fd)
                raise
            os.close(fd)
        raise BlockingIOError(f"{path.name}: another process keeps locking it")

    def append(self, line: bytes) -> bool:
        """Append `line` in one write; False if it did not go in whole, in which case nothing of it stays."""
        try:
            if self._repair:
                os.ftruncate(self._fd, self.size)
                self._repair = False
            done = _write(self._fd, line)
        except OSError as error:
            self.error = error
            return False
        if done == len(line):
            self.size += done
            self._dirty = True
            return True
        self.error = OSError("short write: no space is left, or a limit is reached")
        self._repair = True
        try:
            os.ftruncate(self._fd, self.size)
            self._repair = False
        except OSError as error:
            self.error = error
        return False

    @property
    def is_dirty(self) -> bool:
        """Whether something was appended since the last sync."""
        return self._dirty

    @property
    def was_removed(self) -> bool:
        """Whether somebody deleted the file under its writer."""
        try:
            return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0
        except OSError:
            return True

    def sync(self) -> None:
        """Wait until the disk has all that was appended. Does nothing if it has.

        Raises:
            OSError: The disk failed.
        """
        if not self._dirty:
            return
        with self._closing:
            if self._fd < 0:
                return
            self._dirty = False
            _sync(self._fd)
            if not self._is_linked:
                sync_folder(self.path.parent)
                self._is_linked = True

    def rename(self, path: Path) -> None:
        """Give the file another name in the same file system.

        Raises:
            OSError: It could not be renamed; it keeps its name.
        """
        self.path.rename(path)
        self.path = path
        self._is_linked = False

    def close(self) -> None:
        """Close the file, which frees its lock."""
        with self._closing:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def discard(self) -> None:
        """Empty the file, remove it and close it.

        Raises:
            OSError: It could not be removed; it is still open, and empty if it could at least be emptied.
        """
        os.ftruncate(self._fd, 0)
        self.size = 0
        self.path.unlink(missing_ok=True)
        self.close()


def try_lock(path: Path, flags: int = os.O_RDWR) -> int | None:
    """Lock a file whose writer is gone; its descriptor, or None if the file is gone, or somebody holds the lock.

    Raises:
        OSError: It cannot be opened.
    """
    try:
        fd = os.open(path, flags)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    if os.fstat(fd).st_nlink == 0:  # its writer removed it just before
        os.close(fd)
        return None
    return fd


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a loss of power.

    Raises:
        OSError: The disk failed.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
