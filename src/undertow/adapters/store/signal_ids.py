"""The ids of signals that the store has, shared by all processes that write to it.

A small SQLite file in WAL mode. It is an index, not the signals: if it is lost or damaged a repeated signal may be kept twice,
which the reader drops by its id.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

KEPT_S = 90 * 86_400
PRUNED_AT_ONCE = 1_000
PRUNE_EVERY_S = 10.0
BUSY_S = 2.0


class SignalIds:
    """A set of ids that several processes add to. For one thread at a time. Opened with the first use, after any fork.

    Args:
        path: The file.
        clock: Seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._engine: sqlite3.Connection | None = None
        self._prune_at = 0.0

    @contextmanager
    def exclusively(self) -> Iterator["SignalIds"]:
        """No other process looks up or adds an id meanwhile. What was added holds if the block ends without an error.

        Raises:
            OSError: The file cannot be opened, read or written, or is held by others for too long.
        """
        import sqlite3  # noqa: PLC0415 - only those who take signals pay for it

        try:
            engine = self._open()
            engine.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._forget(error)
            raise OSError(f"{self._path.name}: {error}") from error
        try:
            yield self
            self._prune(engine)
            engine.execute("COMMIT")
        except sqlite3.Error as error:
            self._forget(error)
            raise OSError(f"{self._path.name}: {error}") from error
        except BaseException:
            engine.execute("ROLLBACK")
            raise

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are in the set. Only within `exclusively`."""
        assert self._engine is not None, "within `exclusively`"
        find = self._engine.execute
        return {key for key in ids if find("SELECT 1 FROM ids WHERE id = ?", (key,)).fetchone()}

    def add(self, ids: Sequence[str]) -> None:
        """Add ids that are not in the set. Only within `exclusively`."""
        assert self._engine is not None, "within `exclusively`"
        at = int(self._clock())
        self._engine.executemany("INSERT OR IGNORE INTO ids (id, at) VALUES (?, ?)", [(key, at) for key in ids])

    def close(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _open(self) -> "sqlite3.Connection":
        if self._engine is not None:
            return self._engine
        import sqlite3  # noqa: PLC0415 - see above

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(
            0o640
        )  # as of segments: ids may be those of a ticket system; SQLite's other files take after it
        engine = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            engine.execute("PRAGMA journal_mode = WAL")
            # The last ids may be forgotten when power is lost; a full sync for each signal would cost far more than that.
            engine.execute("PRAGMA synchronous = NORMAL")
            engine.execute("CREATE TABLE IF NOT EXISTS ids (id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL)")
        except sqlite3.Error:
            engine.close()
            raise
        self._engine = engine
        return engine

    def _prune(self, engine: "sqlite3.Connection") -> None:
        """Forget ids older than `KEPT_S`, a bounded number at a time. Rows are in the order in which they were added."""
        now = self._clock()
        if now < self._prune_at:
            return
        self._prune_at = now + PRUNE_EVERY_S
        engine.execute(
            "DELETE FROM ids WHERE rowid IN (SELECT rowid FROM (SELECT rowid, at FROM ids ORDER BY rowid LIMIT ?) WHERE at < ?)",
            (PRUNED_AT_ONCE, int(now - KEPT_S)),
        )

    def _forget(self, error: Exception) -> None:
        """Close after an error, so that the next call starts anew; a file that is no database is put aside."""
        import sqlite3  # noqa: PLC0415 - see above

        self.close()
        if type(error) is sqlite3.DatabaseError:  # its kinds are other troubles: locked, full, misused
            aside = self._path.with_name(f"{self._path.name}.damaged-{int(self._clock())}")
            for tail in ("-wal", "-shm"):
                self._path.with_name(self._path.name + tail).unlink(missing_ok=True)
            if self._path.exists():
                self._path.rename(aside)
