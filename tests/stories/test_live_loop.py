"""The support incident with everything live: draws, pairs, a judge's run, reviews and the keeper's looks, day by day through a real store."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from undertow.adapters.store.rates_file import read_rates

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def live(monkeypatch):
    """The benchmark's modules, as they stand beside the package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield import_module("detection.live_loop")
    for name in [name for name in sys.modules if name.partition(".")[0] in {"detection", "report"}]:
        del sys.modules[name]


def test_a_loss_is_suspected_reviewed_and_told_where_it_is(live):
    found = live.run_job(live.Job("half", 20260, 2_000, 18, 12))
    assert found.suspected_on is not None, "the judge sends the reviews to the right cell"
    assert found.alarm is not None
    assert found.delay > found.suspected_on
    assert (found.alarm.tier, found.alarm.cause, found.alarm.basis) == ("cheap", "routing", "human")
    assert str(found.alarm.segment) in {"intent=billing", "whole tier"}
    assert found.covers, "the onset's interval holds the true day"
    assert found.others == []
    assert found.reviews == pytest.approx(200, rel=0.1)
    assert found.draws_match
    assert found.watching == pytest.approx(1.0, rel=0.02), "all of what watching cost is in the ledger"


def test_nothing_is_told_of_a_store_that_stays_well(live, tmp_path):
    """Through the switch from equal rates to planned ones, in a store whose first days are drawn undivided."""
    world = live.World(tmp_path, live.Job("healthy", 3, 1_000, None, 14).model, live.Design(decisions=700), 3)
    assert read_rates(tmp_path) is None
    changed = []
    for _ in range(14):
        world.live()
        seen = world.look()
        changed.append(seen.is_changed)
        assert seen.report is not None
        assert seen.report.alarms == ()
        assert seen.suspicions == ()
    assert changed[0]
    assert sum(changed[5:]) <= 4, "rates stay while the volumes only wobble"
    assert read_rates(tmp_path).tail_cuts.keys() == {"cheap", "capable"}
