"""File locks that one process holds at a time; they go with their process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from undertow.adapters.ownership import make_folders, open_or_make


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Hold a lock while the block runs; False: another holds it. Never waits. Its folder is made where it is missing.

    Raises:
        OSError: The file cannot be opened or made.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, alone(Path(folder) / "lock") as first, alone(Path(folder) / "lock") as second:
        ...     first, second
        (True, False)
    """
    fd = _opened(lock)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Hold a lock while the block runs, waiting for whoever holds it: for blocks that take a few milliseconds, such as to read a file,
    change it and write it. Its folder is made where it is missing.

    Raises:
        OSError: The file cannot be opened or made.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, in_turn(Path(folder) / "lock"), alone(Path(folder) / "lock") as other:
        ...     other
        False
    """
    fd = _opened(lock)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _opened(lock: Path) -> int:
    make_folders(lock.parent)
    return open_or_make(lock, os.O_RDWR, 0o640)
