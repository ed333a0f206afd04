"""Opens the files of a log as checked tables: which columns there are, what is proven of them, how times are read."""

import difflib
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from undertow.adapters.duckdb.inputs import FoundFiles, LogFile, LogInputs
from undertow.adapters.duckdb.row_rules import CheckedRows, check_decisions, check_signals, keep_checked, required
from undertow.adapters.duckdb.row_sources import Intake, RowSource, jsonl_source, parquet_sources
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal
from undertow.adapters.duckdb.typing_rules import ZONED_TIME, TimeReading, as_text
from undertow.errors import LogError
from undertow.ports.audit_source import CellOptions, Progress
from undertow.records.columns import AUDIT_COLUMNS, SIGNAL_COLUMNS, Column

FOREIGN_NAMES: dict[str, tuple[str, ...]] = {
    "decision_id": ("id", "request_id", "requestid", "call_id", "trace_id", "uuid"),
    "event_time": ("timestamp", "time", "ts", "created_at", "created", "start_time", "starttime", "date"),
    "tier": ("model_tier", "route", "routed_to", "model_class"),
    "signal_id": ("id", "feedback_id", "score_id"),
    "name": ("metric", "metric_name", "score_name"),
    "kind": ("type", "signal_type"),
    "value": ("score", "rating", "label"),
}
"""What other tools call these columns: named in an error as what may be meant."""

_UNSERVED = "'refused', 'error', 'abandoned'"


@dataclass(slots=True)
class Tables:
    """Checked decision and signal rows of one run.

    `rejected` counts lines that never became rows; `kept_back` says where the first of them stand.
    """

    decisions: list[CheckedRows]
    signals: list[CheckedRows]
    reasons: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kept_back: list[tuple[str, int, str]] = field(default_factory=list)
    proven_segment_keys: tuple[str, ...] | None = None

    @property
    def rejected(self) -> int:
        """Lines that were set aside before they became rows."""
        return sum(count for reason, count in self.reasons.items() if reason in LINE_REASONS)

    def holds(self, name: str) -> bool:
        """Whether any source may hold a value in this column of the decisions."""
        return any((facts := rows.source.facts.get(name)) is not None and not facts.all_null for rows in self.decisions)

    def always_holds(self, name: str) -> bool:
        """Whether every row of the decisions is proven to hold a value in this column, an empty text not being one."""
        known = [rows.source.facts.get(name) for rows in self.decisions]
        return all(facts is not None and facts.never_null and facts.low not in {None, ""} for facts in known)

    @property
    def all_live(self) -> bool:
        """Whether every decision is proven to be live traffic."""
        return not self.holds("origin") or self.constants().get("origin") == "live"

    def constants(self) -> dict[str, str]:
        """Columns of the decisions that hold one text in every row, where statistics prove it."""
        if len(self.decisions) != 1:
            return {}
        facts = self.decisions[0].source.facts
        return {name: known.constant for name, known in facts.items() if known.constant}

    def mapped_tiers(self, engine: duckdb.DuckDBPyConnection) -> bool:
        """Whether any live decision has a tier only by its model."""
        row = engine.execute(
            "SELECT count(*) FROM (SELECT 1 FROM decisions WHERE tier IS NULL AND served_tier IS NOT NULL LIMIT 1)"
        ).fetchone()
        return bool(row and row[0])


LINE_REASONS = frozenset({"bad_json", "line_too_long", "not_utf8", "torn_line"})


def open_tables(
    engine: duckdb.DuckDBPyConnection,
    found: FoundFiles,
    inputs: LogInputs,
    options: CellOptions,
    spool_dir: Path,
    progress: Progress,
) -> Tables:
    """Sources, rules and time reading of all files.

    Raises:
        LogError: no file of the decisions can be read, or a required column is in none of them.
    """
    del options
    decisions, signals = Intake(), Intake()
    for intake, roles, columns in (
        (decisions, ("decisions",), AUDIT_COLUMNS),
        (signals, ("signals", "outcomes"), SIGNAL_COLUMNS),
    ):
        parquet_sources(engine, tuple(f for f in found.of(*roles) if f.kind == "parquet"), columns, intake)
        for role in roles:
            lines = tuple(file for file in found.of(role) if file.kind == "jsonl")
            if lines:
                jsonl_source(
                    engine,
                    lines,
                    columns,
                    f"staged_{role}",
                    spool_dir,
                    intake,
                    lambda path: progress(f"reading {Path(path).name}", 0, None),
                )
        _require(engine, intake, found.of(*roles), columns)
    notes = [f"{path}: {reason}; set aside" for path, reason in found.set_aside]
    reasons = dict(decisions.reasons)
    for reason, count in signals.reasons.items():
        reasons[reason] = reasons.get(reason, 0) + count
    if found.set_aside:
        reasons["unreadable_file"] = reasons.get("unreadable_file", 0) + len(found.set_aside)
    if not decisions.sources:
        raise LogError(_nothing_usable(found, decisions))
    decision_times = _read_times(engine, decisions.sources, ("event_time",), inputs.timezone, "decisions", notes)
    signal_times = _read_times(
        engine, signals.sources, ("event_time", "received_at"), inputs.timezone, "signals", notes
    )
    proven = _proven_keys(engine, decisions.sources)
    checked = [check_decisions(source, decision_times) for source in decisions.sources]
    checked += [check_signals(source, signal_times) for source in signals.sources]
    kept = [
        keep_checked(engine, rows, f"checked_{number}") if rows.source.is_staged else rows
        for number, rows in enumerate(checked)
    ]
    return Tables(
        decisions=kept[: len(decisions.sources)],
        signals=kept[len(decisions.sources) :],
        reasons=reasons,
        notes=[*notes, *decisions.notes, *signals.notes],
        kept_back=[*decisions.kept_back, *signals.kept_back],
        proven_segment_keys=proven,
    )


def find_damaged(engine: duckdb.DuckDBPyConnection, found: FoundFiles) -> tuple[str, ...]:
    """Parquet files that cannot be read to their end."""
    damaged = []
    for file in found.files:
        if file.kind != "parquet":
            continue
        try:
            engine.execute(
                f"SELECT max(hash(COLUMNS(*))) FROM read_parquet({literal(exact_glob(file.path))}, hive_partitioning = false)"
            ).fetchall()
        except duckdb.Error:
            damaged.append(file.path)
    return tuple(damaged)


def _nothing_usable(found: FoundFiles, intake: Intake) -> str:
    first = found.of("decisions")[0].path
    if intake.notes:
        return intake.notes[0]
    worst = max(intake.reasons, key=lambda reason: intake.reasons[reason], default=None)
    if worst is None:
        return f"{first}: no rows; expected a decision log with at least one"
    return f"{first}: not one usable line ({intake.reasons[worst]} set aside as `{worst}`); expected one JSON object a line"


def _require(
    engine: duckdb.DuckDBPyConnection, intake: Intake, files: tuple[LogFile, ...], columns: tuple[Column, ...]
) -> None:
    """Set sources without the required columns aside; an error if none is left.

    A source of decisions that were all refused or failed has no tier, which is right beside one that has: its `status` says so.
    """
    usable: list[RowSource] = []
    is_served = columns is not AUDIT_COLUMNS
    complaint: str | None = None
    for source in intake.sources:
        missing = [name for name in required(columns, source.role) if name not in source.facts]
        has_tier = "tier" in source.facts or "model" in source.facts
        if columns is AUDIT_COLUMNS and not missing and not has_tier and not _says_unserved(engine, source):
            missing = ["tier"]
        if not missing:
            usable.append(source)
            is_served = is_served or has_tier
            continue
        complaint = _complaint(engine, source, missing)
        intake.count("wrong_columns", source.rows or 0)
        intake.notes.append(complaint)
    intake.sources[:] = usable
    if complaint and not usable and files:
        raise LogError(complaint)
    if usable and not is_served:
        raise LogError(
            f"{_where(usable[0])}: no tier served any of these decisions (`tier` and `model` are missing or empty; `status` says "
            "how each ended), so there is nothing to audit yet"
        )


def _says_unserved(engine: duckdb.DuckDBPyConnection, source: RowSource) -> bool:
    """Whether every row says by its status that nothing was served."""
    facts = source.facts.get("status")
    if facts is None:
        return False
    status = f"lower({as_text(identifier('status'), facts.sql_type)})"
    row = engine.execute(
        f"SELECT bool_and(coalesce({status} IN ({_UNSERVED}), false)) FROM {source.from_sql}"
    ).fetchone()
    return bool(row and row[0])


def _where(source: RowSource) -> str:
    return source.files[0] + (f" and {len(source.files) - 1} more" if len(source.files) > 1 else "")


def _complaint(engine: duckdb.DuckDBPyConnection, source: RowSource, missing: list[str]) -> str:
    names = _column_names(engine, source)
    near = []
    for name in missing:
        folded = {column.lower(): column for column in names}
        close = [folded[other] for other in FOREIGN_NAMES.get(name, ()) if other in folded]
        close = close or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        if close:
            near.append(f"`{close[0]}` may be `{name}`")
    lacking = ", ".join(f"`{name}`" for name in missing)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    hint = f" ({'; '.join(near)}: say so in a mapping file with --map)" if near else ""
    return f"{_where(source)}: required column{'s' if len(missing) > 1 else ''} {lacking} missing or empty{hint}; found {shown or 'none'}"


def _column_names(engine: duckdb.DuckDBPyConnection, source: RowSource) -> list[str]:
    if not source.is_staged:
        described = engine.execute(f"DESCRIBE SELECT * FROM {source.from_sql}").fetchall()
        return [str(row[0]) for row in described if not str(row[0]).startswith("undertow_")]
    return sorted(source.facts)


def _read_times(
    engine: duckdb.DuckDBPyConnection,
    sources: list[RowSource],
    names: tuple[str, ...],
    zone: str | None,
    table: str,
    notes: list[str],
) -> TimeReading:
    """How text times without zone are read in this table."""
    if zone is not None:
        known = engine.execute("SELECT count(*) FROM pg_timezone_names() WHERE name = ?", [zone]).fetchone()
        if not known or not known[0]:
            raise LogError(f"unknown time zone {zone!r}; expected an IANA name such as Europe/Berlin or UTC")
        return TimeReading("zone", zone)
    naive = zoned = 0
    for source in sources:
        for name in names:
            facts = source.facts.get(name)
            if facts is None or facts.sql_type != "VARCHAR":
                continue
            column = identifier(name)
            row = engine.execute(
                f"SELECT count(*) FILTER (WHERE NOT zoned), count(*) FILTER (WHERE zoned) FROM ("
                f"SELECT regexp_matches({column}, '{ZONED_TIME}') AS zoned FROM {source.from_sql} "
                f"WHERE {column} <> '' AND TRY_CAST({column} AS DOUBLE) IS NULL AND TRY_CAST({column} AS TIMESTAMPTZ) IS NOT NULL)"
            ).fetchone()
            assert row is not None
            naive, zoned = naive + int(row[0]), zoned + int(row[1])
    if not naive:
        return TimeReading("utc")
    if zoned:
        notes.append(
            f"{table}: {naive} times have no time zone and {zoned} have one; those without were set aside (say --timezone to use them)"
        )
        return TimeReading("reject")
    notes.append(f"{table}: times have no time zone and were taken as UTC (say --timezone if they are not)")
    return TimeReading("utc")


def _proven_keys(engine: duckdb.DuckDBPyConnection, sources: list[RowSource]) -> tuple[str, ...] | None:
    """The segment keys, where statistics of Parquet files prove that each file has one key only."""
    keys: set[str] = set()
    for source in sources:
        facts = source.facts.get("segment")
        if facts is None or facts.all_null:
            continue
        if source.is_staged or not facts.sql_type.startswith("MAP"):
            return None
        row = engine.execute(
            f"""
            SELECT list(DISTINCT stats_min_value), bool_and(coalesce(stats_min_value = stats_max_value, stats_null_count = num_values))
            FROM parquet_metadata([{", ".join(literal(exact_glob(path)) for path in source.files)}])
            WHERE path_in_schema IN ('segment, key_value, key', 'segment, map, key', 'segment, entries, key')
            """
        ).fetchone()
        if not row or not row[1] or not row[0]:
            return None
        keys.update(str(key) for key in row[0] if key is not None)
    return tuple(sorted(keys))
