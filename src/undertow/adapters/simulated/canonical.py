"""Writing canonical files: columns of `undertow.records.columns`, given as arrays and SQL expressions, to Parquet.

A writer says how each canonical column follows from its own arrays; columns that it does not name are null. So every file
has all columns with the right types, whoever wrote it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from undertow.errors import UsageError
from undertow.records.columns import DECISION_COLUMNS, DRAW_COLUMNS, SIGNAL_COLUMNS, Column

FOLDERS: tuple[str, ...] = ("decisions", "signals", "draws", "outcomes")
"""Folders of a store that a writer may replace."""

NOTES: tuple[str, ...] = ("README.md", "truth.json", "undertow.toml")


def quoted(text: str) -> str:
    """A text as an SQL literal.

    Examples:
        >>> quoted("where's it")
        "'where''s it'"
    """
    return "'" + text.replace("'", "''") + "'"


def listed(texts: tuple[str, ...] | list[str]) -> str:
    """Texts as an SQL list literal, to be indexed from 1."""
    return "[" + ", ".join(quoted(text) for text in texts) + "]"


def prepare_folder(out: Path, *, overwrite: bool) -> None:
    """Make a store's root folder, empty of what a writer is about to write.

    Raises:
        UsageError: The folder holds files and `overwrite` is off, or files that are no store's and it is on.
    """
    if out.exists() and not out.is_dir():
        msg = f"{str(out)!r} is a file; --out takes a folder that does not exist yet or is empty"
        raise UsageError(msg)
    present = sorted(entry.name for entry in out.iterdir()) if out.exists() else []
    if present and not overwrite:
        msg = f"{str(out)!r} is not empty ({present[0]!r} is in it); choose another --out, or replace the log with --overwrite"
        raise UsageError(msg)
    foreign = [name for name in present if name not in {*FOLDERS, *NOTES}]
    if foreign:
        msg = f"{str(out)!r} holds {foreign[0]!r}, which is no part of a simulated log; choose another --out"
        raise UsageError(msg)
    for folder in FOLDERS:
        for path in sorted((out / folder).rglob("*.parquet")):
            path.unlink()
    for name in NOTES:
        (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def connect() -> duckdb.DuckDBPyConnection:
    """A connection for one writing thread: a single thread keeps rows in the order of their arrays."""
    return duckdb.connect(config={"threads": "1"})


def write_rows(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    columns: tuple[Column, ...],
    arrays: Mapping[str, Any],
    expressions: Mapping[str, str],
) -> None:
    """Write one canonical Parquet file.

    Args:
        connection: From `connect`.
        path: The file; its folder is made.
        columns: Canonical columns, in order.
        arrays: NumPy arrays of one length, which the expressions see as columns of the same names.
        expressions: Canonical column -> SQL expression over the arrays. Columns not named are null.
    """
    unknown = expressions.keys() - {column.name for column in columns}
    assert not unknown, f"no canonical columns: {sorted(unknown)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    selected = ", ".join(
        f'CAST({expressions.get(column.name, "NULL")} AS {column.sql_type}) AS "{column.name}"' for column in columns
    )
    connection.register("rows", dict(arrays))
    try:
        connection.execute(
            f"COPY (SELECT {selected} FROM rows) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )
    finally:
        connection.unregister("rows")


def write_decisions(
    connection: duckdb.DuckDBPyConnection, path: Path, arrays: Mapping[str, Any], expressions: Mapping[str, str]
) -> None:
    """Write rows of the decision log; see `write_rows`."""
    write_rows(connection, path, DECISION_COLUMNS, arrays, expressions)


def write_signals(
    connection: duckdb.DuckDBPyConnection, path: Path, arrays: Mapping[str, Any], expressions: Mapping[str, str]
) -> None:
    """Write signals or outcome events; see `write_rows`."""
    write_rows(connection, path, SIGNAL_COLUMNS, arrays, expressions)


def write_draws(
    connection: duckdb.DuckDBPyConnection, path: Path, arrays: Mapping[str, Any], expressions: Mapping[str, str]
) -> None:
    """Write draws; see `write_rows`."""
    write_rows(connection, path, DRAW_COLUMNS, arrays, expressions)
