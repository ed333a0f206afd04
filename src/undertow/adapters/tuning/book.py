"""The book of thresholds in a store's folder `state/`: what is in force, its history, and where each controller stands.

Whoever writes holds a lock that the kernel frees when its process ends. The history is written first: should the process die before the
rest is, the next run counts on from the version that stands there.
"""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from undertow.adapters.calibrations import read_states, write_states
from undertow.adapters.one_writer import alone
from undertow.adapters.whole_file import write_whole
from undertow.errors import ConfigError
from undertow.records.calibration import ThresholdStates
from undertow.records.runtime_files import THRESHOLDS
from undertow.records.tuning import HISTORY, LOCK, MEMORY, SCHEMA, TuningEntry, TuningMemory
from undertow.records.unreadable import UNREADABLE


class StoreBook:
    """Implements `undertow.ports.tuning.ThresholdBook` in a local folder.

    Args:
        store: The store's root folder.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     book = StoreBook(Path(folder))
        ...     with book.locked() as is_mine:
        ...         (is_mine, book.states(), book.history())
        (True, None, ())
    """

    def __init__(self, store: Path) -> None:
        self._thresholds, self._history, self._memory = store / THRESHOLDS, store / HISTORY, store / MEMORY
        self._lock = store / LOCK

    def locked(self) -> AbstractContextManager[bool]:
        """Keep all others from writing; False: another holds it.

        Raises:
            OSError: The store cannot be written.
        """
        return alone(self._lock)

    def states(self) -> ThresholdStates | None:
        """What is in force instead of what was calibrated; None: nothing.

        Raises:
            ConfigError: The file is there and cannot be used.
        """
        states, why = read_states(self._thresholds)
        if why is not None:
            raise ConfigError(
                f"{self._thresholds}: {why}; move it away, and `undertow tune --to VERSION` puts thresholds of the history in force again"
            )
        return states

    def memory(self) -> TuningMemory | None:
        """Where each controller stands; None: none has begun.

        Raises:
            ConfigError: The file is there and cannot be used.
        """
        try:
            memory = msgspec.json.decode(self._memory.read_bytes(), type=TuningMemory)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            raise ConfigError(
                f"{self._memory}: is no memory of controllers ({error}); move it away, and they begin anew"
            ) from None
        if memory.schema != SCHEMA:
            raise ConfigError(
                f"{self._memory}: is of schema {memory.schema[:60]!r}; this version reads {SCHEMA!r}; move it away, and controllers begin anew"
            )
        return memory

    def history(self) -> tuple[TuningEntry, ...]:
        """All changes, oldest first; a last line that a dying process cut is left out.

        Raises:
            ConfigError: A line before the last is no entry.
        """
        try:
            lines = self._history.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entries.append(msgspec.json.decode(line, type=TuningEntry))
            except UNREADABLE as error:
                if number == len(lines):
                    break
                raise ConfigError(f"{self._history}, line {number}: no entry of the history ({error})") from None
        return tuple(entries)

    def write(self, states: ThresholdStates | None, memory: TuningMemory, entries: Sequence[TuningEntry]) -> None:
        """Note a run. `states` None: what is in force has not changed.

        Raises:
            OSError: A file cannot be written.
        """
        self._thresholds.parent.mkdir(parents=True, exist_ok=True)
        if entries:
            self._append(entries)
        write_whole(self._memory, msgspec.json.format(msgspec.json.encode(memory), indent=1) + b"\n")
        if states is not None:
            write_states(self._thresholds, states)

    def _append(self, entries: Sequence[TuningEntry]) -> None:
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with self._history.open("ab+") as file:
            file.seek(0)
            # What a process that died in a line left of it is no entry, and would spoil the next.
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
