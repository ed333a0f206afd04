"""When a file's own statistics make a test unnecessary, and when they do not."""

import pytest

from undertow.adapters.duckdb.typing_rules import ColumnFacts, TimeReading, check_column
from undertow.records.columns import DECISION_COLUMNS

COLUMNS = {column.name: column for column in DECISION_COLUMNS}
UTC = TimeReading()


def number_of_tests(name: str, facts: ColumnFacts | None) -> int:
    return len(check_column(COLUMNS[name], facts, UTC).tests)


def test_statistics_free_a_column_from_its_tests() -> None:
    proven = ColumnFacts("DOUBLE", nulls=0, values=9, low="0.0", high="2.5", no_nan=True)
    checked = check_column(COLUMNS["cost_usd"], proven, UTC)
    assert (checked.clean, checked.tests, checked.may_be_null) == ('"cost_usd"', (), False)


@pytest.mark.parametrize(
    "facts",
    [
        ColumnFacts("DOUBLE", 0, 9, "0.0", "2.5", no_nan=False),
        ColumnFacts("DOUBLE", 0, 9, "-0.1", "2.5", no_nan=True),
        ColumnFacts("DOUBLE", 0, 9, "0.0", "inf", no_nan=True),
        ColumnFacts("DOUBLE", 0, 9, None, None, no_nan=True),
        ColumnFacts("VARCHAR", 0, 9, "0.0", "2.5", no_nan=True),
    ],
)
def test_anything_less_is_no_proof(facts: ColumnFacts) -> None:
    assert number_of_tests("cost_usd", facts) >= 1


def test_an_open_bound_is_not_reached() -> None:
    assert number_of_tests("propensity", ColumnFacts("DOUBLE", 0, 9, "0.0", "1.0", no_nan=True)) >= 1
    assert number_of_tests("propensity", ColumnFacts("DOUBLE", 0, 9, "0.1", "1.0", no_nan=True)) == 0
    assert number_of_tests("confidence", ColumnFacts("DOUBLE", 0, 9, "0.0", "1.0", no_nan=True)) == 0


def test_a_column_of_one_text_becomes_that_text() -> None:
    same = ColumnFacts("VARCHAR", 0, 9, "it's", "it's")
    assert check_column(COLUMNS["policy"], same, UTC).clean == "'it''s'"
    assert check_column(COLUMNS["policy"], ColumnFacts("VARCHAR", 1, 9, "a", "a"), UTC).clean == '"policy"'
    assert number_of_tests("mode", ColumnFacts("VARCHAR", 0, 9, "route", "route")) == 0
    assert number_of_tests("mode", ColumnFacts("VARCHAR", 0, 9, "a", "a")) == 1


def test_absent_and_empty_columns_are_typed_nulls() -> None:
    assert check_column(COLUMNS["cost_usd"], None, UTC).clean == "CAST(NULL AS DOUBLE)"
    assert check_column(COLUMNS["cost_usd"], ColumnFacts("DOUBLE", 9, 9), UTC).clean == "CAST(NULL AS DOUBLE)"
