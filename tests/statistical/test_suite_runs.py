"""However often a suite that got no worse is run, it is called worse with probability at most alpha."""

import numpy as np
import pytest
from scipy.stats import binom

from suite_runs import run_of
from undertow.records.suite import ROUTED
from undertow.suites.comparing import Cell, IndexedRun, cells_of, change_evidence, level_evidence

pytestmark = pytest.mark.statistical

ALPHA, CASES, RUNS, SIMULATIONS = 0.05, 40, 10, 80
LINE = np.log10(2 / ALPHA)


def runs_of(rng, probability):
    """Runs of one suite whose cases keep their probabilities; by the way it is drawn, all tiers alike."""
    return [
        IndexedRun(
            run_of(
                {t: (rng.random(CASES) < probability(k)).astype(float) for t in (ROUTED, "cheap", "capable")},
                k, segment=lambda case: {"intent": "abc"[case % 3]},
            )
        )
        for k in range(RUNS)
    ]  # fmt: skip


def is_ever_worse(runs):
    cells = cells_of(runs[0])
    return any(
        (found := change_evidence(runs[: k + 1], cell)) is not None and found.log10 >= LINE
        for k in range(1, RUNS)
        for cell in cells
    )


def most_alarms(simulations):
    """More than this many come once in a thousand studies, if each has probability alpha / 2."""
    return binom.ppf(0.999, simulations, ALPHA / 2)


@pytest.mark.parametrize("kind", ["flaky", "mixed", "swapping"])
def test_a_change_is_rarely_seen_where_there_is_none(kind):
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(SIMULATIONS):
        easy = np.full(CASES, 0.5) if kind == "flaky" else rng.beta(3, 0.6, CASES)
        # What single cases do is free: here others are the hard ones in every run, and the mean stays.
        alarms += is_ever_worse(runs_of(rng, lambda _: rng.permutation(easy) if kind == "swapping" else easy))  # noqa: B023
    assert alarms <= most_alarms(SIMULATIONS)


def test_a_level_at_the_margin_is_rarely_seen():
    rng = np.random.default_rng(5)
    alarms, margin = 0, 0.05
    for _ in range(SIMULATIONS):
        capable = rng.beta(6, 1, CASES)
        cheap = np.clip(capable - margin, 0, 1)
        runs = [
            IndexedRun(
                run_of({
                    ROUTED: (rng.random(CASES) < cheap).astype(float), "capable": (rng.random(CASES) < capable).astype(float),
                }, k)
            )
            for k in range(RUNS)
        ]  # fmt: skip
        cell = Cell(ROUTED, "", 1.0)
        alarms += any(level_evidence(runs[: k + 1], cell, "capable", margin).log10 >= LINE for k in range(RUNS))
    assert alarms <= most_alarms(SIMULATIONS)


def test_a_large_loss_is_seen_within_three_runs_and_goes_with_its_cause():
    rng = np.random.default_rng(6)
    seen = gone = 0
    for _ in range(40):
        easy = rng.beta(8, 0.5, CASES)
        hard = np.where(rng.random(CASES) < 0.5, 0.2 * easy, easy)
        runs = runs_of(rng, lambda k: hard if 4 <= k < 7 else easy)  # noqa: B023
        cell = Cell("cheap", "", 1 / 3)
        seen += any(change_evidence(runs[: k + 1], cell).log10 >= LINE for k in (4, 5, 6))
        gone += change_evidence(runs[:10], cell).log10 < LINE
    assert (seen, gone) >= (36, 36)
