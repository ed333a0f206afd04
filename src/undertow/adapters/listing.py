"""Files below a folder that others write in meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, in no order. What goes away while one looks (a keeper's working folders) is left out.

    Raises:
        OSError: A folder is there and cannot be read.
    """
    for root, _, names in os.walk(folder, onerror=_unless_gone):
        for name in names:
            yield Path(root, name)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
