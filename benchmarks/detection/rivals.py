"""Rules that other tools use, on the seeds of the design rows."""

import numpy as np

from detection.common import LOSSES, days_text, delays, share_interval
from detection.design_rows import weekly_z
from report import Report
from undertow.simulation.story import (
    StoryModel,
    baseline,
    cells,
    draw_by_tier,
    draw_unsplit,
    healthy,
    hidden_share,
    scenario,
)

# Thumbs: assumed chance that a user votes an answer down; three in a thousand before the change. Confident failures look good.
THUMB_DOWN_GOOD, THUMB_DOWN_NORMAL, THUMB_DOWN_HIDDEN = 0.0010, 0.040, 0.004
THUMB_DAY_CORRELATION = 3e-5
PSI_BINS, PSI_SCORES = 20, 1000


def wilson(k: np.ndarray, n: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of k of n."""
    n = np.maximum(n, 1)
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def rival_statistics(model: StoryModel, runs: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """For each rival rule: whether it fires, per day and run."""
    counts = draw_by_tier(model, runs, rng, stratified=False)
    flags, n = counts.flags.sum((2, 3)), counts.n.sum((2, 3))
    cum_k, cum_n = flags.cumsum(0), n.cumsum(0)
    cap_k = counts.capable_flags.cumsum(0)
    cap_n = (np.arange(model.days) + 1)[:, None] * counts.capable_n
    rules: dict[str, np.ndarray] = {}
    floor = baseline(model).cells.by_segment() + 0.02
    fixed = np.zeros((model.days, runs), dtype=bool)
    worse = np.zeros((model.days, runs), dtype=bool)
    seen_k, seen_n = np.zeros(runs), np.zeros(runs)
    thumbs = np.zeros((model.days, runs))
    psi = np.zeros((model.days, runs))
    edges = np.linspace(0, 1, PSI_BINS + 1)
    grid = np.linspace(0, 1, 20001)

    def binned(a: float, b: float) -> np.ndarray:
        density = grid ** (a - 1) * (1 - grid) ** (b - 1)
        cdf = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return np.diff(np.interp(edges, grid, cdf / cdf[-1]))

    usual, confident = binned(5, 2), binned(6, 2)
    reference = ((1 - model.hidden_before) * usual + model.hidden_before * confident)[None]
    for day in range(model.days):
        hidden = hidden_share(model, day)
        now = cells(model, hidden)
        sampled = rng.binomial(20, now.by_segment(), (runs, len(floor)))
        fixed[day] = (wilson(sampled, np.full(sampled.shape, 20))[0] > floor).any(1)
        # Pairs are looked at one by one (every five minutes): no minimum count.
        labels = rng.random((runs, 60)) < now.whole()
        running_k, running_n = seen_k[:, None] + labels.cumsum(1), seen_n[:, None] + np.arange(1, 61)
        worse[day] = (running_k / running_n > 0.10).any(1)
        seen_k, seen_n = running_k[:, -1], running_n[:, -1]
        normal = (1 - hidden) * model.fail_normal
        bad = hidden * model.fail_hidden
        rate = normal * THUMB_DOWN_NORMAL + bad * THUMB_DOWN_HIDDEN + (1 - normal - bad) * THUMB_DOWN_GOOD
        spread = 1 / THUMB_DAY_CORRELATION - 1
        thumbs[day] = rng.binomial(model.queries_per_day, rng.beta(rate * spread, (1 - rate) * spread, runs))
        scores = rng.multinomial(PSI_SCORES, (1 - hidden) * usual + hidden * confident, runs)
        share = (scores + 0.5) / (PSI_SCORES + 0.5 * PSI_BINS)
        psi[day] = ((share - reference) * np.log(share / reference)).sum(1)
    rules["fixed-sample Wilson, 20 a segment and run"] = fixed
    rules["non-overlapping Wilson, cumulative, daily"] = wilson(cum_k, cum_n)[0] > wilson(cap_k, cap_n)[1]
    rules["worse-rate > 10 % on pairs, no minimum"] = worse
    rules["rate + Hoeffding radius > 10 %"] = cum_k / cum_n + np.sqrt(np.log(20) / (2 * cum_n)) > 0.10
    bad = model.hidden_before * model.fail_hidden
    normal = (1 - model.hidden_before) * model.fail_normal
    p = normal * THUMB_DOWN_NORMAL + bad * THUMB_DOWN_HIDDEN + (1 - normal - bad) * THUMB_DOWN_GOOD
    rules["thumbs-down z > 1.64, weekly"] = _weekly(thumbs, p, model.queries_per_day) > 1.64
    rules["PSI > 0.2, daily"] = psi > 0.2
    rules["weekly z > 1.64, unsplit reviews"] = weekly_z(draw_unsplit(model, runs, rng)) > 1.64
    return rules


def _weekly(values: np.ndarray, p: float, n: int) -> np.ndarray:
    z = np.full(values.shape, -np.inf)
    for end in range(6, len(values), 7):
        z[end] = (values[end - 6 : end + 1].sum(0) - 7 * n * p) / np.sqrt(7 * n * p * (1 - p))
    return z


def bench_rivals(report: Report, runs: int) -> None:
    """Rival rules: delays of those runs that had not fired before the onset, and how many had on healthy data."""
    print(
        f"\nRules in use elsewhere, same seeds: median/p90 days among runs quiet until the onset (share quiet), {runs} runs"
    )
    print(f"{'rule':44s} {'story':>20s} {'half':>20s} {'slice':>20s} {'false alarms 180 d':>20s}")
    table: dict[str, list[str]] = {}
    for name in LOSSES:
        model = scenario(name)
        for rule, fires in rival_statistics(
            model, runs, np.random.default_rng([report.seed, 2, LOSSES.index(name)])
        ).items():
            d = delays(fires.astype(float), 0.5, model.onset_day)
            if len(d):
                median, p90 = np.quantile(d, [0.5, 0.9], method="lower")
                text = f"{days_text(median)}/{days_text(p90)} ({len(d) / runs:.0%})"
                report.add(f"{name}: median days of a rival", "shown", None, float(median), None, len(d), None, rule)
            else:
                text = "- (0%)"
                report.add(f"{name}: median days of a rival", "shown", None, None, None, 0, None, rule)
            table.setdefault(rule, []).append(text)
    model = healthy(scenario("half"))
    for rule, fires in rival_statistics(model, runs, np.random.default_rng([report.seed, 1, 1])).items():
        hits = int(fires.any(0).sum())
        report.add(
            "false alarms in 180 healthy days of a rival",
            "shown",
            None,
            hits / runs,
            share_interval(hits, runs),
            runs,
            None,
            rule,
        )
        print(f"{rule:44s} " + " ".join(f"{x:>20s}" for x in table[rule]) + f" {hits / runs:20.1%}")
