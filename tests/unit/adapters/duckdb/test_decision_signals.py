"""A signal tells of the most specific thing that it names."""

from datetime import UTC, datetime, timedelta

import pytest

from explorer_factory import NOON, record, text
from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.decision_signals import (
    ABOUT,
    MAX_SIGNALS,
    WHOLE,
    label_tables,
    nobody_is,
    signals_of,
    values_of,
)


@pytest.fixture
def engine():
    opened = open_engine("256MB", 1, None)
    yield opened
    opened.close()


def run(engine):
    return lambda statement, values: engine.execute(statement, values).fetchall()


def signals(engine, *rows):
    types = {
        "value": "DOUBLE",
        "event_time": "TIMESTAMP",
        "revision": "BIGINT",
        "deleted": "BOOLEAN",
        "inclusion_probability": "DOUBLE",
        "reference_value": "DOUBLE",
    }
    columns = [f"{name} {types.get(name, 'VARCHAR')}" for name in WHOLE]
    engine.execute(f"CREATE TABLE said ({', '.join(columns)})")
    for number, row in enumerate(rows):
        whole = {
            "signal_id": f"s{number}",
            "kind": "review",
            "name": "ok",
            "event_time": NOON.replace(tzinfo=None),
        } | row
        engine.execute(
            f"INSERT INTO said VALUES ({', '.join('?' for _ in WHOLE)})", [whole.get(name) for name in WHOLE]
        )
    return "said"


def test_values_by_decision_and_by_conversation_where_no_decision_is_named(engine):
    said = signals(
        engine,
        {"decision_id": "d1", "conversation_id": "c1", "value": 1.0}, {"conversation_id": "c1", "value": 0.25},
        {"decision_id": "d1", "kind": "outcome", "value": 9.0}, {"decision_id": "d1", "value": None}, {"user_id": "u1", "value": 0.0},
    )  # fmt: skip
    keys = [("d1", "c1"), ("d2", "c1"), ("d3", None)]
    assert values_of(run(engine), said, keys) == [[1.0, 0.25], [0.25], []]
    assert values_of(run(engine), None, keys) == [[], [], []]


def test_tables_of_what_was_judged_and_what_failed(engine):
    said = signals(
        engine,
        {"decision_id": "d1", "value": 0.49},
        {"decision_id": "d2", "value": 0.5},
        {"conversation_id": "c1", "value": 0.0},
    )
    for statement in label_tables(said):
        engine.execute(statement)
    found = {
        name: sorted(engine.execute(f"FROM {name}").fetchall())
        for name in ("judged_d", "judged_c", "failing_d", "failing_c")
    }
    assert found == {
        "judged_d": [("d1",), ("d2",)],
        "judged_c": [("c1",)],
        "failing_d": [("d1",)],
        "failing_c": [("c1",)],
    }


def test_tables_without_signals_are_empty(engine):
    for statement in label_tables(None):
        engine.execute(statement)
    assert engine.execute("FROM failing_d").fetchall() == []
    assert [engine.execute(nobody_is(label)).fetchone() for label in ("failed", "ok")] == [(True,), (True,)]
    assert set(ABOUT) <= set(WHOLE)


def test_all_that_names_a_decision_the_most_specific_first(engine):
    later = (NOON + timedelta(days=1)).replace(tzinfo=None)
    said = signals(
        engine,
        {"user_id": "u1", "name": "churn", "event_time": later}, {"user_id": "u1", "name": "before", "event_time": datetime(2020, 1, 1, tzinfo=UTC)},
        {"conversation_id": "c0", "name": "csat"}, {"decision_id": "d0001", "name": "review"}, {"decision_id": "d0002", "conversation_id": "c0", "name": "other"},
        {"signal_id": "t", "decision_id": "d0001", "name": "ticket"}, {"signal_id": "t", "decision_id": "d0001", "name": "taken back", "revision": 2, "deleted": True},
    )  # fmt: skip
    found, more = signals_of(run(engine), said, record(1, NOON, event_time=text(NOON)))
    assert [(each.name, each.by) for each in found] == [
        ("review", "decision"),
        ("csat", "conversation"),
        ("churn", "user"),
    ]
    assert (more, found[0].event_time) == (0, NOON)
    assert signals_of(run(engine), None, record(1, NOON)) == ((), 0)


def test_of_very_many_some_are_shown_and_the_others_counted(engine):
    said = signals(engine, *({"decision_id": "d0001", "value": 1.0} for _ in range(MAX_SIGNALS + 7)))
    found, more = signals_of(run(engine), said, record(1, NOON))
    assert (len(found), more) == (MAX_SIGNALS, 7)
