"""The outcomes that were pulled into a store, read back from its signals: what the index is made from when it is lost."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal
from undertow.adapters.store.layout import OPEN, OPEN_FOLDER, SEALED, list_segments
from undertow.records.columns import SIGNAL_COLUMNS
from undertow.records.outcome import SOURCE_PREFIX, KnownOutcome
from undertow.records.signal import SignalRecord
from undertow.records.unreadable import UNREADABLE

MEMORY_LIMIT = "512MB"
BATCH = 1_000


def pulled_signals(store: Path) -> Iterator[KnownOutcome]:
    """Each revision of each pulled signal, one at a time and in no order. A segment and its Parquet file may both give one.

    Args:
        store: The store's root folder; one without signals has none.

    Raises:
        OSError: A segment cannot be read.
    """
    folder = store / "signals"
    # Segments first: what a keeper files meanwhile is met again in Parquet.
    for record in chain(_in_segments(folder), _in_parquet(folder)):
        yield KnownOutcome(record=record)


def _in_segments(folder: Path) -> Iterator[SignalRecord]:
    decoder = msgspec.json.Decoder(SignalRecord)
    wanted = f'"source":"{SOURCE_PREFIX}'.encode()
    for ending in (SEALED, OPEN):
        for _, path in list_segments(folder / OPEN_FOLDER, ending):
            try:
                lines = path.open("rb")
            except FileNotFoundError:
                continue  # filed meanwhile
            with lines:
                for line in lines:
                    if wanted not in line:
                        continue
                    try:
                        yield decoder.decode(line)
                    except UNREADABLE:
                        continue  # a line that is being written, or damaged: the audit counts it


def _in_parquet(folder: Path) -> Iterator[SignalRecord]:
    paths = [path for path in sorted(folder.glob("date=*/*.parquet")) if not path.name.startswith(".")]
    if not paths:
        return
    engine = open_engine(MEMORY_LIMIT, 1, None)
    try:
        for path in paths:
            source = f"read_parquet({literal(exact_glob(str(path)))}, hive_partitioning = false)"
            try:
                present = {str(row[0]) for row in engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
                names = [column.name for column in SIGNAL_COLUMNS if column.name in present]
                columns = ", ".join(_as_written(name) for name in names)
                cursor = engine.execute(
                    f"SELECT {columns} FROM {source} WHERE starts_with(source, {literal(SOURCE_PREFIX)})"
                )
                while rows := cursor.fetchmany(BATCH):
                    yield from (_record(dict(zip(names, row, strict=True))) for row in rows)
            except duckdb.Error:
                continue  # damaged, or another tool's: the audit tells
    finally:
        engine.close()


def _as_written(name: str) -> str:
    if name in {"event_time", "received_at"}:
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%gZ') AS {name}"
    return identifier(name)


def _record(row: dict[str, Any]) -> SignalRecord:
    return SignalRecord(**{name: value for name, value in row.items() if value is not None})
