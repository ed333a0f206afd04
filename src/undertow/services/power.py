"""How soon losses would be seen: the production detectors on counts drawn from a design (`undertow.planning`).

Streams are those of an audit of such a log: the tier, its long tail and the segment that is hit, each calibrating itself on its own
first days, with the weights that they have beside the other streams. The other streams' evidence is left out, which only lengthens
the delay. Steering follows the judge's own detector, as in a live gateway: once it suspects a cell, most of the next days' reviews
go there, and they count in that segment's stream alone.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from undertow.detectors.e_detector import first_crossing
from undertow.detectors.multiplicity import Role, Stream, alarm_line, stream_weights
from undertow.detectors.quality_gap import EARLIEST_S, WARMUP_S
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.planning.counts import draw_judged, draw_reviews
from undertow.planning.options import alternatives, unseen
from undertow.ports.audit_source import Progress, silent
from undertow.records.power import Assumption, Delay, Design, Option, PlannedLoss, PowerReport

FloatArray = npt.NDArray[np.float64]

SECONDS_PER_DAY = 86_400
WARMUP_DAYS, EARLIEST_DAYS = WARMUP_S // SECONDS_PER_DAY, EARLIEST_S // SECONDS_PER_DAY
SUSPICION = 20.0
"""Evidence of the judge's detector in a cell from which it steers."""

STEER_SHARE = 0.7
"""Share of the reviews that then go there."""


def delay(design: Design, loss: PlannedLoss, runs: int, rng: np.random.Generator) -> Delay:
    """How soon one loss is seen.

    Args:
        design: Who looks at what.
        loss: A step at the end of the baseline.
        runs: Runs to simulate.
        rng: Source of randomness.

    Examples:
        >>> design = Design(30_000, 140, 0.6, (0.3, 0.3, 0.4), 0.05, 0.8, baseline_days=14, horizon_days=60)
        >>> found = delay(design, PlannedLoss(0.5, 0.3), 20, np.random.default_rng(1))
        >>> found.median_days <= 7, found.seen_share
        (True, 1.0)
    """
    days = design.baseline_days + design.horizon_days
    steered = np.zeros((days, runs, 2), dtype=np.bool_)
    if design.shadow_per_day > 0.0 and loss.is_labelled:
        pairs, flags = draw_judged(design, loss, days, runs, rng)
        suspicion = run_self_calibrating(flags[..., None], pairs[..., None], WARMUP_DAYS, EARLIEST_DAYS)
        most = suspicion.argmax(-1)
        steered[1:] = (suspicion.max(-1) >= SUSPICION)[:-1, :, None] & (most[:-1, :, None] == np.arange(2))
    counts = draw_reviews(design, loss, days, steered, STEER_SHARE, rng)
    weights = _weights(len(design.segment_shares), has_tail=design.tail_share > 0.0)
    is_split = design.tail_share > 0.0

    def evidence(k: FloatArray, n: FloatArray) -> FloatArray:
        if not is_split:
            k, n = k.sum(-1, keepdims=True), n.sum(-1, keepdims=True)
        return run_self_calibrating(k, n, WARMUP_DAYS, EARLIEST_DAYS)

    total = weights["tier"] * evidence(counts.k, counts.n)
    if is_split:
        total = total + weights["tail"] * evidence(counts.k[..., :1], counts.n[..., :1])
    if loss.is_labelled:
        total = total + weights["segment"] * evidence(counts.slice_k, counts.slice_n)
    return _delay(loss, total, design)


def _weights(segments: int, *, has_tail: bool) -> dict[str, float]:
    """What each stream's evidence counts for, beside those of a usual log."""
    roles: list[tuple[Role, str]] = [("tier", "tier"), ("capable", "capable"), ("level", "level")]
    if has_tail:
        roles.append(("tail", "tail"))
    for i in range(max(1, segments)):
        roles.extend((("segment", f"segment {i}"), ("level_segment", f"segment {i}")))
    streams = [Stream("review", role, name, 0) for role, name in roles]
    found = stream_weights(streams, known_by=0)
    return {stream.role: float(weight) for stream, weight in zip(streams, found, strict=True)}


def _delay(loss: PlannedLoss, total: FloatArray, design: Design) -> Delay:
    line = alarm_line(design.horizon_days, design.alpha)
    # A false alarm before the onset is not counted as having seen it.
    after = np.where(np.arange(len(total))[:, None] >= design.baseline_days, total, 0.0)
    quiet = (total[: design.baseline_days] < line).all(0)
    day = first_crossing(after[:, quiet], line)
    taken = np.where(day < 0, np.inf, day - design.baseline_days + 1.0)
    runs = len(taken)
    if runs == 0:
        return Delay(loss, None, None, 0.0, 0)

    def quantile(q: float) -> int | None:
        value = float(np.quantile(taken, q, method="higher"))
        return int(value) if np.isfinite(value) else None

    return Delay(loss, quantile(0.5), quantile(0.9), float(np.isfinite(taken).mean()), runs)


def plan(
    design: Design,
    assumptions: Sequence[Assumption],
    losses: Sequence[PlannedLoss],
    reference: PlannedLoss,
    *,
    runs: int,
    seed: int,
    has_reference: bool,
    progress: Progress = silent,
) -> PowerReport:
    """Everything that `undertow plan` says.

    Args:
        design: Who looks at what.
        assumptions: Where its numbers come from.
        losses: Losses of the table.
        reference: The loss on which other ways to spend the reviews are compared.
        runs: Runs a loss.
        seed: Of the simulation; the same seed for every design, so that differences are theirs.
        has_reference: Whether levels can be seen.
        progress: Told how far it is.
    """
    others = alternatives(design)
    steps = len(losses) + len(others) + 1
    delays: list[Delay] = []
    for done, loss in enumerate(losses):
        progress("simulating losses", done, steps)
        delays.append(delay(design, loss, runs, np.random.default_rng([seed, done])))
    options: list[Option] = []
    progress("comparing designs", len(losses), steps)
    # As in the table, if it is there: two simulations of one loss would differ by chance.
    of_reference = [seed, losses.index(reference) if reference in losses else len(losses)]
    now = delay(design, reference, runs, np.random.default_rng(of_reference))
    for done, other in enumerate(others):
        progress("comparing designs", len(losses) + 1 + done, steps)
        found = delay(other.design, reference, runs, np.random.default_rng(of_reference))
        if _order(found) < _order(now):
            options.append(Option(other.what, found, other.costs))
    options.sort(key=lambda each: _order(each.delay))
    progress("comparing designs", steps, steps)
    return PowerReport(
        design, tuple(assumptions), tuple(delays), reference, now, tuple(options),
        unseen(design, tuple(delays), has_reference=has_reference),
    )  # fmt: skip


def _order(found: Delay) -> tuple[float, float, float]:
    """Quicker ones first."""
    median, p90 = (float("inf") if days is None else float(days) for days in (found.median_days, found.p90_days))
    return median, p90, -found.seen_share


def losses_of(sizes: Sequence[float], shares: Sequence[float]) -> tuple[PlannedLoss, ...]:
    """The table's losses: each size in each slice, and in a part of the traffic also where no label names it.

    Examples:
        >>> [(x.size, x.slice_share, x.is_labelled) for x in losses_of([0.1], [1.0, 0.1])]
        [(0.1, 1.0, True), (0.1, 0.1, True), (0.1, 0.1, False)]
    """
    found: list[PlannedLoss] = []
    for size in sizes:
        for share in shares:
            loss = PlannedLoss(size, share)
            # The tier as a whole is what a label would name there.
            found += [loss] if share >= 1.0 else [loss, replace(loss, is_labelled=False)]
    return tuple(found)
