"""How one source column becomes its canonical column: the clean expression and the tests that a bad value fails.

A value that cannot be used is never repaired by guessing: it becomes null (and is counted under a reason named for the
column), or, in a column that a row cannot do without, the row is set aside. Which of the two is said in `row_rules`.

Tests are skipped where a Parquet file's own statistics prove that no value can fail them; that is what keeps the checks
free on clean logs. A proof needs the smallest and largest value and the count of nulls of every row group, and for
floating point also the count of NaN, because a NaN is left out of smallest and largest.
"""

from dataclasses import dataclass
from typing import Literal

from undertow.adapters.duckdb.sql import identifier, literal, literals
from undertow.records.columns import Column

FLOAT_TYPES = frozenset({"DOUBLE", "FLOAT"})
INTEGER_TYPES = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
LARGEST_DOUBLE = "1.7976931348623157e308"
EARLIEST, LATEST = "1990-01-01", "2200-01-01"
"""Times outside are taken for a unit mistaken for another, or a sentinel such as `infinity`."""

ZONED_TIME = r"[T :]\d{2}.*(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
"""Text that ends in a zone after a time of day; a plain date ends in `-31`, which is no zone."""


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a source's own statistics prove about one column; None or False: not proven.

    Attributes:
        sql_type: Type in the source, DuckDB's spelling.
        nulls: Number of nulls, or None when not known.
        values: Number of values, nulls included.
        low: Smallest value as text, over all row groups, or None.
        high: Largest value as text, or None.
        no_nan: No value is NaN.
    """

    sql_type: str
    nulls: int | None = None
    values: int = 0
    low: str | None = None
    high: str | None = None
    no_nan: bool = False

    @property
    def all_null(self) -> bool:
        """Whether every value is proven null."""
        return self.nulls is not None and self.nulls >= self.values

    @property
    def never_null(self) -> bool:
        """Whether every value is proven present."""
        return self.nulls == 0

    @property
    def constant(self) -> str | None:
        """The one text that every row holds, or None. Truncated statistics cannot be equal at both ends."""
        if self.sql_type == "VARCHAR" and self.never_null and self.low is not None and self.low == self.high:
            return self.low
        return None


@dataclass(frozen=True, slots=True)
class TimeReading:
    """How text times without a zone are read: as UTC, in `zone`, or not at all."""

    naive: Literal["utc", "zone", "reject"] = "utc"
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class CheckedColumn:
    """Expressions for one canonical column over a source row.

    Attributes:
        column: The canonical column.
        clean: Expression of the canonical type, null where the value cannot be used.
        tests: Pairs (predicate, reason). A predicate is true where the value is bad, false or null elsewhere.
        may_be_null: The clean value may be null although no test fails.
    """

    column: Column
    clean: str
    tests: tuple[tuple[str, str], ...] = ()
    may_be_null: bool = True


def check_column(column: Column, facts: ColumnFacts | None, times: TimeReading) -> CheckedColumn:
    """The expressions for `column` when the source holds it as `facts` say; `facts` None: the source lacks it."""
    if facts is None or facts.all_null:
        return CheckedColumn(column, f"CAST(NULL AS {column.sql_type})")
    raw = identifier(column.name)
    match column.sql_type:
        case "DOUBLE" | "BIGINT":
            return _number(column, raw, facts)
        case "TIMESTAMP":
            return _time(column, raw, facts, times)
        case "BOOLEAN":
            return _boolean(column, raw, facts)
        case "VARCHAR" if column.choices:
            return _choice(column, raw, facts)
        case "VARCHAR":
            return _text(column, raw, facts)
        case _ if column.sql_type.startswith("MAP("):
            return _map(column, raw, facts)
        case _:
            clean = raw if facts.sql_type == column.sql_type else f"TRY_CAST({raw} AS {column.sql_type})"
            tests = () if clean == raw else ((f"{raw} IS NOT NULL AND {clean} IS NULL", f"bad_{column.name}"),)
            return CheckedColumn(column, clean, tests)


def as_text(raw: str, sql_type: str) -> str:
    """`raw` as VARCHAR, free of charge where it is one."""
    return raw if sql_type == "VARCHAR" else f"CAST({raw} AS VARCHAR)"


def _text(column: Column, raw: str, facts: ColumnFacts) -> CheckedColumn:
    if facts.constant is not None and facts.constant != "":
        return CheckedColumn(column, literal(facts.constant), may_be_null=False)
    text = as_text(raw, facts.sql_type)
    # The smallest text above '' proves that there is no empty one.
    never_empty = facts.sql_type == "VARCHAR" and bool(facts.low)
    clean = text if never_empty else f"nullif({text}, '')"
    return CheckedColumn(column, clean, may_be_null=not (never_empty and facts.never_null))


def _choice(column: Column, raw: str, facts: ColumnFacts) -> CheckedColumn:
    if facts.constant in column.choices:
        return CheckedColumn(column, literal(facts.constant or ""), may_be_null=False)
    text = f"lower({as_text(raw, facts.sql_type)})"
    allowed = f"{text} IN ({literals(column.choices)})"
    # Functions of one column, constants aside, are evaluated once a distinct text where a file is dictionary-coded.
    words = f"[{literals(column.choices)}]"
    clean = f"list_extract({words}, list_position({words}, {text}))"
    return CheckedColumn(column, clean, ((f"{text} <> '' AND NOT {allowed}", f"unknown_{column.name}"),))


def _boolean(column: Column, raw: str, facts: ColumnFacts) -> CheckedColumn:
    if facts.sql_type == "BOOLEAN":
        return CheckedColumn(column, raw)
    clean = f"TRY_CAST({raw} AS BOOLEAN)"
    bad = f"{raw} IS NOT NULL AND {as_text(raw, facts.sql_type)} <> '' AND {clean} IS NULL"
    return CheckedColumn(column, clean, ((bad, f"bad_{column.name}"),))


def _number(column: Column, raw: str, facts: ColumnFacts) -> CheckedColumn:
    low = repr(column.low) if column.low is not None else f"-{LARGEST_DOUBLE}"
    high = repr(column.high) if column.high is not None else LARGEST_DOUBLE
    above = f"> {low}" if column.low_open else f">= {low}"
    native = facts.sql_type in FLOAT_TYPES or facts.sql_type in INTEGER_TYPES
    if native and _proven_in_range(column, facts):
        return CheckedColumn(column, raw, may_be_null=not facts.never_null)
    tests: list[tuple[str, str]] = []
    if native:
        number = raw
    elif facts.sql_type == "BOOLEAN" or ("(" in facts.sql_type and not facts.sql_type.startswith("DECIMAL")):
        number = "CAST(NULL AS DOUBLE)"
    else:
        number = f"TRY_CAST({raw} AS DOUBLE)"
    if not native:
        text = as_text(raw, facts.sql_type)
        tests.append((f"{raw} IS NOT NULL AND {text} <> '' AND {number} IS NULL", f"not_a_number_{column.name}"))
    if facts.sql_type not in INTEGER_TYPES:
        tests.append((f"NOT isfinite({number})", f"not_finite_{column.name}"))
    finite = "true" if facts.sql_type in INTEGER_TYPES else f"isfinite({number})"
    if column.high is not None:
        tests.append((f"{finite} AND NOT ({number} {above} AND {number} <= {high})", f"out_of_range_{column.name}"))
    elif column.low is not None:
        tests.append((f"{finite} AND NOT ({number} {above})", f"negative_{column.name}"))
    clean = f"CASE WHEN {number} {above} AND {number} <= {high} THEN {number} END"
    if column.sql_type == "BIGINT" and facts.sql_type not in INTEGER_TYPES:
        clean = f"TRY_CAST({clean} AS BIGINT)"
    return CheckedColumn(column, clean, tuple(tests))


def _proven_in_range(column: Column, facts: ColumnFacts) -> bool:
    if facts.low is None or facts.high is None or not (facts.no_nan or facts.sql_type in INTEGER_TYPES):
        return False
    try:
        low, high = float(facts.low), float(facts.high)
    except ValueError:
        return False
    floor = column.low if column.low is not None else -1.7976931348623157e308
    ceiling = column.high if column.high is not None else 1.7976931348623157e308
    return (low > floor if column.low_open else low >= floor) and high <= ceiling


def _time(column: Column, raw: str, facts: ColumnFacts, times: TimeReading) -> CheckedColumn:
    kind = facts.sql_type
    sensible = f"BETWEEN TIMESTAMP '{EARLIEST}' AND TIMESTAMP '{LATEST}'"
    if kind == "TIMESTAMP WITH TIME ZONE":
        moment = f"timezone('UTC', {raw})"
    elif kind.startswith("TIMESTAMP") or kind == "DATE":
        moment = raw if kind == "TIMESTAMP" else f"CAST({raw} AS TIMESTAMP)"
        if kind == "TIMESTAMP" and facts.low and facts.high and facts.low >= EARLIEST and facts.high < LATEST:
            return CheckedColumn(column, raw, may_be_null=not facts.never_null)
    elif kind in FLOAT_TYPES or kind in INTEGER_TYPES:
        moment = _epoch(f"CAST({raw} AS DOUBLE)")
    else:
        return _text_time(column, as_text(raw, kind), sensible, times)
    clean = f"CASE WHEN {moment} {sensible} THEN {moment} END"
    return CheckedColumn(column, clean, ((f"{raw} IS NOT NULL AND ({clean}) IS NULL", f"bad_{column.name}"),))


def _text_time(column: Column, text: str, sensible: str, times: TimeReading) -> CheckedColumn:
    number = f"TRY_CAST({text} AS DOUBLE)"
    zoned = f"regexp_matches({text}, '{ZONED_TIME}')"
    # The session's zone is UTC, so this cast takes a time without zone for UTC.
    utc = f"timezone('UTC', TRY_CAST({text} AS TIMESTAMPTZ))"
    naive = {
        "utc": utc,
        "zone": f"timezone('UTC', timezone({literal(times.zone or 'UTC')}, TRY_CAST({text} AS TIMESTAMP)))",
        "reject": "CAST(NULL AS TIMESTAMP)",
    }[times.naive]
    moment = f"CASE WHEN {number} IS NOT NULL THEN {_epoch(number)} WHEN {zoned} THEN {utc} ELSE {naive} END"
    clean = f"CASE WHEN ({moment}) {sensible} THEN ({moment}) END"
    unreadable = f"{text} <> '' AND ({clean}) IS NULL"
    if times.naive != "reject":
        return CheckedColumn(column, clean, ((unreadable, f"bad_{column.name}"),))
    naive_one = f"{number} IS NULL AND NOT {zoned} AND {utc} IS NOT NULL"
    tests = (
        (f"{text} <> '' AND {naive_one}", "mixed_time_zones"),
        (f"{unreadable} AND NOT ({naive_one})", f"bad_{column.name}"),
    )
    return CheckedColumn(column, clean, tests)


def _epoch(number: str) -> str:
    """A number as a time: seconds, milliseconds, microseconds or nanoseconds since 1970, by its size."""
    micros = (
        f"CASE WHEN abs({number}) < 1e11 THEN {number} * 1e6 WHEN abs({number}) < 1e14 THEN {number} * 1e3 "
        f"WHEN abs({number}) < 1e17 THEN {number} WHEN abs({number}) < 1e20 THEN {number} / 1e3 END"
    )
    return f"make_timestamp(TRY_CAST(round({micros}) AS BIGINT))"


def _map(column: Column, raw: str, facts: ColumnFacts) -> CheckedColumn:
    kind, wanted = facts.sql_type, column.sql_type
    if kind == wanted:
        return CheckedColumn(column, raw)
    shape = f"'\"{wanted.replace(' ', '')}\"'"
    if kind in {"VARCHAR", "JSON"}:
        clean = f"CASE WHEN json_valid({raw}) THEN from_json({raw}, {shape}) END"
    elif kind.startswith("STRUCT("):
        clean = f"from_json(to_json({raw}), {shape})"
    else:
        clean = f"TRY_CAST({raw} AS {wanted})"
    return CheckedColumn(column, clean, ((f"{raw} IS NOT NULL AND ({clean}) IS NULL", f"bad_{column.name}"),))
