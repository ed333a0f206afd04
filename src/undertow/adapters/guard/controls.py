"""The two copies of `controls.json`: read by every worker, written by the guard alone. Imports nothing heavy: workers load it."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from undertow.adapters.whole_file import write_whole
from undertow.records.guard import CONTROLS, CONTROLS_SCHEMA, GUARD_SUFFIX, Controls

MAX_BYTES = 10_000_000
"""A larger file is none of ours."""
MOST_VERSIONS = 2**53
"""A version beyond it was not counted up to, and whoever takes it for a float loses the next."""


def guard_folder(store: str | os.PathLike[str]) -> Path:
    """The folder with the second copy, beside a store.

    Examples:
        >>> str(guard_folder("/var/lib/undertow-data/"))
        '/var/lib/undertow-data.guard'
    """
    absolute = Path(os.path.abspath(store))  # noqa: PTH100 (a store that is a link has its copy beside the link)
    return absolute.parent / (absolute.name + GUARD_SUFFIX)


def controls_files(store: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Both copies: in the store, and beside it."""
    return Path(store) / CONTROLS, guard_folder(store) / Path(CONTROLS).name


@dataclass(frozen=True, slots=True)
class FoundControls:
    """What was found of the copies.

    Attributes:
        controls: Of the readable ones that with the higher version; None: none can be read.
        problems: By file: why a copy that is there cannot be used.
    """

    controls: Controls | None
    problems: dict[str, str]

    @property
    def are_unreadable(self) -> bool:
        """There is something, and nothing of it can be read."""
        return self.controls is None and bool(self.problems)


def find_controls(store: str | os.PathLike[str]) -> FoundControls:
    """Read both copies.

    Examples:
        >>> find_controls("/nowhere")
        FoundControls(controls=None, problems={})
    """
    best: Controls | None = None
    problems: dict[str, str] = {}
    for path in controls_files(store):
        controls, problem = read_controls(path)
        if problem is not None:
            problems[str(path)] = problem
        elif controls is not None and (best is None or (controls.version, controls.at) > (best.version, best.at)):
            best = controls
    return FoundControls(best, problems)


def read_controls(path: Path) -> tuple[Controls | None, str | None]:
    """One copy.

    Returns:
        The controls and None; None and why they cannot be used; None and None where there is no file.
    """
    try:
        # A pipe in its place would have the process that serves wait for a writer for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            document = file.read(MAX_BYTES + 1) or b""
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"cannot be read ({error.strerror or type(error).__name__})"
    if len(document) > MAX_BYTES:
        return None, f"larger than {MAX_BYTES:,} bytes"
    try:
        controls = msgspec.json.decode(document, type=Controls)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, f"is no file of controls ({_short(error)})"
    problem = controls_problem(controls)
    return (controls, None) if problem is None else (None, problem)


def write_controls(path: Path, controls: Controls) -> None:
    """Write one copy, as a whole or not at all; its folder must exist.

    Raises:
        OSError: It cannot be written.
    """
    write_whole(path, msgspec.json.format(msgspec.json.encode(controls), indent=1) + b"\n")


def controls_problem(controls: Controls) -> str | None:
    """Why controls cannot be applied, or None: they can.

    Examples:
        >>> controls_problem(Controls(version=0, at=""))
        'version 0 is below 1'
    """
    if controls.schema != CONTROLS_SCHEMA:
        return f"is of schema {controls.schema[:60]!r}; this version reads {CONTROLS_SCHEMA!r}"
    if controls.version < 1:
        return f"version {controls.version} is below 1"
    if controls.version > MOST_VERSIONS:
        return f"its version is above {MOST_VERSIONS:,}"
    for policy, given in controls.policies.items():
        where = f"policy {policy[:60]!r}"
        for one in given.restrictions:
            for name, number in (("exposure", one.exposure), ("raised_by", one.raised_by)):
                if not (math.isfinite(number) and 0.0 <= number <= 1.0):
                    return f"{where}: {name} {number:g} is not in [0, 1]"
            if one.segment and "=" not in one.segment:
                return f"{where}: {one.segment[:60]!r} is no label key=value"
    return None


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
