"""Whether a log has changed since it was read: by names, sizes and times of its files, without reading any."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from undertow.adapters.listing import files_below

STATE = "state"
"""Folder of a store where gateway, keeper and guard keep what they remember: it changes all the time, and changes no audit."""

MOST_FILES = 200_000
"""Files that are looked at; a log of more counts as changed by some of them."""


def log_state(inputs: Iterable[str]) -> str:
    """A short text that changes when a file of the log is added, taken away, grows or is written anew.

    Args:
        inputs: Files, folders or a store's root folder, as an audit is given them.

    Raises:
        OSError: A folder is there and cannot be read.

    Examples:
        >>> log_state(["no/such/file"]) == log_state(["no/such/file"])
        True
    """
    found = hashlib.blake2b(digest_size=16)
    for line in sorted(islice(_lines(inputs), MOST_FILES)):
        found.update(line)
    return found.hexdigest()


def _lines(inputs: Iterable[str]) -> Iterator[bytes]:
    for name in inputs:
        root = Path(name).expanduser()
        is_store = (root / "decisions").is_dir()
        for path in files_below(root) if root.is_dir() else (root,):
            if is_store and path.relative_to(root).parts[0] == STATE:
                continue
            try:
                seen = path.stat()
            except OSError:
                continue  # compacted away just now: the file that took its place is another one
            yield f"{path}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
