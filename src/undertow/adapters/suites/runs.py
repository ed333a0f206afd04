"""Runs of suites in a store: `suites/NAME/RUN.jsonl`, the head on the first line and a result on each further one.

A run is written as a whole or not at all. A run that is a baseline begins the comparisons anew.
"""

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from undertow.adapters.whole_file import write_whole
from undertow.errors import LogError
from undertow.records.suite import CaseResult, RunResults, SuiteRun
from undertow.records.unreadable import UNREADABLE

FOLDER = "suites"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
Line = TypeVar("Line", SuiteRun, CaseResult)

_RUN = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}")


class StoreRuns:
    """Implements `undertow.ports.suite.RunBook` in a store's folder.

    Args:
        root: The store's root folder.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> book = StoreRuns(Path(folder.name))
        >>> head = SuiteRun(
        ...     run_id="20260301T120000000Z-00ff00", suite="support", digest="d", began_at="", ended_at="", capable="capable"
        ... )
        >>> book.add(RunResults(run=head, results=()))
        >>> [found.run.run_id for found in book.runs("support", 10)], book.suites()
        (['20260301T120000000Z-00ff00'], ['support'])
        >>> folder.cleanup()
    """

    def __init__(self, root: Path) -> None:
        self._root = root / FOLDER

    def prepare(self, suite: str) -> None:
        """Make the place for a run, before anything is paid for it.

        Raises:
            LogError: It cannot be made.
        """
        folder = self._folder(suite)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"{folder}: cannot be made ({error.strerror}), and runs are kept there") from None

    def add(self, found: RunResults) -> None:
        """Keep a run."""
        folder = self._folder(found.run.suite)
        folder.mkdir(parents=True, exist_ok=True)
        encode = msgspec.json.Encoder().encode
        lines = [encode(found.run), *(encode(result) for result in found.results), b""]
        write_whole(folder / f"{found.run.run_id}.jsonl", b"\n".join(lines))

    def suites(self) -> list[str]:
        """Names of the suites that have runs, as folders have them."""
        if not self._root.is_dir():
            return []
        return sorted(path.name for path in self._root.iterdir() if path.is_dir() and any(self._paths(path)))

    def heads(self, suite: str) -> list[SuiteRun]:
        """The heads of all runs of a suite, oldest first.

        Raises:
            OSError: One cannot be read.
            LogError: One is damaged.
        """
        heads = []
        for path in self._paths(self._folder(suite)):
            with path.open("rb") as file:
                heads.append(_decoded(path, SuiteRun, file.readline()))
        return heads

    def runs(self, suite: str, limit: int, *, until: str | None = None) -> list[RunResults]:
        """The runs of a suite from its last baseline on, oldest first; of more than `limit` the first and the last ones.

        Args:
            suite: Its name.
            limit: Most runs.
            until: Leave out later runs than this one; None: none.

        Raises:
            LogError: There is no run `until`, or one is damaged.
            OSError: One cannot be read.
        """
        heads = self.heads(suite)
        if until is not None:
            self.read(suite, until)
            heads = [head for head in heads if head.run_id <= until]
        start = max((place for place, head in enumerate(heads) if head.is_baseline), default=0)
        kept = [head.run_id for head in heads[start:]]
        if len(kept) > limit:
            kept = [*kept[: limit // 2], *kept[len(kept) - (limit - limit // 2) :]]
        return [self.read(suite, run_id) for run_id in kept]

    def read(self, suite: str, run_id: str) -> RunResults:
        """One run.

        Raises:
            LogError: There is no such run, or it is damaged.
            OSError: It cannot be read.
        """
        if not _RUN.fullmatch(run_id):
            raise LogError(f"{run_id[:60]!r} is no id of a run; `undertow suite list` shows them")
        path = self._folder(suite) / f"{run_id}.jsonl"
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            raise LogError(f"suite {suite[:60]!r} has no run {run_id}; `undertow suite list` shows them") from None
        head = _decoded(path, SuiteRun, lines[0] if lines else b"")
        return RunResults(run=head, results=tuple(_decoded(path, CaseResult, line) for line in lines[1:]))

    def _folder(self, suite: str) -> Path:
        # Never out of the folder: a name of dots alone would be.
        return self._root / (_UNSAFE.sub("_", suite).strip(".") or "suite")

    def _paths(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.glob("*.jsonl") if _RUN.fullmatch(path.stem))


def _decoded(path: Path, kind: type[Line], line: bytes) -> Line:
    try:
        return msgspec.json.decode(line, type=kind)
    except UNREADABLE:
        raise LogError(f"{path}: damaged; remove it, and the run counts no more") from None
