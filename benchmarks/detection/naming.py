"""What an alarm of row (c) says: which tier, which segment, since when."""

import numpy as np

from detection.common import LOSSES, PRODUCT_LINE, share_interval
from detection.design_rows import WEIGHTS_C, evidence_stratified, summed
from report import Report
from undertow.detectors.e_detector import first_crossing
from undertow.detectors.locating import segment_of_rise
from undertow.detectors.onset import estimate_onset
from undertow.simulation.story import TierCounts, baseline, draw_by_tier, scenario


def with_total(counts: TierCounts, run: int, days: slice) -> tuple[np.ndarray, np.ndarray]:
    """Flags and labels of a run over some days, row 0 the whole tier, then its segments. Shapes (1 + S, H)."""
    k, n = counts.flags[days, run].sum(0).astype(float), counts.n[days, run].sum(0).astype(float)
    return np.concatenate([k.sum(0, keepdims=True), k]), np.concatenate([n.sum(0, keepdims=True), n])


def bench_naming_and_onset(report: Report, runs: int) -> None:
    """At the alarm of row (c) at the product's line: which tier, which segment, since when."""
    print("\nAt the alarm (row c, 7200): what it says")
    head = f"{'scenario':10s} {'alarms':>7s} {'tier right':>11s} {'segment named':>14s} {'of these right':>15s} {'neither wrong':>14s}"
    print(f"{head} {'onset covered':>14s} {'its width':>10s}")
    for name in LOSSES:
        model = scenario(name)
        null = baseline(model)
        counts = draw_by_tier(model, runs, np.random.default_rng([report.seed, 3, LOSSES.index(name)]), stratified=True)
        evidence = evidence_stratified(model, counts)
        total = summed(evidence, WEIGHTS_C)
        day = first_crossing(total, PRODUCT_LINE)
        tier_ok = named = right = neither = covered = alarms = 0
        width = []
        pooled = (
            float(null.cells.by_stratum() @ [model.cheap_reviews - model.tail_reviews, model.tail_reviews])
            / model.cheap_reviews
        )
        for run in np.flatnonzero(day >= model.onset_day):
            end = int(day[run]) + 1
            alarms += 1
            parts = {
                k: WEIGHTS_C[k] * (v[end - 1, run].mean() if k == "segment" else v[end - 1, run])
                for k, v in evidence.items()
            }
            tier = parts["capable"] < 0.5 * sum(parts.values())
            onset = estimate_onset(counts.flags[:end, run].sum((1, 2)), float(model.cheap_reviews), pooled)
            split = int(onset.day)
            before, after = (with_total(counts, run, part) for part in (slice(0, split), slice(split, end)))
            found = segment_of_rise(*before, *after, keys=np.zeros(len(model.segment_shares)))
            segment = -1 if found is None else found
            tier_ok += tier
            named += segment >= 0
            right += segment == model.worst_segment
            neither += tier and segment in (-1, model.worst_segment)
            covered += bool(onset.low <= model.onset_day <= onset.high)
            width.append(int(onset.high - onset.low) + 1)
        share = neither / alarms
        print(f"{name:10s} {alarms:7d} {tier_ok / alarms:11.1%} {named / alarms:14.1%} {right / max(named, 1):15.1%} {share:14.1%} "
              f"{covered / alarms:14.1%} {np.median(width):8.0f} d")  # fmt: skip
        report.add(f"{name}: tier named correctly", "at least 95 % of alarms", 0.95, tier_ok / alarms, share_interval(tier_ok, alarms),
                   alarms, tier_ok / alarms >= 0.95)  # fmt: skip
        report.add(f"{name}: tier right, and the worst segment or the whole tier named", "at least 95 % of alarms", 0.95, share,
                   share_interval(neither, alarms), alarms, share >= 0.95)  # fmt: skip
        report.add(f"{name}: named segment is the worst one", "at least 95 % of named segments", 0.95, right / max(named, 1),
                   share_interval(right, max(named, 1)), named, None if named < 20 else right / named >= 0.95)  # fmt: skip
        report.add(f"{name}: alarms that name a segment (else the whole tier)", "shown", None, named / alarms,
                   share_interval(named, alarms), alarms, None)  # fmt: skip
        report.add(f"{name}: onset interval covers the truth", "at least 90 %", 0.90, covered / alarms,
                   share_interval(covered, alarms), alarms, covered / alarms >= 0.90)  # fmt: skip
