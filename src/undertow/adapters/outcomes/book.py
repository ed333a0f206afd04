"""The index of a store's pulled outcomes: an SQLite file below `state/outcomes/`, which the log itself can make anew.

It knows each signal's latest revision, so that a row which was read before writes nothing; the log of signals is what counts. If the file is
lost or damaged, it is made again from the signals, and files are read once more.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

import msgspec

from undertow.adapters.one_writer import alone
from undertow.adapters.outcomes.pulled_signals import pulled_signals
from undertow.records.outcome import INDEX, LOCK, REJECTS, KnownOutcome, SetAside, SourceState

MOST_REJECTS = 100_000
"""Rows in a file of rejects, the latest; all are counted."""

BUSY_S = 10.0
_ASKED_AT_ONCE = 500

_TABLES = """
CREATE TABLE IF NOT EXISTS known (id TEXT PRIMARY KEY, outcome BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (source TEXT NOT NULL, place TEXT NOT NULL, fingerprint TEXT, PRIMARY KEY (source, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejects (
    source TEXT NOT NULL, place TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, about TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (source, place, key)
);
CREATE TABLE IF NOT EXISTS sources (source TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made (once INTEGER PRIMARY KEY);
"""
_NOTE_LATEST = """
INSERT INTO known (id, outcome) VALUES (?, ?)
ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome
WHERE coalesce(json_extract(CAST(excluded.outcome AS TEXT), '$.record.revision'), 0)
    > coalesce(json_extract(CAST(known.outcome AS TEXT), '$.record.revision'), 0)
"""
"""Revisions are met in no order. The disk holds what is known, so that as many outcomes as there are need no memory."""


class StoreOutcomes:
    """Implements `undertow.ports.outcomes.OutcomeBook` in a local folder.

    Args:
        store: The store's root folder.
        clock: Seconds since 1970.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreOutcomes(Path(folder)) as book, book.locked() as is_mine:
        ...         is_mine, book.state("crm").pulls, book.known(["crm/1"])
        (True, 0, {})
    """

    def __init__(self, store: Path, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._engine: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def locked(self) -> AbstractContextManager[bool]:
        """Keep all others from pulling; False: another is at it.

        Raises:
            OSError: The store cannot be written.
        """
        return alone(self._store / LOCK)

    def state(self, source: str) -> SourceState:
        """Where a source stands.

        Raises:
            OSError: The index cannot be read.
        """
        with self._at_work() as engine:
            row = engine.execute("SELECT state FROM sources WHERE source = ?", (source,)).fetchone()
        return SourceState() if row is None else msgspec.json.decode(row[0], type=SourceState)

    def states(self) -> dict[str, SourceState]:
        """Where each source stands that was ever pulled, by name.

        Raises:
            OSError: The index cannot be read.
        """
        with self._at_work() as engine:
            rows = engine.execute("SELECT source, state FROM sources ORDER BY source").fetchall()
        return {str(name): msgspec.json.decode(state, type=SourceState) for name, state in rows}

    def seen(self, source: str, place: str) -> str | None:
        """Fingerprint under which a place was last read, or None: never."""
        with self._at_work() as engine:
            row = engine.execute(
                "SELECT fingerprint FROM places WHERE source = ? AND place = ?", (source, place)
            ).fetchone()
        return None if row is None else row[0]

    def known(self, ids: Sequence[str]) -> dict[str, KnownOutcome]:
        """What is known of signals, by id; those that are unknown are left out."""
        found: dict[str, KnownOutcome] = {}
        with self._at_work() as engine:
            for start in range(0, len(ids), _ASKED_AT_ONCE):
                part = [_storable(name) for name in ids[start : start + _ASKED_AT_ONCE]]
                marks = ", ".join("?" * len(part))
                for name, outcome in engine.execute(f"SELECT id, outcome FROM known WHERE id IN ({marks})", part):
                    found[name] = msgspec.json.decode(outcome, type=KnownOutcome)
        return found

    def note(self, outcomes: Sequence[KnownOutcome], set_aside: Sequence[SetAside], source: str) -> None:
        """Remember what was written and what was set aside.

        Raises:
            OSError: The index cannot be written.
        """
        at = int(self._clock())
        with self._at_work() as engine, _whole(engine):
            engine.executemany(
                "INSERT OR REPLACE INTO known (id, outcome) VALUES (?, ?)",
                [(outcome.record.signal_id, msgspec.json.encode(outcome)) for outcome in outcomes],
            )
            engine.executemany(
                "INSERT OR REPLACE INTO rejects (source, place, key, number, reason, about, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(source, _storable(row.place), row.key, row.number, row.reason, row.column, at) for row in set_aside],
            )

    def begin(self, source: str, place: str) -> None:
        """Forget what was set aside at a place, which is read anew."""
        with self._at_work() as engine, _whole(engine):
            engine.execute("DELETE FROM rejects WHERE source = ? AND place = ?", (source, _storable(place)))

    def finish(self, source: str, place: str, fingerprint: str | None) -> None:
        """A place was read to its end."""
        with self._at_work() as engine, _whole(engine):
            engine.execute(
                "INSERT OR REPLACE INTO places (source, place, fingerprint) VALUES (?, ?, ?)",
                (source, _storable(place), fingerprint),
            )

    def close_pull(self, source: str, state: SourceState) -> str | None:
        """Note where a source stands; the path of its file of rejects, or None without any.

        Raises:
            OSError: The file or the index cannot be written.
        """
        with self._at_work() as engine:
            with _whole(engine):
                engine.execute(
                    "INSERT OR REPLACE INTO sources (source, state) VALUES (?, ?)", (source, msgspec.json.encode(state))
                )
            rows = engine.execute(
                "SELECT place, number, reason, about, at FROM rejects WHERE source = ? ORDER BY rowid DESC LIMIT ?",
                (source, MOST_REJECTS),
            ).fetchall()
        return self._write_rejects(source, rows[::-1])

    def set_aside(self, source: str) -> Mapping[str, int]:
        """Rows that are set aside now, by reason."""
        with self._at_work() as engine:
            rows = engine.execute(
                "SELECT reason, count(*) FROM rejects WHERE source = ? GROUP BY reason ORDER BY reason", (source,)
            ).fetchall()
        return {str(reason): int(count) for reason, count in rows}

    def _write_rejects(self, source: str, rows: Sequence[tuple[str, int, str, str | None, int]]) -> str | None:
        # Names of sources may hold anything that prints.
        target = self._store / REJECTS / f"source-{quote(source, safe='')}.jsonl"
        if not rows:
            target.unlink(missing_ok=True)
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".jsonl.part")
        with part.open("wb") as file:
            os.fchmod(file.fileno(), 0o640)
            for place, number, reason, column, at in rows:
                line = {"source": source, "file": place, "row": number, "reason": reason, "column": column, "at": at}
                file.write(msgspec.json.encode(line) + b"\n")
        part.replace(target)
        return str(target)

    @contextmanager
    def _at_work(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._open()
        except sqlite3.Error as error:
            self.close()
            raise OSError(f"{INDEX}: {error}; move it away, and the next pull makes it anew from the log") from error

    def _open(self) -> sqlite3.Connection:
        if self._engine is not None:
            return self._engine
        path = self._store / INDEX
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._engine = self._opened(path)
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # its kinds are other troubles: locked, full, misused
                raise
            for tail in ("-wal", "-shm"):
                path.with_name(path.name + tail).unlink(missing_ok=True)
            path.rename(path.with_name(f"{path.name}.damaged-{int(self._clock())}"))
            self._engine = self._opened(path)
        return self._engine

    def _opened(self, path: Path) -> sqlite3.Connection:
        path.touch(0o640)
        engine = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            engine.execute("PRAGMA journal_mode = WAL")
            engine.executescript(_TABLES)
            if engine.execute("SELECT 1 FROM made").fetchone() is None:
                with _whole(engine):
                    for outcome in pulled_signals(self._store):
                        engine.execute(
                            _NOTE_LATEST,
                            (outcome.record.signal_id, msgspec.json.encode(outcome)),
                        )
                    engine.execute("INSERT OR IGNORE INTO made (once) VALUES (1)")
        except BaseException:
            engine.close()
            raise
        return engine


@contextmanager
def _whole(engine: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing."""
    engine.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        engine.execute("ROLLBACK")
        raise
    engine.execute("COMMIT")


def _storable(text: str) -> str:
    """Text that SQLite takes: names of files may be no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
