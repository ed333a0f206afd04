"""Rows of a Parquet file that nobody vouches for: a small file can hold a few texts of many megabytes a million times over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal
from undertow.adapters.importers.files import fetched
from undertow.errors import LogError

MEMORY_LIMIT = "512MB"
BATCH = 256
MAX_COLUMNS = 500
MAX_CHARS = 8_192
"""Of one cell; longer ones are cut, which no id that is allowed is."""

_PLAIN = (
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
)
_NUMBERS = ("DECIMAL", "HUGEINT", "UHUGEINT")


def parquet_records(path: Path, name: str) -> Iterator[Any]:
    """Rows as dicts: times as text, with their offset where they have a zone; nested values as JSON text.

    Args:
        path: The file.
        name: Its name, for messages.

    Raises:
        LogError: It is damaged, or has too many columns.
    """
    source = f"read_parquet({literal(exact_glob(str(path)))}, hive_partitioning = false)"
    engine = open_engine(MEMORY_LIMIT, 1, path.parent)
    try:
        try:
            engine.execute("SET preserve_insertion_order = true")
            described = engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            if len(described) > MAX_COLUMNS:
                raise LogError(f"{name}: has {len(described):,} columns; at most {MAX_COLUMNS} are read")
            columns = ", ".join(_column(str(row[0]), str(row[1])) for row in described)
            cursor = engine.execute(f"SELECT {columns} FROM {source}")
        except duckdb.Error as error:
            raise LogError(f"{name}: cannot be read as Parquet ({type(error).__name__}); write it again") from None
        yield from fetched(cursor, [str(row[0]) for row in described], BATCH)
    finally:
        engine.close()


def _column(name: str, kind: str) -> str:
    raw = identifier(name)
    if kind in _PLAIN:
        return raw
    if kind.startswith(_NUMBERS) and "[" not in kind:
        return f"CAST({raw} AS DOUBLE) AS {raw}"
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    text = f"CAST(to_json({raw}) AS VARCHAR)" if nested else f"CAST({raw} AS VARCHAR)"
    return f"left({text}, {MAX_CHARS}) AS {raw}"
