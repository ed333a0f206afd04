"""Finds the files of a log: single files, folders, date partitions, globs and a store's root folder.

What a file is (Parquet or JSON lines, compressed or not) is read from its first bytes, never from its name alone; what it
holds (decisions, signals, outcomes, draws) from how it was given or the name of its folder or stem.
"""

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from undertow.adapters.listing import files_below
from undertow.errors import LogError

Role = Literal["decisions", "signals", "outcomes", "draws"]
FileKind = Literal["parquet", "jsonl"]
ROLES: tuple[Role, ...] = ("decisions", "signals", "outcomes", "draws")

PARQUET_ENDINGS = (".parquet", ".pq", ".parq")
LINES_ENDINGS = (".jsonl", ".ndjson", ".json")
COMPRESSED_ENDINGS = (".gz", ".zst", ".zstd")
OPEN_ENDINGS = (".open", ".part", ".tmp")
"""A segment that a writer still has open bears one of these after its own ending."""
STORE_OPEN, STORE_SEALED, STORE_DONE = ".jsonl.open", ".jsonl", ".done"
"""In a store's folder `open/`: a segment being written, a sealed one, and the marker that its Parquet files are complete."""


@dataclass(frozen=True, slots=True)
class LogInputs:
    """What an audit reads.

    Attributes:
        decisions: Files, folders, globs or store root folders that hold decision logs. A folder with `decisions/` (and
            `signals/`, `outcomes/`, `draws/`) in it is a store's root: all of them are read.
        signals: More files of signals (outcomes may be among them).
        outcomes: The same columns; `kind` is `outcome` where it is absent or null.
        draws: More files of draws.
        timezone: IANA zone of text times that bear none (JSON lines and CSV know no other times). None: if every text
            time of a table is without zone they are taken as UTC and a note says so; if only some are, those are set
            aside as `mixed_time_zones`.
        import_reasons: Rows that an importer set aside before this, by reason; added to the coverage.
        notes: Sentences from an importer, added to the notes of the coverage.
        tier_source: `inferred` when an importer inferred tiers from prices.
        sketch_key: Key of the sketches that a store keeps where text is gone; None: they are not read.
    """

    decisions: tuple[str, ...]
    signals: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    draws: tuple[str, ...] = ()
    timezone: str | None = None
    import_reasons: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tier_source: Literal["logged", "mapped", "inferred"] = "logged"
    sketch_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file to read. `hive` are the `key=value` folders above it; `size` its length when it was found.

    `is_live`: a segment of a store that a gateway may be writing to, or may seal (rename) at any moment.
    """

    path: str
    role: Role
    kind: FileKind
    size: int
    hive: tuple[tuple[str, str], ...] = ()
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Files found, and those that were named or found but hold nothing that can be read, with the reason."""

    files: tuple[LogFile, ...]
    set_aside: tuple[tuple[str, str], ...] = ()

    def of(self, *roles: Role) -> tuple[LogFile, ...]:
        """The files of these roles."""
        return tuple(file for file in self.files if file.role in roles)

    def without(self, damaged: tuple[str, ...]) -> "FoundFiles":
        """The same without files that turned out damaged while they were read."""
        if not damaged:
            return self
        files = tuple(file for file in self.files if file.path not in damaged)
        if not any(file.role == "decisions" for file in files):
            raise LogError(f"{damaged[0]}: damaged Parquet file; write it again")
        return FoundFiles(files, self.set_aside + tuple((path, "damaged Parquet file") for path in damaged))


LISTINGS = 5
"""How often files are listed anew because one was gone before it was looked into: a store is at work."""


def find_files(inputs: LogInputs) -> FoundFiles:
    """All files of `inputs`, each once, in a stable order.

    Raises:
        LogError: something named does not exist or cannot be read, a folder holds no log, or every file of the decisions
            is empty or of no known kind.
    """
    for _ in range(LISTINGS - 1):
        try:
            return _find_files(inputs)
        except FileNotFoundError:
            continue
    try:
        return _find_files(inputs)
    except FileNotFoundError as error:
        raise LogError(f"{error.filename}: was removed while the log was listed; try again") from None


def _find_files(inputs: LogInputs) -> FoundFiles:
    found: dict[str, LogFile] = {}
    aside: list[tuple[str, str]] = []
    for role, named in (
        ("decisions", inputs.decisions),
        ("signals", inputs.signals),
        ("outcomes", inputs.outcomes),
        ("draws", inputs.draws),
    ):
        for name in named:
            for path, path_role in _expand(name, role):
                real = os.path.realpath(path)
                if real in found:
                    continue
                is_live = path.endswith(STORE_OPEN) and Path(path).parent.name == "open"
                kind_or_reason = "jsonl" if is_live else _look_into(path)
                if isinstance(kind_or_reason, str) and kind_or_reason not in ("parquet", "jsonl"):
                    aside.append((path, kind_or_reason))
                    continue
                size = 0 if is_live else Path(path).stat().st_size
                found[real] = LogFile(path, path_role, kind_or_reason, size, _hive_keys(path), is_live)
    if not any(file.role == "decisions" for file in found.values()):
        if aside:
            path, reason = aside[0]
            more = f" (and {len(aside) - 1} more files like it)" if len(aside) > 1 else ""
            raise LogError(f"{path}: {reason}{more}; expected a decision log as Parquet or JSON lines")
        raise LogError("no decision log among the inputs; name a file, a folder or a store that holds decisions")
    return FoundFiles(tuple(found.values()), tuple(aside))


def _expand(name: str, role: Role) -> Iterable[tuple[str, Role]]:
    path = Path(name).expanduser()
    if not os.path.lexists(path) and glob.has_magic(name):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if not matches:
            raise LogError(f"{name}: nothing matches; check the pattern and quote it so that the shell leaves it alone")
        for match in matches:
            if Path(match).is_dir():
                yield from ((file, role) for file in _log_files(Path(match)))
            else:
                yield match, role
        return
    try:
        is_folder = path.is_dir()
        exists = path.exists()
    except OSError as error:
        raise LogError(f"{name}: cannot be read: {error.strerror}") from None
    if not exists:
        raise LogError(f"{name}: no such file or folder")
    if not is_folder:
        yield str(path), role
        return
    yield from _expand_folder(path, role)


def _expand_folder(folder: Path, role: Role) -> Iterable[tuple[str, Role]]:
    parts = {part: folder / part for part in ROLES if (folder / part).is_dir()}
    if role == "decisions" and "decisions" in parts:
        for part, below in parts.items():
            for file in _log_files(below):
                yield file, part
        loose = [file for file in _log_files(folder, deep=False) if _named_role(file) is not None]
        for file in loose:
            yield file, _named_role(file) or "decisions"
        return
    files = _log_files(folder)
    if not files:
        raise LogError(f"{folder}: no Parquet or JSON lines in this folder; {_contents(folder)}")
    named = {file: _named_role(file) for file in files}
    # Only a folder that itself says which files are the decisions is sorted by name; else all are what they were given as.
    by_name = role == "decisions" and "decisions" in named.values()
    for file in files:
        if not by_name:
            yield file, role
        elif named[file] is not None:
            yield file, named[file] or role


def _named_role(file: str) -> Role | None:
    stem = Path(file).name.lower()
    return next(
        (role for role in ROLES if stem.startswith((role, role[:-1] + ".", role[:-1] + "_", role[:-1] + "-"))), None
    )


def _log_files(folder: Path, *, deep: bool = True) -> list[str]:
    try:
        if deep and (folder / "open").is_dir():
            return _store_files(folder)
        paths = sorted(files_below(folder) if deep else folder.iterdir())
    except OSError as error:
        raise LogError(f"{folder}: cannot be read: {error.strerror}") from None
    return [str(path) for path in paths if _looks_like_log(path)]


def _store_files(folder: Path) -> list[str]:
    """Files of one part of a store, such that each row is in exactly one of them, whatever a gateway and a keeper do meanwhile.

    The segments are listed before the Parquet files: a segment that is already marked has complete ones, and of a segment that
    is not marked yet they are left out. Segments are listed twice, because a file that is renamed may be missed once.
    """
    segments: dict[str, Path] = {}
    done: set[str] = set()
    for _ in range(2):
        for path in sorted((folder / "open").iterdir()):
            for ending in (STORE_OPEN, STORE_SEALED):
                if path.name.endswith(ending):
                    segments[path.name.removesuffix(ending)] = path
                    break
            if path.name.endswith(STORE_DONE):
                done.add(path.name.removesuffix(STORE_DONE))
    unmarked = {stem: path for stem, path in segments.items() if stem not in done and not stem.startswith((".", "_"))}
    others = [
        path
        for path in sorted(files_below(folder))
        if not (path.parent.name == "open" and path.name.endswith((STORE_OPEN, STORE_SEALED))) and _looks_like_log(path)
    ]
    # SEG.parquet, and SEG.2.parquet and so on where a segment has several.
    converted = [str(path) for path in others if path.name.split(".", 1)[0] not in unmarked]
    return converted + [str(path) for path in unmarked.values()]


def _looks_like_log(path: Path) -> bool:
    name = path.name.lower()
    if name.startswith((".", "_")) or not path.is_file():
        return False
    for endings in (OPEN_ENDINGS, COMPRESSED_ENDINGS):
        name = next((name.removesuffix(ending) for ending in endings if name.endswith(ending)), name)
    return name.endswith(PARQUET_ENDINGS + LINES_ENDINGS)


def _contents(folder: Path) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    if not names:
        return "it is empty"
    shown = ", ".join(repr(name) for name in names[:4])
    return f"it holds {shown}" + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _look_into(path: str) -> str:
    """`parquet`, `jsonl`, or a sentence that says why the file is neither.

    Raises:
        FileNotFoundError: It was there when it was listed.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            head = file.read(4096)
            file.seek(max(size - 4, 0))
            tail = file.read(4)
    except FileNotFoundError:
        if not os.path.lexists(path):
            raise
        return "cannot be read: a link to nothing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not head:
        return "the file is empty"
    if head.startswith(b"PAR1"):
        return "parquet" if tail == b"PAR1" and size >= 12 else "truncated Parquet: its footer is missing"
    if head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return "jsonl"
    if Path(path).name.lower().endswith(PARQUET_ENDINGS):
        return "not a Parquet file: it does not begin with PAR1"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "a JSON array; expected one JSON object a line (`jq -c '.[]'` turns one into the other)"
    if text.startswith(b"{") or Path(path).name.lower().split(".")[-1] in {"jsonl", "ndjson", "open", "part", "tmp"}:
        return "jsonl"
    return "neither Parquet nor JSON lines"


def _hive_keys(path: str) -> tuple[tuple[str, str], ...]:
    parts = (part.split("=", 1) for part in Path(path).parts[:-1] if "=" in part)
    return tuple((key, value) for key, value in parts if key.isidentifier())
