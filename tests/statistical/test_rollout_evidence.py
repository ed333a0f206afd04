"""The whole way from a log to a rollout's bounds: pairs that come late, looked at every other day, never show a loss at the margin to lie below it."""

import numpy as np
import pytest
from scipy.stats import binom

from cells_factory import FIRST, build, day, labels, served
from undertow.records.cut import cut_cells
from undertow.records.guard import RolloutState
from undertow.records.report import AuditSettings
from undertow.services.rollout_evidence import rollout_evidence

pytestmark = pytest.mark.statistical

DAYS, PAIRS, MARGIN, RUNS = 40, 200, 0.02, 120
ERROR = 0.05 / 2 / 2
"""Half of the error is for whole tiers, half of that above."""
DISCORDANT = 0.12
STATE = RolloutState(
    policy="auto", version="v1", stages=(0.05, 1.0), stage={"": 0}, since={"": day(0).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
)  # fmt: skip


def candidate(loss, rng):
    """A log of pairs: half of each day's come at once, the others two days late; the late ones were the harder requests."""
    parts = [served("cheap", 4000, days=DAYS), served("capable", 400, days=DAYS)]
    for delay, shift in ((0, -0.02), (2, 0.02)):
        n = PAIRS // 2
        worse, better = 0.5 * (DISCORDANT + loss) + shift, 0.5 * (DISCORDANT - loss) + shift
        lost = rng.binomial(n, worse, DAYS)
        won = rng.binomial(n - lost, better / (1.0 - worse))
        parts.append(labels("cheap", n, lost, days=DAYS, delay=delay, pairs=True, lost=lost, won=won))
    return build(*parts)


def shown(cells):
    """First look at which the tier is shown to lose less than the margin, or None."""
    for look in range(2, DAYS, 2):
        found = rollout_evidence(cut_cells(cells, FIRST + look), AuditSettings(), STATE, day(0), margin=MARGIN)
        if found and found[0].whole.high < MARGIN:
            return look
    return None


def test_a_candidate_at_the_margin_is_hardly_ever_shown_to_be_below_it():
    rng = np.random.default_rng(11)
    wrong = sum(shown(candidate(MARGIN, rng)) is not None for _ in range(RUNS))
    assert wrong <= binom.ppf(0.999, RUNS, ERROR)


def test_a_candidate_that_loses_nothing_is_shown_in_weeks():
    rng = np.random.default_rng(12)
    looks = [shown(candidate(0.0, rng)) for _ in range(24)]
    assert sum(look is not None for look in looks) >= 20
