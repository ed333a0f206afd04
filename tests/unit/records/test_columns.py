import re

import pytest

from undertow.records.columns import (
    DECISION_COLUMNS,
    DEFAULT_SELECTION,
    DRAW_COLUMNS,
    SELECTIONS,
    SIGNAL_COLUMNS,
    SIGNAL_KINDS,
)

TABLES = {"decisions": DECISION_COLUMNS, "signals": SIGNAL_COLUMNS, "draws": DRAW_COLUMNS}


@pytest.mark.parametrize("table", TABLES)
def test_names_are_unique_and_fit_for_sql(table):
    names = [column.name for column in TABLES[table]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_what_it_means_and_has_sound_bounds(table):
    for column in TABLES[table]:
        assert column.meaning
        assert column.low is None or column.high is None or column.low < column.high
        assert not column.low_open or column.low is not None
        assert column.low is None or column.sql_type in {"DOUBLE", "BIGINT"}
        assert not column.choices or column.sql_type == "VARCHAR"


def test_what_a_row_cannot_do_without():
    required = {table: {column.name for column in columns if column.required} for table, columns in TABLES.items()}
    assert required["decisions"] == {"decision_id", "event_time"}
    assert required["signals"] == {"signal_id", "event_time", "kind", "name", "value"}


def test_probabilities_are_never_zero():
    for columns in TABLES.values():
        for column in columns:
            if column.name in {"inclusion_probability", "propensity", "arm_probability"}:
                assert (column.low, column.high, column.low_open) == (0.0, 1.0, True)


def test_every_kind_has_a_default_selection():
    assert set(DEFAULT_SELECTION) == set(SIGNAL_KINDS)
    assert set(DEFAULT_SELECTION.values()) <= set(SELECTIONS)
