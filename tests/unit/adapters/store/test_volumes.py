"""Volumes by tier, label and stratum are those of the log; the engine's long-tail score is the one that workers draw by."""

from datetime import UTC, datetime
from itertools import product

import duckdb
import pytest

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.volumes import LEAST_FOR_CUT, SCORE, measure_volumes
from undertow.records.decision import Call, DecisionRecord
from undertow.records.serving import StorePlan
from undertow.sampling.long_tail import long_tail_score

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_the_engine_scores_as_the_worker_does():
    values = [None, 0.0, 0.3, 1.0, 2.5, -1.0, float("nan")]
    engine = duckdb.connect()
    for confidence, novelty, disagreement in product(values, repeat=3):
        (row,) = engine.execute(
            f"SELECT {SCORE} FROM (SELECT ?::DOUBLE AS confidence, ?::DOUBLE AS novelty, ?::DOUBLE AS disagreement)",
            [confidence, novelty, disagreement],
        ).fetchall()
        assert row[0] == pytest.approx(long_tail_score(confidence, novelty, disagreement), abs=1e-12)


def store(path, records):
    log = StoreDecisionLog(StorePlan(path=str(path)), "w0")
    for i, given in enumerate(records):
        known = {"decision_id": f"d{i}", "event_time": "2026-03-19T00:00:00.000Z", "tier": "cheap", "status": "ok"}
        log.finish(DecisionRecord(**(known | given)))
    log.close()
    compact(path)


def test_decisions_are_counted_by_stratum_and_label(tmp_path):
    store(
        tmp_path,
        [
            *[{"confidence": 0.5, "segment": {"intent": "a"}, "event_time": f"2026-03-{10 + i}T00:00:00.000Z"} for i in range(5)],
            *[{"confidence": 0.9, "segment": {"intent": "a", "channel": "web"}}] * 10,
            {"tier": "capable", "calls": (Call(tier="capable", cost_usd=0.02), Call(tier="cheap", cost_usd=9.0))},
            {"tier": None, "status": "error"},
            {"origin": "suite"},
            {"event_time": "2026-01-01T00:00:00.000Z"},
        ],
    )  # fmt: skip
    found = measure_volumes(tmp_path, "capable", NOW, {"cheap": 0.4})
    cells = {(c.tier, c.segment, c.stratum): c.per_day for c in found.cells}
    days = found.days
    assert days == pytest.approx(9.0)
    assert cells["cheap", "", "tail"] == pytest.approx(5 / days)
    assert cells["cheap", "", "common"] == pytest.approx(10 / days)
    assert cells["cheap", "intent=a", "tail"] == pytest.approx(5 / days)
    assert cells["cheap", "channel=web", "common"] == pytest.approx(10 / days)
    assert cells["capable", "", "common"] == pytest.approx(1 / days)
    assert len(cells) == 6
    assert found.capable_usd == pytest.approx(0.02)
    assert found.tail_shares == {"cheap": pytest.approx(1 / 3)}
    assert found.cuts == {}  # too few to cut by


def test_the_cut_leaves_a_fifth_beyond_it(tmp_path):
    store(tmp_path, [{"confidence": 1.0 - i / LEAST_FOR_CUT} for i in range(LEAST_FOR_CUT)])
    found = measure_volumes(tmp_path, "capable", NOW, {})
    assert found.cuts["cheap"] == pytest.approx(0.8, abs=0.01)
    again = measure_volumes(tmp_path, "capable", NOW, found.cuts)
    assert again.tail_shares["cheap"] == pytest.approx(0.2, abs=0.01)


def test_a_new_store_has_nothing(tmp_path):
    assert measure_volumes(tmp_path, "capable", NOW, {}).cells == ()


def test_a_tier_that_has_grown_is_counted_by_its_last_day(tmp_path):
    store(
        tmp_path,
        [
            *[{"event_time": f"2026-03-{day:02}T12:00:00.000Z", "tier": tier} for day in range(9, 19) for tier in ["cheap"] * 20 + ["capable"] * 100],
            *[{"event_time": f"2026-03-19T12:00:{i % 60:02}.000Z", "tier": tier} for i in range(100) for tier in ("cheap", "cheap", "capable")],
        ],
    )  # fmt: skip
    cells = {c.tier: c.per_day for c in measure_volumes(tmp_path, "capable", NOW, {}).cells}
    assert cells["cheap"] == pytest.approx(200)
    assert cells["capable"] == pytest.approx(110, rel=0.01)  # eleven days, of which the first and the last are halves
