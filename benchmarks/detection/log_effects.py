"""Row (c) under what a real log adds: labels of a day that move together, and rates that nobody knows in advance."""

import numpy as np

from detection.common import LOSSES, PRODUCT_LINE, days_text, delays, quantile_interval, share_interval
from detection.design_rows import WEIGHTS_C, Evidence, evidence_stratified, summed
from report import Report
from undertow.detectors.self_calibrating import default_warmup, run_self_calibrating
from undertow.simulation.story import TierCounts, draw_by_tier, healthy, scenario
from undertow.stats.day_effects import estimate_day_effect


def evidence_unknown_baseline(counts: TierCounts, baseline_days: int) -> Evidence:
    """Row (c) as a log without known rates has it: every stream calibrates itself on its own first days.

    Strata are pooled, as the quotas are fixed.
    """
    warmup = default_warmup(baseline_days)
    flags, n = counts.flags.astype(float), counts.n.astype(float)

    def calibrated(k: np.ndarray, labels: np.ndarray | float) -> np.ndarray:
        return run_self_calibrating(k[..., None], np.broadcast_to(labels, k.shape)[..., None], warmup, baseline_days)

    return {
        "tier": calibrated(flags.sum((2, 3)), n.sum((2, 3))),
        "capable": calibrated(counts.capable_flags.astype(float), float(counts.capable_n)),
        "tail": calibrated(flags[..., 1].sum(2), n[..., 1].sum(2)),
        "segment": calibrated(flags.sum(-1), n.sum(-1)),
    }


def bench_day_effects(report: Report, runs: int, baseline_days: int = 28) -> None:
    """Row (c) with and without an intra-day correlation of .01, uncorrected and corrected by a bound estimated from the log."""
    print(
        f"\nDay effects (row c, 7200, {runs} runs; correlation bounded from the first {baseline_days} days' cheap reviews)"
    )
    print(f"{'correlation':12s} {'correction':12s} {'false alarms':>13s} {'story':>9s} {'half':>9s} {'slice':>9s}")
    for rho in (0.0, 0.01):
        for corrected in (False, True):
            text = []
            rate = 1.0
            for name in ("healthy", *LOSSES):
                model = scenario(name)
                if name != "healthy":  # the same run has a healthy month before it
                    model = scenario(name)
                rng = np.random.default_rng([report.seed, 4, int(rho * 1000), len(name)])
                counts = draw_by_tier(model, runs, rng, stratified=True, rho=rho)
                bound: np.ndarray | float = 0.0
                if corrected:
                    before = draw_by_tier(healthy(scenario("half")), runs, rng, stratified=True, rho=rho)
                    flags, n = before.flags[:baseline_days].sum((2, 3)), before.n[:baseline_days].sum((2, 3))
                    effects = [estimate_day_effect(flags[:, i], n[:, i]) for i in range(runs)]
                    bound = np.array([e.rho_upper if e else 0.05 for e in effects])
                total = summed(evidence_stratified(model, counts, bound), WEIGHTS_C)
                if name == "healthy":
                    hits = int((total.max(0) >= PRODUCT_LINE).sum())
                    rate = hits / runs
                    bar = 0.05 if rho > 0 else 0.02
                    report.add(f"false alarms in 180 healthy days, correlation {rho}, {'corrected' if corrected else 'uncorrected'}",
                               f"at most {bar:.0%}" if corrected else "shown: why the correction", bar if corrected else None, rate,
                               share_interval(hits, runs), runs, None if runs < 500 or not corrected else rate <= bar)  # fmt: skip
                else:
                    d = delays(total, PRODUCT_LINE, model.onset_day)
                    median, p90 = np.quantile(d, [0.5, 0.9], method="lower")
                    text.append(f"{days_text(median)}/{days_text(p90)}")
                    report.add(f"{name}: median days, correlation {rho}, {'corrected' if corrected else 'uncorrected'}", "shown", None,
                               float(median), quantile_interval(d, 0.5), len(d), None)  # fmt: skip
            print(f"{rho:<12} {'auto' if corrected else 'off':12s} {rate:13.1%} " + " ".join(f"{x:>9s}" for x in text))


def bench_unknown_baseline(report: Report, runs: int, null_runs: int) -> None:
    """Row (c) when no rate is known in advance: self-calibrating streams on their own first days."""
    print(f"\nUnknown baseline (row c, 7200): 14 baseline days in the story, 28 else; {runs} runs")
    texts = []
    for name in LOSSES:
        model = scenario(name)
        days = 14 if name == "story" else 28
        rng = np.random.default_rng([report.seed, 5, LOSSES.index(name)])
        counts = draw_by_tier(model, runs, rng, stratified=True)
        d = delays(summed(evidence_unknown_baseline(counts, days), WEIGHTS_C), PRODUCT_LINE, model.onset_day)
        median, p90 = np.quantile(d, [0.5, 0.9], method="lower")
        texts.append(f"{name} {days_text(median)}/{days_text(p90)}")
        report.add(f"(c, unknown baseline) {name}: median days at 7200", "shown", None, float(median), quantile_interval(d, 0.5),
                   len(d), None, f"self-calibrating, {days} baseline days")  # fmt: skip
    model = healthy(scenario("half"))
    counts = draw_by_tier(model, null_runs, np.random.default_rng([report.seed, 6]), stratified=True)
    hits = int((summed(evidence_unknown_baseline(counts, 28), WEIGHTS_C).max(0) >= PRODUCT_LINE).sum())
    print("  " + ", ".join(texts) + f"; false alarms {hits / null_runs:.2%} of {null_runs}")
    report.add("(c, unknown baseline) false alarms in 180 healthy days at 7200", "at most 2 %", 0.02, hits / null_runs,
               share_interval(hits, null_runs), null_runs, None if null_runs < 500 else hits / null_runs <= 0.02)  # fmt: skip
