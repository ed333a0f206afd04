"""Intervals of downstream cost hold whenever one looks, from the first days on, in which a small holdout has seen no event at all."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from cells_factory import FIRST, build, exposed, outcome, served
from undertow.ledger.downstream import Contrast, downstream
from undertow.ledger.usd import OutcomePrice
from undertow.records.cells import ARM_HOLDOUT, ARM_TREATMENT, OutcomeCells

pytestmark = pytest.mark.statistical

DAYS, RUNS, LEVEL = 90, 100, 0.95
USERS, HELD = 256, 64
TICKET = OutcomePrice("ticket", 5.0, maturity_days=0.0)
LOOKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 90)
LOG = build(
    served("cheap", 1, days=DAYS),
    exposed("cheap", 40, days=DAYS, clusters=range(USERS)),
    exposed("capable", 4, days=DAYS, clusters=range(USERS, USERS + HELD), arm="holdout"),
    outcome("ticket", "cheap", 0, days=1, clusters=[0]),
)


def events_of(rate, held, each, rng):
    """Events of either arm as a table, `each` at a time."""
    parts = []
    for arm, first, clusters, decisions, p in (
        (ARM_TREATMENT, 0, USERS, 40, rate), (ARM_HOLDOUT, USERS, HELD, 4, held),
    ):  # fmt: skip
        many = each * rng.poisson(decisions * p / each, (DAYS, clusters))
        day, cluster = np.nonzero(many)
        n = many[day, cluster].astype(float)
        parts.append((FIRST + day, np.full(len(day), arm), first + cluster, n))
    day, arm, cluster, n = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    zeros = np.zeros(len(day), np.int64)
    return OutcomeCells(zeros, day, day, arm, zeros, cluster, n, n)


def is_missed(rate, held, each, rng):
    """Whether the interval ever leaves out the difference, USD a month."""
    outcomes = events_of(rate, held, each, rng)
    truth = TICKET.usd * USERS * 40 * 30.4375 * (rate - held)
    for days in LOOKS:
        cells = replace(
            LOG,
            outcomes=outcomes.take(outcomes.bucket < FIRST + days),
            exposure=LOG.exposure.take(LOG.exposure.bucket < FIRST + days),
            last_available=(FIRST + days) * 86_400.0,
        )
        (item,) = downstream(cells, (TICKET,), Contrast(True, "", FIRST), float(days), LEVEL).items
        if item.interval is not None and not item.interval[0] <= truth <= item.interval[1]:
            return True
    return False


@pytest.mark.parametrize(("rate", "held", "each"), [(0.002, 0.002, 1), (0.004, 0.002, 1), (0.002, 0.002, 5)])
def test_it_hardly_ever_misses_at_any_look(rate, held, each):
    rng = np.random.default_rng(31)
    missed = sum(is_missed(rate, held, each, rng) for _ in range(RUNS))
    assert missed <= binom.ppf(0.999, RUNS, 1.0 - LEVEL)
