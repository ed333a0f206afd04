"""Files below a folder that others write in meanwhile, and those that a pattern stands for."""

import glob
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

DEEP = "**"
"""Part of a pattern that stands for any folders, or none."""


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, in no order. What goes away while one looks (a keeper's working folders) is left out.

    Raises:
        OSError: A folder is there and cannot be read.
    """
    for root, _, names in os.walk(folder, onerror=_unless_gone):
        for name in names:
            yield Path(root, name)


def files_matching(pattern: Path) -> Iterator[Path]:
    """All files that a pattern stands for, in no order, each once.

    Where it holds `**`, no link to a folder is followed below its first wildcard: links in a circle would stand for paths without end.

    Raises:
        OSError: A folder is there and cannot be read.
    """
    base = before_magic(pattern)
    wanted = pattern.parts[len(base.parts) :]
    if DEEP not in wanted:
        found = (Path(path) for path in glob.iglob(str(pattern)))  # noqa: PTH207 (the pattern may be absolute)
    else:
        found = (path for path in files_below(base) if _fits(path.relative_to(base).parts, wanted))
    return (path for path in found if path.is_file())


def before_magic(pattern: Path) -> Path:
    """The folders of a pattern before its first wildcard.

    Examples:
        >>> before_magic(Path("/drops/2026/*/a.csv")).as_posix()
        '/drops/2026'
    """
    parts = pattern.parts
    return Path(*parts[: next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))])


def _fits(names: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path's parts fit a pattern's; as in a shell, wildcards pass over what begins with a dot."""
    reached = _passing({0}, wanted)
    for name in names:
        after = set()
        for at in reached:
            if at == len(wanted):
                continue
            is_shown = not name.startswith(".") or wanted[at].startswith(".")
            if wanted[at] == DEEP:
                after |= {at} if is_shown else set()
            elif is_shown and fnmatchcase(name, wanted[at]):
                after.add(at + 1)
        reached = _passing(after, wanted)
    return len(wanted) in reached


def _passing(reached: set[int], wanted: Sequence[str]) -> set[int]:
    """Places in a pattern, with those behind each `**`, which may stand for nothing."""
    found = set(reached)
    for at in sorted(reached):
        place = at
        while place < len(wanted) and wanted[place] == DEEP:
            place += 1
            found.add(place)
    return found


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
