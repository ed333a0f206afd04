"""Rows of a folder, of which only what has changed is read again: a reviewer should not wait between two items."""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from undertow.adapters.store.layout import OPEN, SEALED, list_segments
from undertow.records.unreadable import UNREADABLE

Row = TypeVar("Row", bound=msgspec.Struct)


class RowCache(Generic[Row]):
    """The rows of one folder of a store.

    Segments only ever grow, get another ending, or go away as a whole: one of the same name and size has the same rows.

    Args:
        folder: The folder; one that is missing has no rows.
        type_: What a row is.
    """

    def __init__(self, folder: Path, type_: type[Row]) -> None:
        self._folder = folder
        self._decoder = msgspec.json.Decoder(type_)
        self._known: dict[str, tuple[int, tuple[Row, ...], int]] = {}

    def read(self) -> tuple[tuple[Row, ...], int]:
        """All rows as they are now, in the order of their segments, and how many lines are none.

        Raises:
            OSError: A segment cannot be read.
        """
        found = {name.text: path for ending in (SEALED, OPEN) for name, path in list_segments(self._folder, ending)}
        self._known = {stem: self._segment(stem, found[stem]) for stem in sorted(found)}
        rows = tuple(row for _, own, _ in self._known.values() for row in own)
        return rows, sum(broken for _, _, broken in self._known.values())

    def _segment(self, stem: str, path: Path) -> tuple[int, tuple[Row, ...], int]:
        known = self._known.get(stem, (-1, (), 0))
        try:
            if path.stat().st_size == known[0]:
                return known
            content = path.read_bytes()
        except FileNotFoundError:  # sealed or removed since it was listed
            sealed = path.with_name(stem + SEALED)
            if not sealed.exists():
                return 0, (), 0
            content = sealed.read_bytes()
        rows: list[Row] = []
        broken = 0
        for line in content.split(b"\n")[:-1]:
            try:
                rows.append(self._decoder.decode(line))
            except UNREADABLE:
                broken += 1
        return len(content), tuple(rows), broken
