"""Rows (d) and (e): a judge whose word counts, as a reference, and a judge that human labels correct."""

from functools import partial

import numpy as np

from detection.design_rows import Row, bench_rows
from report import Report
from undertow.detectors.anchored import AnchoredDay, AnchoredDetector
from undertow.detectors.e_detector import EDetector
from undertow.simulation.story import StoryModel, baseline, cells, hidden_share
from undertow.simulation.story_judged import (
    anchored_information,
    draw_joint,
    drifted,
    joint_rates,
    judged_information,
    shadow_pairs,
)
from undertow.stats.betting import log_bernoulli_bets, log_stratified_bets

WEIGHTS_D = {"tier": 0.15, "capable": 0.1, "tail": 0.15, "segment": 0.2, "judge tier": 0.2, "judge segment": 0.2}
WEIGHTS_E = {"anchored tier": 0.25, "capable": 0.2, "anchored tail": 0.25, "tail": 0.15, "segment": 0.15}
WEIGHTS_JUDGE = {"judge tier": 0.5, "judge segment": 0.5}


def quotas(model: StoryModel) -> tuple[int, int]:
    """Reviews of the common and of the tail stratum of the cheap tier a day."""
    return model.cheap_reviews - model.tail_reviews, model.tail_reviews


def judged_evidence(
    model: StoryModel,
    runs: int,
    rng: np.random.Generator,
    weights: dict[str, float],
    judge_drift: float = 0.0,
) -> np.ndarray:
    """Weighted evidence at the end of each day, known baselines: stratified reviews, all of them judged, and shadow pairs.

    Args:
        model: The scenario.
        runs: How many at once.
        rng: Source of randomness.
        weights: Streams and their weights; those named `anchored` use prediction-powered bets, `judge` the verdicts alone.
        judge_drift: Good answers that the judge flags in addition from day 30 on, a fraction.

    Returns:
        Shape (days, runs).
    """
    null = baseline(model)
    segments, quota = len(model.segment_shares), quotas(model)
    capable_n = model.reviews_per_day - model.cheap_reviews
    by_stratum, whole = null.cells.by_stratum(), null.cells.whole()
    weight = null.cells.share.sum(0) / (np.array(quota) / sum(quota))
    judge_whole = float((null.cells.share * null.cells.judge_rate).sum())
    judge_segment = (null.cells.share * null.cells.judge_rate).sum(1) / null.cells.share.sum(1)
    plain = {name: EDetector.start((runs,) if "segment" not in name else (runs, segments), 9) for name in weights if not name.startswith("anchored")}  # fmt: skip
    anchored = {
        "anchored tier": AnchoredDetector.start((runs,), 2),
        "anchored tail": AnchoredDetector.start((runs,), 1),
    }
    out = np.zeros((model.days, runs))
    for day in range(model.days):
        hidden, today = hidden_share(model, day), drifted(model, day, judge_drift)
        now, joint = cells(today, hidden), joint_rates(today, hidden)
        n = np.stack([rng.multinomial(q, now.share[:, b] / now.share[:, b].sum(), runs) for b, q in enumerate(quota)], -1)  # fmt: skip
        labelled = draw_joint(n.reshape(runs, -1), joint.reshape(-1, 2, 2), rng).reshape(runs, segments, 2, 2, 2)
        pairs = rng.multinomial(int(shadow_pairs(model, day)), now.share.ravel(), runs).reshape(runs, segments, 2)
        flagged = rng.binomial(pairs, now.judge_rate)
        flags, strata = labelled[..., 1, :].sum(-1), labelled.sum(1)
        capable = rng.binomial(capable_n, null.capable, runs)
        bets = {
            "tier": lambda f=flags: log_stratified_bets(f.sum(1) * weight, np.array(quota) * weight, weight, whole),
            "capable": lambda k=capable: log_bernoulli_bets(k, capable_n, null.capable),
            "tail": lambda f=flags: log_bernoulli_bets(f[..., 1].sum(1), quota[1], by_stratum[1]),
            "segment": lambda f=flags, n=n: log_bernoulli_bets(f, n, null.cells.flag_rate).sum(-2),
            "judge tier": lambda k=flagged, n=pairs: log_bernoulli_bets(k.sum((1, 2)), n.sum((1, 2)), judge_whole),
            "judge segment": lambda k=flagged, n=pairs: log_bernoulli_bets(k.sum(2), n.sum(2), judge_segment),
        }
        plain = {name: detector.update(bets[name]()) for name, detector in plain.items()}
        if "anchored tier" in weights:
            verdicts = np.stack([pairs - flagged, flagged], -1).sum(1)
            tail = AnchoredDay(strata[:, 1:].astype(float), verdicts[:, 1:].astype(float))
            anchored = {
                "anchored tier": anchored["anchored tier"].update(
                    AnchoredDay(strata.astype(float), verdicts.astype(float)), now.share.sum(0), np.full(runs, whole)
                ),
                "anchored tail": anchored["anchored tail"].update(tail, [1.0], np.full(runs, by_stratum[1])),
            }
        for name, share in weights.items():
            part = (plain.get(name) or anchored[name]).evidence
            out[day] += share * (part.mean(-1) if "segment" in name else part)
    return out


def _labels(model: StoryModel) -> np.ndarray:
    share = baseline(model).cells.share
    return np.array(quotas(model)) * share / share.sum(0)


JUDGED_ROWS = (
    Row("d", "+ judge's word counts: reference", partial(judged_evidence, weights=WEIGHTS_D),
        lambda m: judged_information(m, _labels(m))),
    Row("e", "+ PPI++, human-anchored", partial(judged_evidence, weights=WEIGHTS_E),
        lambda m: anchored_information(m, quotas(m))),
)  # fmt: skip


def bench_judged_rows(report: Report, runs: int, null_runs: int) -> None:
    """Delays and false alarms of rows (d) and (e)."""
    bench_rows(report, runs, null_runs, JUDGED_ROWS)
