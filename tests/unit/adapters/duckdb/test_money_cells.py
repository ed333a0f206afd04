"""Costs and outcomes by month and place are those that a plain count of the rows gives."""

from undertow.ports.audit_source import CellOptions, OutcomeWindow
from undertow.records.money import Place
from unit.adapters.duckdb.logs import decision, read, signal, write_parquet

MARCH = 12 * 2026 + 2
OPTIONS = CellOptions(money=True, outcomes=(OutcomeWindow("ticket", 14.0, 1.0),))


def log(folder, signals=()):
    rows = [
        decision(0, 0, policy_version="v1", arm="treatment"),
        decision(1, 1, policy_version="v1", arm="holdout", tier="capable", cost_usd=0.04),
        decision(2, 24 * 40, policy_version="v2", segment={"intent": "returns"}, baseline_cost_usd=None),
        decision(3, 24 * 40, origin="suite"),
    ]
    given = {"signals": (str(write_parquet(folder / "s.parquet", list(signals))),)} if signals else {}
    return read(write_parquet(folder / "d.parquet", rows), options=OPTIONS, **given)


def by_place(cells, table, value):
    return {
        (cells.money.places[place].name, int(month) - MARCH): float(n)
        for place, month, n in zip(table.place, table.month, getattr(table, value), strict=True)
        if float(n)
    }


def test_each_decision_counts_in_the_whole_its_segment_and_its_version(tmp_path):
    cells = log(tmp_path)
    traffic = cells.money.traffic.take(cells.money.traffic.tier == 0)
    assert cells.money.places[0] == Place("whole")
    assert by_place(cells, traffic, "decisions") == {
        ("", 0): 1, ("intent=billing", 0): 1, ("v1", 0): 1, ("", 1): 1, ("intent=returns", 1): 1, ("v2", 1): 1,
    }  # fmt: skip
    assert by_place(cells, traffic, "baseline_usd") == {("", 0): 0.04, ("intent=billing", 0): 0.04, ("v1", 0): 0.04}
    assert len(cells.money.exposure) == len(cells.money.events) == len(cells.money.reviews) == 0


def test_events_and_reviews_go_to_their_decisions_place_and_what_is_not_ripe_counts_in_neither(tmp_path):
    said = [
        signal(0, 30, kind="outcome", name="ticket", inclusion_probability=None),
        signal(1, 30, kind="outcome", name="ticket", inclusion_probability=None, decision_id=None, user_id="u1"),
        signal(2, 24 * 40 + 1, kind="outcome", name="ticket", inclusion_probability=None),  # of the last day: not ripe
        signal(3, 2, decision_id="d0"),
    ]
    cells = log(tmp_path, said)
    money = cells.money
    assert by_place(cells, money.events, "events") == {("", 0): 1, ("intent=billing", 0): 1, ("v1", 0): 1}
    held = money.events.take(money.events.arm == 1)
    assert held.events.sum() == 3  # whole, segment, version
    assert set(money.exposure.month.tolist()) == {MARCH}
    assert by_place(cells, money.reviews, "reviews") == {("", 0): 1, ("intent=billing", 0): 1, ("v1", 0): 1}


def test_money_is_not_counted_unless_asked_for(tmp_path):
    assert read(write_parquet(tmp_path / "d.parquet", [decision(0)])).money is None
