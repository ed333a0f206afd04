"""Where decisions and signals are written. Implemented by the local store and by the sinks of the in-process client."""

from typing import Protocol

from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord


class DecisionLog(Protocol):
    """Keeps decisions. Nothing here waits for a disk to sync, raises, or blocks on a full disk.

    A record that cannot be written is kept in bounded memory and tried again; one that does not fit there is counted as lost.
    """

    def begin(self, intent: Intent) -> None:
        """Write an intent, before the first upstream call. Returns once the operating system has it."""
        ...

    def finish(self, record: DecisionRecord) -> None:
        """Write the record, before the last byte of the answer. Settles the intent of the same id, if there was one."""
        ...

    @property
    def unsettled(self) -> int:
        """Intents whose record has not been written yet."""
        ...

    @property
    def waiting(self) -> int:
        """Records in memory that could not be written yet (disk full, unwritable)."""
        ...

    @property
    def lost(self) -> int:
        """Records that could not be kept since the process began."""
        ...


class SignalLog(Protocol):
    """Keeps signals, each id once."""

    def add(self, signals: tuple[SignalRecord, ...]) -> tuple[bool, ...]:
        """Keep signals durably enough that a caller may be told 202; for each, whether it was new (False: a known id).

        Raises:
            OSError: It could not be written; the caller must be told to send it again.
        """
        ...
