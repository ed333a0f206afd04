"""The row rules: which rows are set aside, which values become null, and the name under which each is counted.

| table | what is seen | what is done | reason |
| --- | --- | --- | --- |
| any | line is not a JSON object | row set aside | `bad_json` |
| any | line longer than 8 MiB | row set aside | `line_too_long` |
| any | bytes that are not UTF-8 | row set aside | `not_utf8` |
| any | last line without an end | row set aside | `torn_line` |
| any | no time, a time that cannot be read, before 1990 or after 2199 | row set aside | `missing_event_time`, `bad_event_time` |
| any | text time without zone among zoned ones, no `--timezone` | row set aside (in `received_at`: null) | `mixed_time_zones` |
| any | NaN or infinite number | null | `not_finite_COLUMN` |
| any | text where a number belongs | null | `not_a_number_COLUMN` |
| any | number below zero that cannot be | null | `negative_COLUMN` |
| any | number outside its range | null | `out_of_range_COLUMN` |
| any | word outside a closed list | null | `unknown_COLUMN` |
| decisions | no id | row set aside | `missing_decision_id` |
| decisions | origin outside its list | row set aside: it may be no traffic | `unknown_origin` |
| decisions | tier null | kept: nothing was served, or `tier_models` names it by model | |
| signals | no id | row set aside; an outcome is given its content's hash | `missing_signal_id` |
| signals | no decision, conversation or user id | row set aside | `no_join_key` |
| signals | kind absent | `outcome` in outcome files, else row set aside | `missing_kind` |
| signals | kind outside its list, no name | row set aside | `unknown_kind`, `missing_name` |
| signals | value absent, not a number, not finite | row set aside | `missing_value`, `not_a_number_value`, `not_finite_value` |
| signals | value of a quality kind outside [0, 1] | row set aside | `out_of_range_value` |
| signals | inclusion probability given, outside (0, 1] or no number | row set aside | `out_of_range_inclusion_probability`, ... |
| signals | probability of a pair given, outside (0, 1] or no number | row set aside | `out_of_range_pair_probability`, ... |
| signals | `sampled` is written, no inclusion probability | row set aside | `missing_inclusion_probability` |
| signals | `sampled` by default of its kind, no inclusion probability | kept as selection `unknown` | `selection_unknown` |
| signals | selection outside its list | kept as selection `unknown` | `unknown_selection` |
| signals | more than five minutes before its decision | row set aside | `signal_before_decision` |
| signals | up to five minutes before its decision | kept, as of the decision | `signal_clock_skew` |
| signals | received more than five minutes before it was observed | kept, as of its event time | `received_before_event` |
| any | dated after the present | kept | `dated_in_future` |
| any | repeated id, same content | counted as duplicate, kept once | |
| any | repeated id, other content | the first is kept | `conflicting_duplicate` |
| signals | outcome with a lower `revision` than another row of its id | gives way to it | `corrected_outcome` |
| signals | outcome whose latest revision is `deleted` | does not count | `deleted_outcome` |

A row is counted once under every reason that it meets. Values that became null do not count as rejected rows.
"""

from dataclasses import dataclass, replace

import duckdb

from undertow.adapters.duckdb.row_sources import RowSource
from undertow.adapters.duckdb.sql import identifier, literal, literals
from undertow.adapters.duckdb.typing_rules import CheckedColumn, TimeReading, check_column
from undertow.records.columns import AUDIT_COLUMNS, DEFAULT_SELECTION, SIGNAL_COLUMNS, Column

CLOCK_SKEW_S = 300
"""A signal may be up to this long before its decision: clocks of two machines differ."""


@dataclass(frozen=True, slots=True)
class Test:
    """A predicate over a source row that is true where the row is bad in one way."""

    predicate: str
    reason: str
    sets_aside: bool


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """The parts of a SELECT over one source: clean columns, and the expressions that say what is wrong."""

    source: RowSource
    clean: dict[str, str]
    tests: tuple[Test, ...]
    table: str | None = None
    """Where the checked rows are kept, once they have been computed."""

    @property
    def rejected(self) -> str:
        """True where the row must be set aside."""
        terms = [f"coalesce({test.predicate}, false)" for test in self.tests if test.sets_aside]
        return " OR ".join(terms) if terms else "false"

    @property
    def suspect(self) -> str:
        """True where any test fails."""
        terms = [f"coalesce({test.predicate}, false)" for test in self.tests]
        return " OR ".join(terms) if terms else "false"

    @property
    def reasons(self) -> str:
        """All reasons of the row, as a list."""
        if not self.tests:
            return "CAST([] AS VARCHAR[])"
        items = ", ".join(f"CASE WHEN {test.predicate} THEN {literal(test.reason)} END" for test in self.tests)
        return f"list_filter([{items}], lambda reason: reason IS NOT NULL)"

    def select(self) -> str:
        """The whole SELECT. Columns that a statement does not use cost nothing: the engine prunes them."""
        if self.table is not None:
            return f"SELECT * FROM {self.table}"
        columns = ", ".join(f"{expression} AS {identifier(name)}" for name, expression in self.clean.items())
        return (
            f"SELECT {columns}, {self.rejected} AS rejected, {self.suspect} AS suspect, {self.reasons} AS reasons, "
            f"{self.source.file_sql} AS source_file, {self.source.row_sql} AS source_row FROM {self.source.from_sql}"
        )


def keep_checked(engine: duckdb.DuckDBPyConnection, rows: CheckedRows, table: str) -> CheckedRows:
    """Compute the checked rows of a staged source once, into `table`: reading text as values is dear. The stage is dropped."""
    engine.execute(f"CREATE TEMP TABLE {table} AS {rows.select()}")
    engine.execute(f"DROP TABLE {rows.source.from_sql}")
    return replace(rows, table=table)


def check_decisions(source: RowSource, times: TimeReading) -> CheckedRows:
    """Decision rows of `source`."""
    checked = {column.name: check_column(column, source.facts.get(column.name), times) for column in AUDIT_COLUMNS}
    tests: list[Test] = []
    for name, column in checked.items():
        sets_aside = column.column.required or name == "origin"
        tests.extend(Test(predicate, reason, sets_aside) for predicate, reason in column.tests)
        tests.extend(_missing(column))
    return CheckedRows(source, {name: column.clean for name, column in checked.items()}, tuple(tests))


def check_signals(source: RowSource, times: TimeReading) -> CheckedRows:
    """Signal rows of `source`, with kind and selection completed (see the table above)."""
    checked = {column.name: check_column(column, source.facts.get(column.name), times) for column in SIGNAL_COLUMNS}
    clean = {name: column.clean for name, column in checked.items()}
    tests: list[Test] = []
    for name, column in checked.items():
        sets_aside = column.column.required or name in {"inclusion_probability", "pair_probability"}
        tests.extend(Test(predicate, reason, sets_aside) for predicate, reason in column.tests)
        if name in {"event_time", "name", "value"} or (name in {"signal_id", "kind"} and source.role != "outcomes"):
            tests.extend(_missing(column))
    if source.role == "outcomes":
        clean["kind"] = f"coalesce({clean['kind']}, 'outcome')"
        content = ", ".join(
            f"coalesce(CAST({clean[c]} AS VARCHAR), '')"
            for c in ("event_time", "decision_id", "conversation_id", "user_id", "name", "value")
        )
        clean["signal_id"] = f"coalesce({clean['signal_id']}, md5(concat_ws(chr(31), {content})))"
    keys = [clean[key] for key in ("decision_id", "conversation_id", "user_id")]
    if not any(not checked[key].may_be_null for key in ("decision_id", "conversation_id", "user_id")):
        tests.append(Test(" AND ".join(f"({key}) IS NULL" for key in keys), "no_join_key", sets_aside=True))
    kind, value = clean["kind"], clean["value"]
    tests.append(
        Test(f"({kind}) <> 'outcome' AND NOT (({value}) BETWEEN 0 AND 1)", "out_of_range_value", sets_aside=True)
    )
    given = clean["selection"]
    no_probability = _absent(checked["inclusion_probability"])
    absent = "true" if "selection" not in source.facts else f"nullif({_raw_text(source, 'selection')}, '') IS NULL"
    by_kind = (
        f"list_extract([{literals(list(DEFAULT_SELECTION.values()))}], "
        f"list_position([{literals(list(DEFAULT_SELECTION))}], {kind}))"
    )
    tests.append(Test(f"({given}) = 'sampled' AND {no_probability}", "missing_inclusion_probability", sets_aside=True))
    tests.append(
        Test(f"{absent} AND ({by_kind}) = 'sampled' AND {no_probability}", "selection_unknown", sets_aside=False)
    )
    clean["selection"] = (
        f"CASE WHEN ({given}) IS NOT NULL THEN {given} WHEN NOT ({absent}) THEN 'unknown' "
        f"WHEN ({by_kind}) = 'sampled' AND {no_probability} THEN 'unknown' ELSE {by_kind} END"
    )
    return CheckedRows(source, clean, tuple(tests))


def _raw_text(source: RowSource, name: str) -> str:
    raw = identifier(name)
    return raw if source.facts[name].sql_type == "VARCHAR" else f"CAST({raw} AS VARCHAR)"


def _missing(column: CheckedColumn) -> list[Test]:
    """The test for a required value that is absent and was not found bad already."""
    if not column.column.required or not column.may_be_null:
        return []
    return [Test(_absent(column), f"missing_{column.column.name}", sets_aside=True)]


def _absent(column: CheckedColumn) -> str:
    """Predicate: there is no value, not even a bad one."""
    found_bad = " OR ".join(f"coalesce({predicate}, false)" for predicate, _ in column.tests) or "false"
    return f"({column.clean}) IS NULL AND NOT ({found_bad})"


def required(columns: tuple[Column, ...], role: str) -> tuple[str, ...]:
    """Columns that a file of this role must have, by name."""
    if role == "outcomes":
        return ("event_time", "name", "value")
    return tuple(column.name for column in columns if column.required)
