"""Outcomes in files that other systems drop: CSV, JSON lines, JSON or Parquet, plain, .gz or .zst.

Files are read by age, so that of two exports the later one corrects the earlier. What a pattern or folder leads to stays within the folder
that was named: a link that leads out of it is left out, and said. Below a `**`, links to folders are not followed.
"""

import glob
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.importers.files import Undecodable, records
from undertow.adapters.listing import before_magic, files_below, files_matching
from undertow.adapters.outcomes.bounded_parquet import parquet_records
from undertow.adapters.outcomes.rows import RowReader
from undertow.adapters.outcomes.snapshot import SETTLED_S, fingerprint, snapshot
from undertow.errors import LogError
from undertow.ports.outcomes import Place
from undertow.records.outcome import OutcomeRow
from undertow.records.serving import SourcePlan

ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
PACKED = (".gz", ".zst")
UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart", ".open")
MAX_RECORD_BYTES = 1 << 20
MAX_DOCUMENT_BYTES = 64 << 20
MOST_FILES = 100_000
READING = 1
"""Raised when rows are read another way, so that files are read again."""


class DroppedFiles:
    """Implements `undertow.ports.outcomes.OutcomeSource` for files.

    Args:
        plan: Of the source; its path is absolute.
        now: Seconds since 1970.
        wait: Waits for so many seconds: for files that changed a moment ago. None: they are left for the next time.
    """

    def __init__(self, plan: SourcePlan, now: Callable[[], float], wait: Callable[[float], None] | None = None) -> None:
        self._plan, self._now, self._wait = plan, now, wait
        # What else decides how a file is read: it is read again once that changes.
        told = (READING, plan.kind, plan.outcome, plan.currency, plan.timezone, sorted(plan.columns.items()))
        self._settings = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:12]

    def places(self, since: Any) -> Iterator[Place | tuple[str, str]]:  # noqa: ARG002 (a file is read whole)
        """Files, oldest first.

        Args:
            since: Not used.

        Raises:
            LogError: Nothing is there, or it cannot be listed.
        """
        try:
            found, left = self._files()
        except OSError as error:
            raise LogError(f"{self._plan.path}: cannot be listed ({error.strerror or type(error).__name__})") from None
        yield from left
        for name, path in found:
            try:
                print_ = f"{fingerprint(path)}-{self._settings}"
            except OSError:
                continue  # it went away meanwhile
            yield Place(name, print_, self._rows(name, path))

    def _files(self) -> tuple[list[tuple[str, Path]], list[tuple[str, str]]]:
        given = Path(self._plan.path or "").expanduser()
        base, paths = _named(given)
        if len(paths) > MOST_FILES:
            raise LogError(f"{given}: matches more than {MOST_FILES:,} files; name fewer")
        left: list[tuple[str, str]] = []
        found: list[tuple[float, str, Path]] = []
        is_one = paths == [given]
        root = base.resolve()
        for path in paths:
            name = path.name if is_one else str(path.relative_to(base))
            if not is_one and (path.name.startswith((".", "_")) or path.name.lower().endswith(UNFINISHED)):
                continue
            if not is_one and not _looks_readable(path):
                continue
            try:
                real = path.resolve(strict=True)
                if not is_one and not real.is_relative_to(root):
                    left.append((name, "is a link that leads out of the folder, and is left out"))
                    continue
                found.append((real.stat().st_mtime, name, real))
            except (OSError, RuntimeError):
                left.append((name, "cannot be found any more, or is a link to nothing"))
        return [(name, path) for _, name, path in sorted(found)], left

    def _rows(self, name: str, path: Path) -> Iterator[Sequence[OutcomeRow]]:
        if self._wait is not None and 0 < (left_s := SETTLED_S - self._age_s(path)) <= SETTLED_S:
            self._wait(left_s)
        try:
            with tempfile.TemporaryDirectory(prefix="undertow-outcomes-") as folder:
                copy = snapshot(path, Path(folder) / "copy", self._now)
                reader = RowReader(self._plan, name)
                yield from reader.batches(_records(copy, name))
        except OSError as error:
            # The store's own disk may be well: this file alone is not read, and the others are.
            raise LogError(
                f"{name}: cannot be copied to be read ({error.strerror or type(error).__name__}); "
                "see to space in the folder for temporary files, or name another one by TMPDIR"
            ) from None

    def _age_s(self, path: Path) -> float:
        try:
            return self._now() - path.stat().st_mtime
        except OSError:
            return SETTLED_S  # the copy says why


def _named(given: Path) -> tuple[Path, list[Path]]:
    """The folder that what was named stays in, and the files that it stands for."""
    if given.is_dir():
        return given, _some(path for path in files_below(given) if path.is_file())
    if given.exists():
        return given.parent, [given]
    if not glob.has_magic(str(given)):
        raise LogError(f"{given}: there is no such file or folder")
    base = before_magic(given)
    if not base.is_dir():
        raise LogError(f"{base}: there is no such folder")
    return base, _some(files_matching(given))


def _some(paths: Iterator[Path]) -> list[Path]:
    """One more than may be, so that what is too many is not listed to its end."""
    return sorted(islice(paths, MOST_FILES + 1))


def _looks_readable(path: Path) -> bool:
    name = path.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    return name.endswith(ENDINGS)


def _records(copy: Path, name: str) -> Iterator[Any]:
    if copy.suffix == ".parquet":
        yield from parquet_records(copy, name)
        return
    if not copy.stat().st_size:
        return
    try:
        yield from records(copy, max_record_bytes=MAX_RECORD_BYTES, max_document_bytes=MAX_DOCUMENT_BYTES)
    except LogError as error:
        # It names the copy.
        raise LogError(str(error).replace(repr(str(copy)), name)) from None
    except RecursionError:
        yield Undecodable("bad_json")
