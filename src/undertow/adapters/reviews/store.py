"""Texts, votes, claims and seeded cases of reviewers in a store's folder."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from undertow.adapters.reviews.row_cache import RowCache
from undertow.adapters.store.row_log import PAIRS, SAMPLED, VOTES, RowLog
from undertow.adapters.whole_file import write_whole
from undertow.records.review import CLAIMS, IMPORTS, SEEDS, Claim, ImportNote, Material, SeededCase
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import AnswerPair, SampledText, Vote

Answer = TypeVar("Answer")
Line = TypeVar("Line", bound=msgspec.Struct)

FILE_MODE = 0o640
"""Seeded cases hold text, which is not for everybody on the machine."""


class StoreReviews:
    """Implements `undertow.ports.review.ReviewStore` in a local folder. One thread at a time.

    Args:
        root: The store's root folder.
        writer: Name of this writer, part of the names of its segments.
        clock: Seconds since 1970.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> reviews = StoreReviews(Path(folder.name), "review")
        >>> reviews.add_votes((Vote(vote_id="v", decision_id="d", at="2026-03-01T12:00:00Z", rater="ann", value=1.0),))
        >>> [vote.rater for vote in reviews.material().votes]
        ['ann']
        >>> reviews.close()
        >>> folder.cleanup()
    """

    def __init__(self, root: Path, writer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._root, self._writer, self._clock = root, writer, clock
        self._log: RowLog | None = None
        self._sampled = RowCache(root / SAMPLED, SampledText)
        self._pairs = RowCache(root / PAIRS, AnswerPair)
        self._votes = RowCache(root / VOTES, Vote)

    def material(self) -> Material:
        """All that is there now; a row that cannot be read is counted and left."""
        sampled, broken_texts = self._sampled.read()
        pairs, broken_pairs = self._pairs.read()
        votes, broken_votes = self._votes.read()
        seeds, broken_seeds = _lines(self._root / SEEDS, SeededCase)
        imports, broken_imports = _lines(self._root / IMPORTS, ImportNote)
        return Material(
            sampled,
            pairs,
            votes,
            seeds,
            imports,
            broken_texts + broken_pairs + broken_votes + broken_seeds + broken_imports,
        )

    def add_votes(self, votes: tuple[Vote, ...]) -> None:
        """Keep votes, on the disk when this returns."""
        if self._log is None:
            self._log = RowLog(self._root, VOTES, self._writer, clock=self._clock)
        self._log.append(*votes)
        self._log.sync()

    def change_claims(self, change: Callable[[tuple[Claim, ...]], tuple[tuple[Claim, ...], Answer]]) -> Answer:
        """Replace the claims while no other process can; it waits for those that are at it."""
        path = self._root / CLAIMS
        with _waited_for(path.with_suffix(".lock")):
            before = self.claims()
            after, answer = change(before)
            if after != before:
                write_whole(path, msgspec.json.encode(after))
        return answer

    def claims(self) -> tuple[Claim, ...]:
        """The claims as they are; a file that is none counts as empty, since claims lapse anyway."""
        try:
            return msgspec.json.decode((self._root / CLAIMS).read_bytes(), type=tuple[Claim, ...])
        except (FileNotFoundError, *UNREADABLE):
            return ()

    def add_seeds(self, seeds: tuple[SeededCase, ...]) -> None:
        """Keep seeded cases."""
        _append(self._root / SEEDS, *seeds)

    def note_import(self, note: ImportNote) -> None:
        """Keep what became of an import."""
        _append(self._root / IMPORTS, note)

    def close(self) -> None:
        """Seal the segment of votes, if there is one."""
        if self._log is not None:
            self._log.close()
            self._log = None


def _lines(path: Path, type_: type[Line]) -> tuple[tuple[Line, ...], int]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return (), 0
    decoder = msgspec.json.Decoder(type_)
    found: list[Line] = []
    broken = 0
    for line in content.splitlines():
        try:
            found.append(decoder.decode(line))
        except UNREADABLE:
            broken += 1
    return tuple(found), broken


def _append(path: Path, *rows: msgspec.Struct) -> None:
    """Add lines in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
    with os.fdopen(fd, "ab", buffering=0) as file:
        file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        os.fsync(file.fileno())


@contextmanager
def _waited_for(lock: Path) -> Iterator[None]:
    """Hold a lock, waiting for it; it goes with its process."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
