"""A candidate that loses more than the margin gets beyond its first stage with probability at most alpha, however often one looks."""

import numpy as np
import pytest
from scipy.stats import binom

from guard_factory import at, state, text
from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.rollout import step
from undertow.actions.standing import moved, since_of, stage_of
from undertow.records.serving import RolloutPlan
from undertow.stats.confidence import mean_interval

pytestmark = pytest.mark.statistical

ALPHA, MARGIN = 0.05, 0.02
RUNS, DAYS, PAIRS = 300, 120, 60
SHARES = {"intent=a": 0.6, "intent=b": 0.3, "intent=c": 0.1}
PLAN = RolloutPlan(enabled=True, margin=MARGIN, risk_budget=0.02)
LEVEL, SEGMENT_LEVEL = 1 - ALPHA / 2, 1 - ALPHA / 2 / len(SHARES)


def rollouts(losses: dict[str, float], seed: int, runs: int = RUNS):
    """Places `(stage of all, stages of segments)` over days, by pairs of which `tied` are ties; looked at each day."""
    rng = np.random.default_rng(seed)
    n = {name: round(PAIRS * share) for name, share in SHARES.items()}
    draws = {}
    for name, loss in losses.items():
        worse, better = 0.05 + loss, 0.05
        u = rng.random((runs, DAYS, n[name]))
        draws[name] = np.where(u < worse, 1.0, np.where(u < worse + better, -1.0, 0.0))
    for run in range(runs):
        yield _one({name: each[run] for name, each in draws.items()})


def _one(draws):
    everything = np.concatenate(list(draws.values()), axis=1)
    known = {"": _cumulative(everything, LEVEL)} | {
        name: _cumulative(each, SEGMENT_LEVEL) for name, each in draws.items()
    }
    now, trail, stages = state(), (), []
    began: dict[str, int] = {}
    for day in range(DAYS):

        def place(name, share, day=day, now=now):
            mean, low, high, count = (each[day] for each in known[name])
            since = since_of(now, name)
            start = began.get(since, 0)
            fresh, whole = (
                known[name][3][day] - (known[name][3][start - 1] if start else 0),
                known[""][3][day] - (known[""][3][start - 1] if start else 0),
            )
            return PlaceEvidence(
                name, share, int(count), float(mean), float(low), float(high), since, int(fresh), int(whole)
            )

        tier = TierEvidence("cheap", place("", 1.0), tuple(place(name, share) for name, share in SHARES.items()))
        entries = step(now, [tier], (), PLAN, at(day + 1), trail)
        trail = (*trail, *entries)
        for entry in entries:
            now = moved(now, entry) or now
        began.setdefault(text(day + 1), day + 1)
        stages.append((stage_of(now, ""), {name: stage_of(now, name) for name in SHARES}))
        if now.status == "finished":
            break
    return stages


def _cumulative(values, level):
    count = np.arange(1, DAYS + 1) * values.shape[1]
    found = mean_interval(values.sum(1).cumsum(), (values**2).sum(1).cumsum(), count, level, (-1.0, 1.0))
    return found.mean, found.low, found.high, count


def test_a_candidate_just_beyond_the_margin_stays_at_its_first_stage():
    beyond = dict.fromkeys(SHARES, MARGIN + 0.001)
    advanced = sum(max(front for front, _ in run) > 0 for run in rollouts(beyond, 1))
    assert advanced <= binom.ppf(0.99, RUNS, ALPHA)


def test_a_loss_that_sits_in_one_segment_is_held_back_there():
    """The tier is within the margin; the segment's loss at full exposure is beyond the budget."""
    hidden = {"intent=a": -0.02, "intent=b": 0.08, "intent=c": -0.02}  # .08 * .3 = .024 at full exposure
    exposed = sum(run[-1][1]["intent=b"] == 4 for run in rollouts(hidden, 2, 100))
    assert exposed <= binom.ppf(0.99, 100, ALPHA)


def test_a_healthy_candidate_reaches_all_users():
    ended = [run[-1] for run in rollouts(dict.fromkeys(SHARES, -0.01), 3, 60)]
    assert np.mean([front == 4 and min(segments.values()) == 4 for front, segments in ended]) > 0.9
