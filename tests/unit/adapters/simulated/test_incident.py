"""A simulated store: valid by the contract's columns, repeatable, independent of threads, nothing after its end."""

import dataclasses
import hashlib

import duckdb
import pytest

from undertow.adapters.simulated.incident import write_incident
from undertow.records.columns import DECISION_COLUMNS, DRAW_COLUMNS, SIGNAL_COLUMNS
from undertow.simulation.incidents import SUPPORT

SMALL = dataclasses.replace(SUPPORT, queries_per_day=600, pre_weeks=1, weeks=3, rollout=(1.0,), judge_share=0.1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("log") / "support"
    write_incident(SMALL, out, seed=3, text="sampled")
    return out


@pytest.fixture(scope="module")
def ask(store):
    connection = duckdb.connect()
    for name in ("decisions", "signals", "draws", "outcomes"):
        files = str(store / name / "**" / "*.parquet")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}', hive_partitioning = false)")
    yield lambda query: connection.execute(query).fetchall()
    connection.close()


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_writes_the_same_bytes_whatever_the_threads(store, tmp_path):
    write_incident(SMALL, tmp_path / "one", seed=3, threads=1)
    write_incident(SMALL, tmp_path / "three", seed=3, threads=3)
    write_incident(SMALL, tmp_path / "other", seed=4, threads=1)
    assert digest(tmp_path / "one") == digest(store) == digest(tmp_path / "three")
    assert digest(tmp_path / "other") != digest(store)


@pytest.mark.parametrize(
    ("view", "columns"), [("decisions", DECISION_COLUMNS), ("signals", SIGNAL_COLUMNS), ("draws", DRAW_COLUMNS)]
)
def test_every_row_keeps_the_rules_of_its_columns(ask, view, columns):
    for column in columns:
        if column.required and view != "decisions":
            assert ask(f'SELECT count(*) FROM {view} WHERE "{column.name}" IS NULL') == [(0,)], column.name
        if column.low is not None:
            below = "<=" if column.low_open else "<"
            assert ask(f'SELECT count(*) FROM {view} WHERE "{column.name}" {below} {column.low}') == [(0,)], column.name
        if column.high is not None:
            assert ask(f'SELECT count(*) FROM {view} WHERE "{column.name}" > {column.high}') == [(0,)], column.name
        if column.choices:
            allowed = ", ".join(f"'{choice}'" for choice in column.choices)
            assert ask(f'SELECT count(*) FROM {view} WHERE "{column.name}" NOT IN ({allowed})') == [(0,)], column.name


def test_ids_are_unique_and_signals_find_their_decisions(ask):
    assert ask("SELECT count(*) - count(DISTINCT decision_id) FROM decisions") == [(0,)]
    assert ask("SELECT count(*) - count(DISTINCT signal_id) FROM (FROM signals UNION ALL FROM outcomes)") == [(0,)]
    for view, key in (
        ("signals", "decision_id"),
        ("signals", "conversation_id"),
        ("outcomes", "conversation_id"),
        ("outcomes", "user_id"),
    ):
        lost = f"SELECT count(*) FROM {view} s WHERE s.{key} IS NOT NULL AND NOT EXISTS (FROM decisions d WHERE d.{key} = s.{key})"
        assert ask(lost) == [(0,)], (view, key)
    assert ask(
        "SELECT count(*) FROM signals s JOIN decisions d USING (decision_id) WHERE s.event_time < d.event_time"
    ) == [(0,)]


def test_nothing_arrives_after_the_log_was_exported(ask):
    end = SMALL.ends.replace(tzinfo=None)
    for view, column in (("decisions", "event_time"), ("signals", "received_at"), ("outcomes", "event_time")):
        assert ask(f"SELECT max({column}) FROM {view}")[0][0] < end


def test_reviews_carry_the_probability_of_their_draw(ask):
    assert ask(
        "SELECT count(*) FROM signals s JOIN draws d USING (decision_id) WHERE s.kind = 'review' "
        "AND (s.inclusion_probability <> d.inclusion_probability OR NOT d.chosen)"
    ) == [(0,)]
    chosen, reviews = ask(
        "SELECT (SELECT count(*) FROM draws WHERE chosen), (SELECT count(*) FROM signals WHERE kind = 'review')"
    )[0]
    last_day = 200  # reviews of the last day come after the log's end
    assert 0 <= chosen - reviews <= last_day
    assert ask("SELECT count(*) > 0 FROM draws WHERE NOT chosen") == [(True,)]


def test_text_is_kept_for_reviewed_decisions_only(ask):
    assert ask(
        "SELECT count(*) FROM decisions d JOIN draws w USING (decision_id) WHERE (d.prompt IS NOT NULL) <> w.chosen"
    ) == [(0,)]
    assert ask("SELECT count(*) > 0 FROM decisions WHERE prompt IS NOT NULL") == [(True,)]


@pytest.mark.parametrize(("text", "share"), [("all", 1.0), ("none", 0.0)])
def test_text_of_all_or_none(tmp_path, text, share):
    p = dataclasses.replace(SMALL, pre_weeks=0, weeks=1, queries_per_day=100)
    write_incident(p, tmp_path / "log", text=text)
    files = str(tmp_path / "log" / "decisions" / "*" / "live.parquet")
    with duckdb.connect() as connection:
        got = connection.execute("SELECT avg(CAST(prompt IS NOT NULL AS INTEGER)) FROM read_parquet($f)", {"f": files})
        assert got.fetchall() == [(share,)]


def test_judged_requests_list_their_calls_and_pay_for_them(ask):
    judged = ask(
        "SELECT count(*), max(abs(list_sum([c.cost_usd for c in calls]) - cost_usd)) FROM decisions WHERE calls IS NOT NULL"
    )
    n, difference = judged[0]
    assert n == ask("SELECT count(*) FROM signals WHERE kind = 'judge'")[0][0]
    assert difference == pytest.approx(0.0, abs=1e-9)


def test_only_traffic_is_live_and_the_suite_has_no_user(ask):
    assert ask("SELECT count(*) FROM decisions WHERE origin = 'suite' AND user_id IS NOT NULL") == [(0,)]
    assert ask("SELECT count(DISTINCT CAST(event_time AS DATE)) FROM decisions WHERE origin = 'suite'") == [(4,)]


def test_before_routing_the_router_only_observes(ask):
    start = SMALL.routing_from.replace(tzinfo=None)
    assert ask(f"SELECT DISTINCT mode FROM decisions WHERE event_time < '{start}'") == [("observe",)]
    assert ask(f"SELECT count(*) FROM decisions WHERE event_time < '{start}' AND tier = 'cheap'") == [(0,)]
    assert ask(f"SELECT DISTINCT mode FROM decisions WHERE event_time >= '{start}'") == [("route",)]


def test_no_holdout_can_be_asked_for(tmp_path):
    p = dataclasses.replace(SMALL, pre_weeks=0, weeks=1, queries_per_day=200, holdout=0.0)
    write_incident(p, tmp_path / "log")
    files = str(tmp_path / "log" / "decisions" / "*" / "live.parquet")
    with duckdb.connect() as connection:
        assert connection.execute(
            "SELECT DISTINCT arm, arm_probability FROM read_parquet($f)", {"f": files}
        ).fetchall() == [("treatment", 1.0)]
