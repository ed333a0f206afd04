"""Reads the columns that are wanted from a log's files into tables of the engine, and counts what could not be read."""

from pathlib import Path

import duckdb

from undertow.adapters.duckdb.inputs import LogFile
from undertow.adapters.duckdb.line_sieve import SieveReport, spool_lines
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal, literals
from undertow.ports.audit_source import Progress


class LogReader:
    """Fills tables of the engine from files.

    Attributes:
        reasons: Files and lines that could not be read, by reason.
        seen: Columns that were in the files.
    """

    def __init__(self, engine: duckdb.DuckDBPyConnection, folder: Path, progress: Progress) -> None:
        self.engine, self.folder, self.progress = engine, folder, progress
        self.reasons: dict[str, int] = {}
        self.seen: set[str] = set()

    def count(self, reason: str, n: int) -> None:
        """Count `n` more for a reason."""
        if n:
            self.reasons[reason] = self.reasons.get(reason, 0) + n

    def fill(self, table: str, columns: dict[str, str], files: tuple[LogFile, ...], where: str) -> None:
        """A fresh table with these columns of the files' rows for which `where` holds.

        Args:
            table: Its name.
            columns: Name -> type; a value that is none of this type is null, as is a column that a file lacks.
            files: Parquet or JSON lines.
            where: A condition over the columns.
        """
        definition = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({definition})")
        for place, file in enumerate(files):
            self.progress(f"reading {Path(file.path).name}", place, len(files))
            if file.kind == "parquet":
                self._parquet(table, columns, file, where)
            else:
                self._lines(table, columns, file, where)

    def _parquet(self, table: str, columns: dict[str, str], file: LogFile, where: str) -> None:
        source = f"read_parquet({literal(exact_glob(file.path))}, hive_partitioning = false)"
        try:
            held = {str(row[0]) for row in self.engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
            self.seen |= held & columns.keys()
            picked = ", ".join(
                f"{f'TRY_CAST({identifier(name)} AS {kind})' if name in held else 'NULL'} AS {identifier(name)}"
                for name, kind in columns.items()
            )
            self.engine.execute(f"INSERT INTO {table} SELECT * FROM (SELECT {picked} FROM {source}) WHERE {where}")
        except duckdb.Error:
            self.count("unreadable_file", 1)

    def _lines(self, table: str, columns: dict[str, str], file: LogFile, where: str) -> None:
        report = SieveReport()
        shape = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
        picked = ", ".join(f"{_from_text(name, kind)} AS {identifier(name)}" for name, kind in columns.items())
        try:
            for spool, _ in spool_lines(file.path, self.folder, report, is_live=file.is_live):
                source = (
                    f"read_json({literal(exact_glob(str(spool)))}, format = 'newline_delimited', columns = {{{shape}}}, "
                    "ignore_errors = true, maximum_object_size = 16777216)"
                )
                self.engine.execute(f"CREATE OR REPLACE TEMP TABLE lines AS SELECT {picked} FROM {source}")
                spool.unlink()
                present = ", ".join(f"count({identifier(name)})" for name in columns)
                counts = self.engine.execute(f"SELECT {present} FROM lines").fetchone() or ()
                self.seen |= {name for name, count in zip(columns, counts, strict=True) if count}
                self.engine.execute(f"INSERT INTO {table} SELECT * FROM lines WHERE {where}")
        except FileNotFoundError:  # a segment that the store converted meanwhile: its rows stand in Parquet now
            self.count("moved_file", 1)
        for reason, n in report.reasons.items():
            self.count(reason, n)


def _from_text(name: str, kind: str) -> str:
    """A value of a line, which comes as text: what is no plain type is JSON there."""
    is_nested = kind.startswith(("MAP", "STRUCT"))
    return f"TRY_CAST({f'TRY_CAST({identifier(name)} AS JSON)' if is_nested else identifier(name)} AS {kind})"


def of_interest(wanted: tuple[str, str] | None, kinds: tuple[str, ...]) -> str:
    """Condition in SQL on signals that can be labels: of the kind and name wanted, else of any of the kinds.

    Examples:
        >>> of_interest(None, ("review", "judge"))
        "decision_id IS NOT NULL AND kind IN ('review', 'judge')"
    """
    chosen = (
        f"kind IN ({literals(kinds)})"
        if wanted is None
        else f"kind = {literal(wanted[0])} AND name = {literal(wanted[1])}"
    )
    return f"decision_id IS NOT NULL AND {chosen}"
