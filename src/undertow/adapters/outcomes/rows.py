"""Foreign records -> rows of outcomes in canonical columns, by the importers that `undertow audit --outcomes` uses.

What those leave out because a file is read once is kept here, since a source is read again and again: rows that say that an outcome was
deleted, when a row was last changed, amounts as they stand with their currency, and what tells one row from another.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.importers.fields import TRUE_WORDS, BadTime, Fields, first, stamp
from undertow.adapters.importers.files import Undecodable
from undertow.adapters.importers.importer import Reading
from undertow.adapters.importers.mapping import MappingFile
from undertow.adapters.importers.outcomes import VALUE_COLUMNS, kind_of, rows
from undertow.adapters.importers.rows import Rejected
from undertow.adapters.importers.tables import plain
from undertow.errors import LogError
from undertow.joins.outcomes import IDS
from undertow.records.outcome import OutcomeRow
from undertow.records.serving import SourcePlan

BATCH = 1_000
"""Rows that are settled in one go."""

DELETED = ("deleted", "is_deleted", "fivetran_deleted")
"""Columns that say of a row, by a word for true, that its outcome did not happen after all. A status `cancelled` may be the outcome itself."""

CHANGED = ("updated_at", "modified_at", "last_modified")
CURRENCIES = ("currency", "currency_code")
ROW_IDS = ("id", "event_id")

PAGES = ("tickets", "conversations", "satisfaction_ratings")
"""Keys under which a page of an API holds its records."""

PRODUCTS: Mapping[str, tuple[str, ...]] = {
    "zendesk": ("zendesk_tickets", "zendesk_csat"),
    "intercom": ("intercom_conversations",),
}
MOST_CELLS = 1_000
"""Columns of a record; more is no table of outcomes."""


def numbered(record: Any, number: int) -> str:  # noqa: ARG001 (one signature for both)
    """Key of a row of a file, whose rows keep their places."""
    return str(number)


def row_hash(record: Any) -> str:
    """SHA-256 of a record, whatever the order of its columns, in hex.

    Examples:
        >>> row_hash({"a": 1, "b": None}) == row_hash({"b": None, "a": 1})
        True
    """
    try:
        content = msgspec.json.encode(record, order="sorted", enc_hook=str)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        content = repr(record).encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()


class RowReader:
    """Reads the records of one place; what they are is told from the first.

    Args:
        plan: Of the source. An outcome that neither it nor the rows name is called as the source.
        place: Its name, for messages.
        key: Makes the key of a row from its record and number.
    """

    def __init__(
        self, plan: SourcePlan, place: str, key: Callable[[Any, int], str] = numbered
    ) -> None:  # fmt: skip
        self._plan, self._place, self._key = plan, place, key
        self._stem = plan.outcome or plan.name
        mapped = {column: column for column in plan.columns if column in (*IDS, "event_time")}
        self._reading = Reading(Fields(plan.timezone), frozenset(), MappingFile(columns=mapped))
        self._kind: str | None = None

    def batches(self, records: Iterable[Any]) -> Iterator[list[OutcomeRow]]:
        """Rows of all records, a batch at a time.

        Args:
            records: Decoded records, or `Undecodable`.

        Raises:
            LogError: The first record shows that this is no table of outcomes.
        """
        batch: list[OutcomeRow] = []
        for number, record in enumerate(_unwrapped(records), 1):
            batch.extend(self._rows(record, number))
            if len(batch) >= BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _rows(self, record: Any, number: int) -> Iterator[OutcomeRow]:
        key = self._key(record, number)
        if isinstance(record, Undecodable):
            yield OutcomeRow(number, key, reason=record.reason)
            return
        if not isinstance(record, dict) or len(record) > MOST_CELLS:
            yield OutcomeRow(number, key, reason="not_an_object")
            return
        named = self._renamed({name: cell for name, cell in record.items() if isinstance(name, str)})
        if self._kind is None:
            self._kind = self._recognised(named)
            self._reading.fields.naive_is_utc = self._kind.startswith(("zendesk", "intercom"))
        for place, row in enumerate(self._read(named, number, key)):
            yield row if place == 0 else replace(row, key=f"{row.key}/{place}")

    def _renamed(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with the columns that the source names, under the canonical names."""
        given = {column: record.get(name) for column, name in self._plan.columns.items() if name in record}
        return record | given

    def _recognised(self, record: Mapping[str, Any]) -> str:
        try:
            kind = kind_of(record, self._reading.mapping, Path(self._place))
        except LogError:
            # The importer's sentence names columns, and a table without a header has somebody's values there.
            raise LogError(
                f"{self._place}: none of its {len(record)} columns is a time, or none is a user, conversation or decision id, by name; "
                f'name them in [sources.{self._plan.name}] columns, such as columns = {{ user_id = "customer" }}'
            ) from None
        expected = PRODUCTS.get(self._plan.kind)
        if expected is not None and kind not in expected:
            raise LogError(
                f"{self._place}: is no export of {self._plan.kind} (its columns are not those of tickets, ratings or conversations); "
                'use kind = "files" for other tables'
            )
        return kind

    def _read(self, record: dict[str, Any], number: int, key: str) -> Iterator[OutcomeRow]:
        """Rows of a record; its kind is known."""
        kind = self._kind or ""
        names = {plain(name): name for name in reversed(list(record))}
        is_deleted = self._is_deleted(record, names)
        # What changes when a row is changed or deleted is no part of what tells it from others.
        left_out = {names[name] for name in (*DELETED, *CHANGED) if name in names}
        kept = {name: cell for name, cell in record.items() if name not in left_out}
        identity = self._reading.fields.text(first(kept, *(names[name] for name in ROW_IDS if name in names)))
        if kind.startswith(("zendesk", "intercom")):
            if identity is None:
                yield OutcomeRow(number, key, reason="missing_row_id", column="id")
                return
            # The importer leaves deleted tickets out: here they may take back what was counted.
            kept |= {"status": "closed"} if is_deleted and kind == "zendesk_tickets" else {}
        value = None
        if kind == "events":
            column = next((names[name] for name in VALUE_COLUMNS if name in names and names[name] in kept), None)
            value = 1.0 if column is None else kept[column]
            identity = identity or row_hash(kept)[:24]
            kept = {name: cell for name, cell in kept.items() if name != column}
        yield from self._made(kept, kind, number, key, identity, value, is_deleted, self._told(record, names))

    def _made(
        self,
        record: dict[str, Any],
        kind: str,
        number: int,
        key: str,
        identity: str | None,
        value: Any,
        is_deleted: bool,
        told: tuple[str | None, str | None],
    ) -> Iterator[OutcomeRow]:
        for found in rows(record, kind, self._stem, self._reading):
            if isinstance(found, Rejected):
                if not is_deleted:
                    yield OutcomeRow(number, key, reason=found.reason)
                    continue
                # A deletion need not repeat the row: its id is enough, where the outcome is known.
                prefix = "zendesk.ticket" if kind == "zendesk_tickets" else f"outcomes.{self._stem}"
                columns: dict[str, Any] = {"signal_id": f"{prefix}/{identity}"}
            else:
                columns = dict(found.row)
                if kind == "events":
                    columns |= {"signal_id": f"outcomes.{columns['name']}/{identity}", "value": value}
                elif kind == "churn":
                    # A table of customers is exported with more columns each month; who went when stays.
                    who = next((columns[column] for column in IDS if column in columns), "")
                    columns["signal_id"] = f"churn/{identity or f'{who}/' + columns['event_time']}"
                if columns.get("value") is None and not is_deleted:
                    yield OutcomeRow(number, key, reason="missing_value", column="value")
                    continue
            currency, version = told
            yield OutcomeRow(number, key, columns, currency, version, is_deleted)

    def _is_deleted(self, record: Mapping[str, Any], names: Mapping[str, str]) -> bool:
        words = [self._reading.fields.text(record[names[name]]) for name in DELETED if name in names]
        if self._kind == "zendesk_tickets":
            status = self._reading.fields.text(record.get("status"))
            words.append("true" if status == "deleted" else None)
        return any(word is not None and word.lower() in TRUE_WORDS for word in words)

    def _told(self, record: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str | None, str | None]:
        """Currency and version of a record, where it names them."""
        fields = self._reading.fields
        currency = fields.text(first(record, *(names[name] for name in CURRENCIES if name in names)))
        changed = first(record, *(names[name] for name in CHANGED if name in names))
        try:
            return currency, None if changed is None else stamp(fields.time(changed))
        except BadTime:
            return currency, None


def _unwrapped(records: Iterable[Any]) -> Iterator[Any]:
    """Records, those of an API's pages one by one."""
    for record in records:
        pages = (
            [record[name] for name in PAGES if isinstance(record.get(name), list)] if isinstance(record, dict) else []
        )
        if pages:
            yield from pages[0]
        else:
            yield record
