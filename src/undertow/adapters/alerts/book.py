"""The folder `state/alerts/` of a store: episodes, silences, what was told, and the outbox.

A message is on its way as one file of the outbox from before anything says that it was told until after `delivered.jsonl` says what became
of it. So a process may die at any point: the message is sent, at worst twice and then with the same id. One process delivers at a time.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import msgspec

from undertow.adapters.one_writer import alone, in_turn
from undertow.adapters.ownership import make_folders, open_or_make
from undertow.adapters.whole_file import PRIVATE, write_whole
from undertow.records.alert import (
    DELIVERED,
    EPISODES,
    OUTBOX,
    SILENCES,
    TOLD,
    Delivered,
    Delivery,
    Episodes,
    Silences,
    Told,
)
from undertow.records.unreadable import UNREADABLE

LOCK, DELIVERY_LOCK = "state/alerts/alerts.lock", "state/alerts/deliver.lock"
MAX_BYTES = 20_000_000
"""A larger file is none of ours."""
TAIL_BYTES = 1_000_000
"""So much of the end of `delivered.jsonl` is read: whatever waits was settled lately, if at all."""

Document = TypeVar("Document", Episodes, Silences, Told, Delivery)


class StoreAlertBook:
    """Implements `undertow.ports.alerts.AlertBook` in a local folder.

    Args:
        store: The store's root folder.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     book = StoreAlertBook(Path(folder))
        ...     (book.episodes().episodes, book.waiting(), book.set_aside)
        ((), (), 0)
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._set_aside = 0

    @property
    def set_aside(self) -> int:
        """Files that this process could not read and has set aside."""
        return self._set_aside

    def changing(self) -> AbstractContextManager[None]:
        """See `undertow.ports.alerts.AlertBook`."""
        return in_turn(self._store / LOCK)

    def delivering(self) -> AbstractContextManager[bool]:
        """See `undertow.ports.alerts.AlertBook`."""
        return alone(self._store / DELIVERY_LOCK)

    def episodes(self) -> Episodes:
        """All episodes that are open or lately closed."""
        return self._read(self._store / EPISODES, Episodes) or Episodes(at="")

    def told(self) -> Told:
        """What people were told."""
        return self._read(self._store / TOLD, Told) or Told()

    def silences(self) -> Silences:
        """All silences, those that have ended among them."""
        return self._read(self._store / SILENCES, Silences) or Silences()

    def write(
        self, *, episodes: Episodes | None = None, told: Told | None = None, silences: Silences | None = None
    ) -> None:
        """Replace what is given; only while `changing`.

        Raises:
            OSError: A file cannot be written; older ones are as they were.
        """
        for name, document in ((EPISODES, episodes), (SILENCES, silences), (TOLD, told)):
            if document is not None:
                self._write(self._store / name, document)

    def put(self, delivery: Delivery) -> bool:
        """Let a message wait for delivery; False: it waits or was settled already.

        Raises:
            OSError: It cannot be written.
        """
        path = self._path(delivery)
        if path.exists() or (delivery.message.id, delivery.channel) in self._settled():
            return False
        self._write(path, delivery)
        return True

    def waiting(self) -> tuple[Delivery, ...]:
        """What waits, oldest message first."""
        found = []
        for path in sorted((self._store / OUTBOX).glob("*.json")):
            delivery = self._read(path, Delivery)
            if delivery is not None and self._path(delivery) != path:
                self._put_aside(path)
            elif delivery is not None:
                found.append(delivery)
        if found:
            settled = self._settled()
            for delivery in [each for each in found if (each.message.id, each.channel) in settled]:
                self._path(delivery).unlink(missing_ok=True)
                found.remove(delivery)
        return tuple(sorted(found, key=lambda each: (each.message.at, each.message.id, each.channel)))

    def retry(self, delivery: Delivery) -> None:
        """Note a failed try.

        Raises:
            OSError: It cannot be written.
        """
        self._write(self._path(delivery), delivery)

    def settle(self, delivery: Delivery, line: Delivered) -> None:
        """Write down what became of a message, then forget that it waits.

        Raises:
            OSError: It cannot be written; the message still waits.
        """
        self.note(line)
        self._path(delivery).unlink(missing_ok=True)

    def note(self, line: Delivered) -> None:
        """Add a line to `delivered.jsonl`.

        Raises:
            OSError: It cannot be written.
        """
        path = self._store / DELIVERED
        make_folders(path.parent)
        fd = open_or_make(path, os.O_RDWR | os.O_APPEND, PRIVATE)
        with os.fdopen(fd, "rb+") as file:
            # What a process that died in a line left of it must not spoil this one.
            size = file.seek(0, os.SEEK_END)
            is_cut = size > 0 and file.seek(size - 1) >= 0 and file.read(1) != b"\n"
            file.write((b"\n" if is_cut else b"") + msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def history(self, longest: int) -> tuple[Delivered, ...]:
        """The latest lines, newest first; lines that are none are left out."""
        return tuple(reversed(self._lines()))[:longest]

    def _path(self, delivery: Delivery) -> Path:
        name = hashlib.sha256(f"{delivery.message.id}\x1f{delivery.channel}".encode()).hexdigest()[:24]
        return self._store / OUTBOX / f"{name}.json"

    def _settled(self) -> set[tuple[str, str]]:
        return {(line.message, line.channel) for line in self._lines() if line.channel}

    def _lines(self) -> Sequence[Delivered]:
        try:
            with (self._store / DELIVERED).open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
                file.seek(start)
                lines = file.read().split(b"\n")[1 if start else 0 :]
        except FileNotFoundError:
            return []
        found = []
        for line in filter(None, lines):
            try:
                found.append(msgspec.json.decode(line, type=Delivered))
            except UNREADABLE:
                continue
        return found

    def _read(self, path: Path, kind: type[Document]) -> Document | None:
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("too large")  # noqa: TRY301 (one way out for all that is none of ours)
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (ValueError, *UNREADABLE):
            self._put_aside(path)
            return None

    def _put_aside(self, path: Path) -> None:
        self._set_aside += 1
        path.replace(path.with_name(f"{path.name}.unreadable-{time.time_ns()}"))

    def _write(self, path: Path, document: Episodes | Silences | Told | Delivery) -> None:
        make_folders(path.parent)
        write_whole(path, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n", PRIVATE)
