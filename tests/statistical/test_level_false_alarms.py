"""Level monitors under the null: the mean of the summed evidence and false alarms, whatever the days do to both sides alike."""

import numpy as np
import pytest

from cells_factory import FIRST, build, labels, served
from undertow.detectors.level import Group, contrast_evidence, pairs_evidence
from undertow.records.label_grid import daily_effective, label_grid, signal_units

DAYS, LINE, RUNS = 60, 600.0, 300
MARGIN = 0.02


def groups(rng, *, share, noise, sizes):
    """Cheap, rest and holdout on the border of the null, with a day effect that all three share."""
    day = np.clip(rng.normal(0.0, noise, DAYS), -0.04, 0.3)
    rest, held = 0.12 + day, 0.08 + day
    cheap = (held + share * MARGIN - (1 - share) * rest) / share
    out = []
    for rate, size, coef in zip((cheap, rest, held), sizes, (share, 1 - share, -1.0), strict=True):
        n = rng.poisson(size, DAYS).astype(float)
        out.append(Group(rng.binomial(n.astype(int), np.clip(rate, 0.0, 1.0)).astype(float), n, np.full(DAYS, coef)))
    return [g for g in out if np.abs(g.coef[0]) > 1e-9]


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("share", "noise", "sizes"),
    [(0.65, 0.0, (40, 15, 12)), (0.65, 0.05, (40, 15, 12)), (1.0, 0.05, (60, 0, 20)), (0.8, 0.03, (6, 2, 2))],
    ids=["still days", "restless days", "all cheap", "few labels"],
)
def test_evidence_on_the_border_of_the_null_is_at_most_the_number_of_blocks(share, noise, sizes):
    rng = np.random.default_rng([41, int(100 * share), int(1000 * noise)])
    bound = np.full(DAYS, share * MARGIN)
    paths = np.array(
        [contrast_evidence(groups(rng, share=share, noise=noise, sizes=sizes), bound) for _ in range(RUNS)]
    )
    # Evidence is heavy-tailed: what the sample's mean may exceed is bounded through the truncated variable.
    capped = np.minimum(paths[:, -1], LINE)
    assert capped.mean() - 3 * capped.std() / np.sqrt(RUNS) <= DAYS
    alarms = (paths.max(axis=1) >= LINE).mean()
    allowed = DAYS / LINE
    assert alarms <= allowed + 3 * np.sqrt(allowed * (1 - allowed) / RUNS)


@pytest.mark.statistical
def test_a_loss_inside_the_margin_alarms_no_more():
    rng = np.random.default_rng(42)
    bound = np.full(DAYS, MARGIN)
    alarms = 0
    for _ in range(RUNS):
        n = np.full(DAYS, 30.0)
        sides = [
            Group(rng.binomial(30, p, DAYS).astype(float), n, np.full(DAYS, c)) for p, c in ((0.06, 1.0), (0.05, -1.0))
        ]
        alarms += contrast_evidence(sides, bound).max() >= LINE
    assert alarms / RUNS <= DAYS / LINE


@pytest.mark.statistical
def test_a_segment_whose_tail_is_steered_to_is_still_held_to_its_mean():
    """Fifty labels a day of its tail, one of the rest: on days without that one, the tail must not pass for the segment."""
    rng = np.random.default_rng(44)
    tail, rest = 0.10, 0.02
    bound = np.full(DAYS, 0.2 * tail + 0.8 * rest)
    alarms = 0
    for _ in range(RUNS):
        often, seldom = (
            labels("cheap", n, rng.binomial(n, rate), days=DAYS, stratum=stratum, weight=weight)
            for stratum, (n, rate, weight) in enumerate(
                ((rng.poisson(50.0, DAYS), tail, 60 / 50), (rng.poisson(1.0, DAYS), rest, 240.0))
            )
        )
        cells = build(served("cheap", 300, days=DAYS), often, seldom, tiers=("cheap", "capable"))
        grid = label_grid(cells, signal_units(cells)[0], 0, first_bucket=FIRST, buckets=DAYS)
        alarms += contrast_evidence([Group(*daily_effective(grid, [0]), np.ones(DAYS))], bound).max() >= LINE
    allowed = DAYS / LINE
    assert alarms / RUNS <= allowed + 3 * np.sqrt(allowed * (1 - allowed) / RUNS)


@pytest.mark.statistical
def test_pairs_on_the_border_of_the_null():
    rng = np.random.default_rng(43)
    n = np.full(DAYS, 20.0)
    paths = []
    for _ in range(RUNS):
        lost, won, _ = rng.multinomial(20, [0.10, 0.08, 0.82], DAYS).T.astype(float)
        paths.append(pairs_evidence(n, lost, won, MARGIN))
    paths = np.array(paths)
    capped = np.minimum(paths[:, -1], LINE)
    assert capped.mean() - 3 * capped.std() / np.sqrt(RUNS) <= DAYS
    assert (paths.max(axis=1) >= LINE).mean() <= DAYS / LINE + 3 * np.sqrt(DAYS / LINE / RUNS)
