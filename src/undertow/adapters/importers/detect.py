"""Which format a file is in, told from what its first records hold; never from its name.

The first file of a folder or pattern that is recognised decides; all files of an import are one format.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from undertow.adapters.importers.files import Undecodable, container_of, expand, records
from undertow.adapters.importers.registry import IMPORTERS
from undertow.adapters.importers.result import Detection
from undertow.errors import LogError
from undertow.records.columns import LOG_COLUMNS

CANONICAL_KEYS = frozenset({"decision_id", "event_time", "tier"})
_OWN_KEYS = frozenset(column.name for column in LOG_COLUMNS)
READ_DIRECTLY = frozenset({"parquet", "jsonl"})
"""Containers that the engine reads without an import; canonical columns in a CSV or JSON array are imported as a plain table."""
CANONICAL = Detection("undertow", "columns decision_id, event_time and tier")
LOOKED_AT = 25
"""Records of a file that are looked at."""
FILES_LOOKED_AT = 40


def detect_format(path: str | Path) -> Detection:
    """The format of a file, folder or pattern.

    Raises:
        LogError: nothing there, or nothing in it is recognised; the message says what was seen.
    """
    seen: list[str] = []
    trouble: LogError | None = None
    for file in expand((str(path),))[:FILES_LOOKED_AT]:
        try:
            found, keys = _look(file)
        except LogError as error:
            trouble = trouble or error
            continue
        if found is not None:
            return found
        seen = seen or keys
    if not seen and trouble is not None:
        raise trouble
    what = (
        f"records with {', '.join(repr(k) for k in seen[:6])}"
        if seen
        else "nothing that could be decoded as an object or a table row"
    )
    raise LogError(
        f"{str(path)!r} is in no format that is known: it holds {what}; name the format with --format, or say what the columns mean in a mapping file (--map)"
    )


def _is_canonical_parquet(file: Path) -> bool:
    """Whether a Parquet file has the canonical columns; its footer says so, no row need be read."""
    if container_of(file).kind != "parquet":
        return False
    with duckdb.connect() as engine:
        try:
            names = engine.execute("SELECT name FROM parquet_schema(?)", [str(file)]).fetchall()
        except duckdb.Error:
            return False  # damaged: reading its records says in which way
    return {name for (name,) in names} >= CANONICAL_KEYS


def _look(file: Path) -> tuple[Detection | None, list[str]]:
    if _is_canonical_parquet(file):
        return CANONICAL, []
    keys: list[str] = []
    container = container_of(file).kind
    general: Detection | None = None
    for record in records(file, limit=LOOKED_AT):
        for part in record if isinstance(record, list) else (record,):
            if isinstance(part, Undecodable) or not isinstance(part, dict):
                continue
            keys = keys or [str(k)[:40] for k in part]
            if container in READ_DIRECTLY and (part.keys() >= CANONICAL_KEYS or _is_unserved(part)):
                return CANONICAL, keys
            found = recognise(part)
            if found is not None and found.format not in {"csv", "otel"}:
                return found, keys
            general = general or found
    return general, keys


def _is_unserved(record: Mapping[str, Any]) -> bool:
    """A record of Undertow's own for a request that no tier served: it leaves out what is null."""
    return record.keys() >= {"decision_id", "event_time", "status"} and record.keys() <= _OWN_KEYS


def recognise(record: Mapping[str, Any]) -> Detection | None:
    """The format of one record, or None."""
    for importer in IMPORTERS:
        why = importer.recognise(record)
        if why is not None:
            return Detection(importer.format, why)
    return None
