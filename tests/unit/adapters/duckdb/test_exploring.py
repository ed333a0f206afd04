"""Single decisions of a log: newest first, filtered, paged without a gap, and with what signals say of each."""

import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from explorer_factory import NOON, record, some, text, write_signals, write_store
from undertow.adapters.duckdb.exploring import AT_ONCE, DuckDbDecisionBook
from undertow.adapters.duckdb.inputs import LogInputs
from undertow.errors import LogError
from undertow.records.exploring import UNSERVED, Cursor, DecisionFilter
from undertow.records.sampling import Drawn
from undertow.records.segment import Segment

SIGNALS = (
    {"decision_id": "d0001", "value": 0.0},
    {"decision_id": "d0002", "value": 1.0},
    {"conversation_id": "c5", "kind": "rating", "name": "stars", "value": 0.25},
    {"decision_id": "d0007", "kind": "outcome", "name": "ticket", "value": 0.0},
)


@pytest.fixture
def store(tmp_path):
    return write_store(tmp_path / "store", *some(), signals=SIGNALS)


def book(store, **options):
    return DuckDbDecisionBook(LogInputs((str(store),)), **options)


def ids(page):
    return [row.decision_id for row in page.rows]


def everything(found, wanted=None, limit=7):
    after, seen = None, []
    for _ in range(100):
        page = found.page(wanted or DecisionFilter(), after, limit, with_text=False)
        seen += ids(page)
        after = page.after
        if after is None:
            return seen
    raise AssertionError


def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repetition(store):
    assert everything(book(store)) == [f"d{number:04d}" for number in range(40)]


def test_what_came_at_one_moment_is_paged_too(tmp_path):
    store = write_store(tmp_path / "s", *(record(number, NOON) for number in range(20)))
    assert everything(book(store), limit=3) == [f"d{number:04d}" for number in reversed(range(20))]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (DecisionFilter(tier="capable"), [n for n in range(40) if n % 3 == 0]),
        (DecisionFilter(segment=Segment("intent", "billing")), [n for n in range(40) if n % 2]),
        (DecisionFilter(segment=Segment("intent", "nope")), []),
        (DecisionFilter(reason="unsure", segment=Segment("intent", "billing")), [n for n in range(40) if n % 3 == 0 and n % 2]),
        (DecisionFilter(arm="holdout"), []),
        (DecisionFilter(first_day=date(2026, 3, 9), last_day=date(2026, 3, 9)), [n for n in range(40) if (NOON - timedelta(hours=2.4 * n)).date() == date(2026, 3, 9)]),
        (DecisionFilter(label="failed"), [1, 10, 11]),
        (DecisionFilter(label="ok"), [2]),
        (DecisionFilter(label="failed", tier="capable"), []),
        (DecisionFilter(label="none"), [n for n in range(40) if n not in {1, 2, 10, 11}]),
        (DecisionFilter(tier=UNSERVED), []),
    ],
)  # fmt: skip
def test_filters(store, wanted, expected):
    assert everything(book(store), wanted) == [f"d{number:04d}" for number in expected]


def test_rows_bear_what_signals_of_quality_say(store):
    rows = {row.decision_id: row for row in book(store).page(DecisionFilter(), None, 40, with_text=False).rows}
    assert (rows["d0001"].signals, rows["d0001"].worst) == (1, 0.0)
    assert (rows["d0010"].signals, rows["d0010"].worst) == (1, 0.25)  # of its conversation
    assert (rows["d0007"].signals, rows["d0007"].worst) == (0, None)  # an outcome is no quality
    row = rows["d0003"]
    assert (row.tier, row.escalated, row.reason, row.segment) == ("capable", True, "unsure", {"intent": "billing"})
    assert (row.event_time.tzinfo, row.confidence, row.cost_usd) == (UTC, 0.4, 0.0021)


def test_text_is_read_only_where_it_is_asked_for_and_never_of_what_is_judged_blind(tmp_path):
    drawn = (Drawn("review", "tail", 0.5, True),)
    store = write_store(
        tmp_path / "s",
        record(1, NOON, prompt="what is <b>this</b>?" * 50),
        record(2, NOON, prompt="secret", draws=drawn),
    )
    with_text = {
        row.decision_id: row.excerpt for row in book(store).page(DecisionFilter(), None, 5, with_text=True).rows
    }
    assert with_text["d0001"].startswith("what is <b>this</b>?")
    assert len(with_text["d0001"]) < 200
    assert with_text["d0002"] is None
    assert {row.excerpt for row in book(store).page(DecisionFilter(), None, 5, with_text=False).rows} == {None}


def test_traffic_that_is_not_live_and_broken_lines_are_left(tmp_path):
    store = write_store(tmp_path / "s", record(1, NOON), record(2, NOON, origin="suite"))
    segment = next((store / "decisions" / "open").glob("*.jsonl"))
    segment.write_bytes(
        segment.read_bytes() + b'{"decision_id": "d0009", "event_time": "not a time"}\nnot json\n{"decision_id": "torn'
    )
    assert everything(book(store)) == ["d0001"]
    assert book(store).one("d0002", None).record.origin == "suite"


def test_converted_files_and_open_segments_are_one_log(tmp_path):
    old, new = some(10, days=2), [record(100, NOON + timedelta(hours=3))]
    store = write_store(tmp_path / "s", *new)
    for each in old:
        folder = store / "decisions" / f"date={each.event_time[:10]}"
        folder.mkdir(exist_ok=True)
        segment = json.dumps(each.segment)
        duckdb.sql(
            f"COPY (SELECT '{each.decision_id}' AS decision_id, CAST(CAST('{each.event_time}' AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP) AS event_time, "
            f"'{each.tier}' AS tier, CAST('{segment}'::JSON AS MAP(VARCHAR, VARCHAR)) AS segment) TO '{folder}/{each.decision_id}.parquet'"
        )
    found = book(store)
    assert everything(found, limit=4) == ["d0100", *(each.decision_id for each in old)]
    assert everything(found, DecisionFilter(segment=Segment("intent", "billing"))) == [e.decision_id for e in old if e.segment == {"intent": "billing"}]  # fmt: skip
    assert found.one("d0003", date(2026, 3, 10)).record.tier == "capable"


def test_a_folder_of_plain_files_is_read_as_well(tmp_path):
    lines = [
        {"decision_id": f"x{n}", "event_time": text(NOON + timedelta(minutes=n)), "tier": "cheap"} for n in range(5)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert everything(book(tmp_path / "log.jsonl"), limit=2) == ["x4", "x3", "x2", "x1", "x0"]


def test_one_decision_with_all_that_names_it(store):
    write_signals(
        store,
        {"signal_id": "t1", "user_id": "u1", "kind": "outcome", "name": "churn", "value": 1.0, "event_time": text(NOON + timedelta(days=3))},
        {"signal_id": "t2", "user_id": "u1", "kind": "outcome", "name": "churn", "value": 1.0, "event_time": text(NOON - timedelta(days=9))},
        {"signal_id": "t3", "decision_id": "d0010", "kind": "outcome", "name": "ticket", "value": 1.0},
        {"signal_id": "t3", "decision_id": "d0010", "kind": "outcome", "name": "ticket", "value": 0.0, "revision": 1, "deleted": True},
    )  # fmt: skip
    found = book(store).one("d0010", None)
    assert found.record.calls[0].model == "small"
    assert found.record.segment == {"intent": "account"}
    # Not the churn before it, nor the ticket that was taken back.
    assert [(each.name, each.by) for each in found.signals] == [("stars", "conversation"), ("churn", "user")]
    assert book(store).one("d0010", date(2020, 1, 1)).record.decision_id == "d0010"  # a wrong day is looked over


@pytest.mark.parametrize("name", ["nope", "", "' OR 1=1 --", "d" * 10_000, "\x00", "d0001\n"])
def test_what_is_not_there_is_not_found(store, name):
    assert book(store).one(name, None) is None


def test_ids_and_segments_are_values_never_part_of_a_statement(tmp_path):
    odd = "a'; DROP TABLE x; --"
    store = write_store(tmp_path / "s", record(1, NOON, decision_id=odd, segment={odd: odd}, tier=odd, reason=odd))
    wanted = DecisionFilter(tier=odd, segment=Segment(odd, odd), reason=odd)
    assert everything(book(store), wanted) == [odd]
    assert book(store).one(odd, None).record.tier == odd


def test_records_that_were_written_twice_are_one_decision_and_hide_no_other(tmp_path):
    twice = [record(number, NOON - timedelta(hours=number)) for number in range(30)]
    store = write_store(tmp_path / "s", *twice)
    write_store(store, *twice)
    assert everything(book(store), limit=5) == [each.decision_id for each in twice]


def test_a_look_that_runs_out_of_time_says_so_and_can_go_on(store):
    page = book(store, limit_s=0.0).page(DecisionFilter(), Cursor(NOON + timedelta(days=1)), 5, with_text=False)
    assert (page.rows, page.stopped_at) == ((), NOON + timedelta(days=1))
    assert page.after == Cursor(NOON + timedelta(days=1))
    assert book(store, limit_s=0.0).page(DecisionFilter(), None, 5, with_text=False).stopped_at is not None
    assert book(store, limit_s=0.0).one("d0001", None) is None


def test_too_many_looks_at_once_are_refused(store, monkeypatch):
    monkeypatch.setattr("undertow.adapters.duckdb.exploring.WAIT_S", 0.01)
    found = book(store)
    for _ in range(AT_ONCE):
        found._turns.acquire()
    with pytest.raises(LogError, match="too many"):
        found.page(DecisionFilter(), None, 5, with_text=False)


def test_a_damaged_file_is_told(store):
    folder = store / "decisions" / "date=2026-03-09"
    folder.mkdir()
    (folder / "x.parquet").write_bytes(b"PAR1" + b"\x00" * 40 + b"PAR1")
    with pytest.raises(LogError, match="cannot be read"):
        book(store).page(DecisionFilter(), None, 5, with_text=False)


def test_an_empty_log_has_no_page(tmp_path):
    (tmp_path / "log.jsonl").write_text("{}\n", encoding="utf-8")
    page = book(tmp_path / "log.jsonl").page(
        DecisionFilter(), Cursor(datetime(2026, 1, 1, tzinfo=UTC)), 5, with_text=True
    )
    assert (page.rows, page.after, page.stopped_at) == ((), None, None)
