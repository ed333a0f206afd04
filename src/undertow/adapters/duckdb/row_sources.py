"""Row sources: what a statement can read rows from, with what is known of each column beforehand.

Parquet files with the same columns are one source, read in place. JSON lines are first staged into a table of the engine
(its own compressed storage, which spills to disk), as text: what a value means is decided by the same rules as for every
other source.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from undertow.adapters.duckdb.inputs import LogFile
from undertow.adapters.duckdb.line_sieve import SieveReport, spool_lines
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal, literals
from undertow.adapters.duckdb.typing_rules import ColumnFacts
from undertow.records.columns import CALLS_SQL_TYPE, Column

FILE_COLUMN, ROW_COLUMN, ROLE_COLUMN = "undertow_file", "undertow_row", "undertow_role"
CALLS_JSON = (
    '[{"tier":"VARCHAR","model":"VARCHAR","purpose":"VARCHAR","input_tokens":"BIGINT","cached_tokens":"BIGINT",'
    '"output_tokens":"BIGINT","reasoning_tokens":"BIGINT","cost_usd":"DOUBLE","latency_ms":"DOUBLE","status":"VARCHAR"}]'
)
_UNREAD_COLUMNS = {"response"}
STAGED_PROMPT_CHARS = 4_000
"""Of a prompt in JSON lines the last characters are kept: enough for what was asked last."""

_MAP_COLUMNS = {"segment", "features"}


@dataclass(frozen=True, slots=True)
class RowSource:
    """Something rows are read from.

    Attributes:
        from_sql: Table expression.
        facts: What is known of each canonical column that the source has.
        file_sql: Expression for the row's file.
        row_sql: Expression for the row's place in it: the line number, or the row number from 0.
        role: What the files were given as.
        rows: Number of rows, or None when it takes a scan to know.
    """

    from_sql: str
    facts: dict[str, ColumnFacts]
    file_sql: str
    row_sql: str
    role: str
    rows: int | None
    files: tuple[str, ...]

    @property
    def is_staged(self) -> bool:
        """Whether the rows are in a table of text that the engine holds."""
        return not self.from_sql.startswith("read_parquet")


@dataclass(slots=True)
class Intake:
    """Sources of one table with what was set aside on the way to them."""

    sources: list[RowSource] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kept_back: list[tuple[str, int, str]] = field(default_factory=list)
    """(file, line, reason) of lines that never became rows."""

    def count(self, reason: str, n: int = 1) -> None:
        """Add to a reason."""
        self.reasons[reason] = self.reasons.get(reason, 0) + n


def parquet_sources(
    engine: duckdb.DuckDBPyConnection, files: tuple[LogFile, ...], columns: tuple[Column, ...], intake: Intake
) -> None:
    """Add sources for Parquet `files` to `intake`; files whose footer cannot be read are set aside."""
    groups: dict[tuple[object, ...], list[LogFile]] = {}
    for file in files:
        try:
            described = engine.execute(
                f"DESCRIBE SELECT * FROM read_parquet({literal(exact_glob(file.path))}, hive_partitioning = false)"
            ).fetchall()
        except duckdb.Error:
            intake.count("unreadable_file")
            intake.notes.append(f"{file.path}: damaged Parquet file, set aside; write it again")
            continue
        schema = tuple((row[0], row[1]) for row in described)
        groups.setdefault((schema, file.role, tuple(key for key, _ in file.hive)), []).append(file)
    for (schema, role, hive), members in groups.items():
        intake.sources.append(_parquet_source(engine, dict(schema), str(role), tuple(hive), members, columns))  # type: ignore[call-overload]


def _parquet_source(
    engine: duckdb.DuckDBPyConnection,
    schema: dict[str, str],
    role: str,
    hive: tuple[str, ...],
    members: list[LogFile],
    columns: tuple[Column, ...],
) -> RowSource:
    paths = [exact_glob(file.path) for file in members]
    statistics = _parquet_statistics(engine, paths)
    facts: dict[str, ColumnFacts] = {}
    for column in columns:
        if column.name in schema:
            known = statistics.get(column.name)
            facts[column.name] = ColumnFacts(schema[column.name], *known) if known else ColumnFacts(schema[column.name])
        elif column.name in hive:
            facts[column.name] = ColumnFacts("VARCHAR")
    from_hive = any(key in facts and key not in schema for key in hive)
    options = "hive_partitioning = true, hive_types_autocast = false" if from_hive else "hive_partitioning = false"
    rows = engine.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata([{literals(paths)}])").fetchone()
    return RowSource(
        from_sql=f"read_parquet([{literals(paths)}], filename = '{FILE_COLUMN}', {options})",
        facts=facts,
        file_sql=FILE_COLUMN,
        row_sql="file_row_number",
        role=role,
        rows=int(rows[0]) if rows and rows[0] is not None else 0,
        files=tuple(file.path for file in members),
    )


def _parquet_statistics(
    engine: duckdb.DuckDBPyConnection, paths: list[str]
) -> dict[str, tuple[int | None, int, str | None, str | None, bool]]:
    """Per top-level column: nulls, values, smallest, largest, no NaN; over all row groups of all files."""
    found = engine.execute(
        f"""
        SELECT path_in_schema,
               CASE WHEN count(stats_null_count) = count(*) THEN CAST(sum(stats_null_count) AS BIGINT) END,
               CAST(sum(num_values) AS BIGINT),
               count(*) FILTER (WHERE stats_min_value IS NULL AND stats_null_count IS DISTINCT FROM num_values) = 0,
               min(stats_min_value), max(stats_max_value),
               min(TRY_CAST(stats_min_value AS DOUBLE)), max(TRY_CAST(stats_max_value AS DOUBLE)),
               count(stats_nan_count) = count(*) AND sum(stats_nan_count) = 0, any_value(type)
        FROM parquet_metadata([{literals(paths)}])
        WHERE NOT contains(path_in_schema, ', ')
        GROUP BY path_in_schema
        """
    ).fetchall()
    result: dict[str, tuple[int | None, int, str | None, str | None, bool]] = {}
    for name, nulls, values, bounded, low, high, low_number, high_number, no_nan, physical in found:
        if physical in {"INT32", "INT64", "FLOAT", "DOUBLE"} and low_number is not None:
            low, high = repr(low_number), repr(high_number)  # noqa: PLW2901
        if not bounded:
            low = high = None  # noqa: PLW2901
        result[name] = (nulls, values, low, high, bool(no_nan))
    return result


def jsonl_source(
    engine: duckdb.DuckDBPyConnection,
    files: tuple[LogFile, ...],
    columns: tuple[Column, ...],
    table: str,
    spool_dir: Path,
    intake: Intake,
    on_file: Callable[[str], None],
) -> None:
    """Stage JSON-lines `files` into the engine's table `table` and add it to `intake`, if any line is usable."""
    wanted = [column for column in columns if column.name not in _UNREAD_COLUMNS]
    staged_types = {column.name: _staged_type(column) for column in wanted}
    definition = ", ".join(f"{identifier(name)} {kind}" for name, kind in staged_types.items())
    engine.execute(f"CREATE TEMP TABLE {table} ({definition}, {FILE_COLUMN} VARCHAR, {ROW_COLUMN} BIGINT)")
    shape = ", ".join(f'"{column.name}":{_json_shape(column)}' for column in wanted)
    cut = {"prompt": f"right(r.prompt, {STAGED_PROMPT_CHARS})"}
    names = ", ".join(cut.get(name, f"r.{identifier(name)}") for name in staged_types)
    roles = {file.role for file in files}
    assert len(roles) == 1, "one staging table a role"
    for file in files:
        on_file(file.path)
        report = SieveReport()
        for spool, first_line in spool_lines(file.path, spool_dir, report, is_live=file.is_live):
            try:
                _stage_spool(engine, spool, table, names, "{" + shape + "}", file.path, first_line, intake)
            finally:
                spool.unlink(missing_ok=True)
        for reason, count in report.reasons.items():
            intake.count(reason, count)
        intake.notes.extend(report.notes)
        intake.kept_back.extend((file.path, line, reason) for line, reason in report.lines)
    counts = engine.execute(
        f"SELECT count(*), {', '.join(f'count({identifier(name)})' for name in staged_types)} FROM {table}"
    ).fetchone()
    assert counts is not None
    total = int(counts[0])
    if total == 0:
        return
    facts = {
        name: ColumnFacts(kind, nulls=total - int(present), values=total)
        for (name, kind), present in zip(staged_types.items(), counts[1:], strict=True)
        if present
    }
    intake.sources.append(
        RowSource(
            from_sql=table,
            facts=facts,
            file_sql=FILE_COLUMN,
            row_sql=ROW_COLUMN,
            role=next(iter(roles)),
            rows=total,
            files=tuple(file.path for file in files),
        )
    )


def _stage_spool(
    engine: duckdb.DuckDBPyConnection,
    spool: Path,
    table: str,
    names: str,
    shape: str,
    path: str,
    first_line: int,
    intake: Intake,
) -> None:
    lines = (
        f"read_csv({literal(exact_glob(str(spool)))}, delim = '\x01', quote = '', escape = '', header = false, "
        "columns = {'line': 'VARCHAR'}, auto_detect = false, strict_mode = false, null_padding = true, "
        "new_line = '\\n', max_line_size = 16777216, parallel = true)"
    )
    # A line number comes from the order of the file, so this read keeps it.
    engine.execute("SET preserve_insertion_order = true")
    try:
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE spool AS SELECT line, {first_line} + row_number() OVER () AS number FROM {lines}"
        )
    finally:
        engine.execute("SET preserve_insertion_order = false")
    # CASE, because nothing else keeps the engine from parsing a line before it is known to be JSON.
    is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    engine.execute(
        f"INSERT INTO {table} SELECT {names}, {literal(path)}, number FROM (SELECT CASE WHEN {is_object} THEN from_json(line, {literal(shape)}) END AS r, "
        f"number FROM spool WHERE line IS NOT NULL AND trim(line) <> '' AND {is_object})"
    )
    bad = engine.execute(
        f"SELECT number FROM spool WHERE line IS NOT NULL AND trim(line) <> '' AND NOT {is_object} ORDER BY 1"
    ).fetchall()
    if bad:
        intake.count("bad_json", len(bad))
        intake.kept_back.extend((path, int(number), "bad_json") for (number,) in bad[:1000])
    engine.execute("DROP TABLE spool")


def _staged_type(column: Column) -> str:
    if column.name in _MAP_COLUMNS:
        return "JSON"
    return CALLS_SQL_TYPE if column.name == "calls" else "VARCHAR"


def _json_shape(column: Column) -> str:
    if column.name in _MAP_COLUMNS:
        return '"JSON"'
    return CALLS_JSON if column.name == "calls" else '"VARCHAR"'
