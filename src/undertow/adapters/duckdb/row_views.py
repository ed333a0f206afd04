"""Rows of a log as they lie in its files, typed and nothing more: for a look at single ones, not for counting.

An audit checks every value of every row and counts what it sets aside. Whoever looks at one row wants it as it is, soon; a value that is not of its
column's type is null here.
"""

from collections.abc import Sequence

import duckdb

from undertow.adapters.duckdb.inputs import LogFile
from undertow.adapters.duckdb.line_sieve import BLOCK, LINE_LIMIT
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal, literals
from undertow.records.columns import Column

MAX_LINE_BYTES = LINE_LIMIT + BLOCK
"""The longest line that an audit ever lets through; a longer one is left out here as there, where it is counted."""


def rows_sql(engine: duckdb.DuckDBPyConnection, files: Sequence[LogFile], columns: Sequence[Column]) -> str | None:
    """A table expression for the rows of some files with all of the columns, or None: there are no files.

    Args:
        engine: Looks into the files.
        files: Parquet and JSON lines.
        columns: What is selected; a column that a file lacks is null.

    Raises:
        duckdb.Error: A file cannot be read.
    """
    parts = []
    parquet = [exact_glob(file.path) for file in files if file.kind == "parquet"]
    if parquet:
        source = f"read_parquet([{literals(parquet)}], union_by_name = true, hive_partitioning = false)"
        described = dict(row[:2] for row in engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall())
        typed = ", ".join(f"{_typed(each, described.get(each.name))} AS {identifier(each.name)}" for each in columns)
        parts.append(f"SELECT {typed} FROM {source}")
    lines = [exact_glob(file.path) for file in files if file.kind == "jsonl"]
    if lines:
        shape = ", ".join(f'"{each.name}": "{_in_lines(each)}"' for each in columns)
        typed = ", ".join(f"{_typed(each, _in_lines(each), 'r.')} AS {identifier(each.name)}" for each in columns)
        # As text first: a reader of JSON gives up a file for one line that is too long, and takes more memory to find that out.
        text = (
            f"read_csv([{literals(lines)}], delim = '\x01', quote = '', escape = '', header = false, columns = {{'line': 'VARCHAR'}}, "
            f"auto_detect = false, strict_mode = false, null_padding = true, new_line = '\\n', max_line_size = {MAX_LINE_BYTES}, ignore_errors = true)"
        )
        # CASE, because nothing else keeps the engine from parsing a line before it is known to be JSON.
        is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
        parsed = f"SELECT CASE WHEN {is_object} THEN from_json(line, {literal(f'{{{shape}}}')}) END AS r FROM {text}"
        parts.append(f"SELECT {typed} FROM ({parsed}) WHERE r IS NOT NULL")
    return f"({' UNION ALL '.join(parts)})" if parts else None


def _in_lines(column: Column) -> str:
    return "VARCHAR" if column.sql_type == "TIMESTAMP" else column.sql_type


def _typed(column: Column, found: str | None, of: str = "") -> str:
    """An expression of the column's own type."""
    name = f"{of}{identifier(column.name)}"
    if found is None:
        return f"CAST(NULL AS {column.sql_type})"
    if found == column.sql_type:
        return name
    if column.sql_type == "TIMESTAMP":
        if found.startswith("TIMESTAMP"):
            return f"CAST({name} AS TIMESTAMP)"
        # Text without a zone is UTC, as the session is.
        return f"CAST(TRY_CAST(CAST({name} AS VARCHAR) AS TIMESTAMPTZ) AS TIMESTAMP)"
    if column.sql_type.startswith("MAP("):
        return f"TRY_CAST(TRY_CAST({name} AS JSON) AS {column.sql_type})"
    return f"TRY_CAST({name} AS {column.sql_type})"
