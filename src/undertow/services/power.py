"""How soon losses would be seen: the production detectors on counts drawn from a design (`undertow.planning`).

Streams are those of an audit of such a log: the tier, its long tail and the segment that is hit, each calibrating itself on its own
first days, with the weights that they have beside the other streams. The other streams' evidence is left out, which only lengthens
the delay. Steering is that of a live gateway: a detector over the judge's verdicts and people's labels in each cell of the slice, and of
each day's reviews as many for a cell as its evidence deserves among all cells; what is drawn so counts in that segment's stream alone. The
other cells are taken to be calm.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from undertow.detectors.multiplicity import ROLE_SHARES, Role, Stream, alarm_line, stream_weights
from undertow.detectors.quality_gap import EARLIEST_S, WARMUP_S
from undertow.detectors.self_calibrating import SelfCalibrating
from undertow.planning.counts import Mix, draw_judged, draw_reviews, mix
from undertow.planning.options import alternatives, share_text, unseen
from undertow.ports.audit_source import Progress, silent
from undertow.records.power import Assumption, Delay, Design, Option, PlannedLoss, PowerReport, Source
from undertow.sampling.quotas import SHADOW_TAIL
from undertow.sampling.steering import steer_in_proportion
from undertow.services.suspicion import LEAST_SHARE

FloatArray = npt.NDArray[np.float64]

SECONDS_PER_DAY = 86_400
WARMUP_DAYS, EARLIEST_DAYS = WARMUP_S // SECONDS_PER_DAY, EARLIEST_S // SECONDS_PER_DAY
STRATA = 2


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
    return summary(loss, days_taken(design, loss, runs, rng))


def days_taken(design: Design, loss: PlannedLoss, runs: int, rng: np.random.Generator) -> FloatArray:
    """Days from the onset to the alarm in each run; infinity: none within the horizon. Runs with a false alarm before it are left out.

    Args:
        design: Who looks at what.
        loss: A step at the end of the baseline.
        runs: Runs to simulate.
        rng: Source of randomness.
    """
    days = design.baseline_days + design.horizon_days
    line = alarm_line(design.horizon_days, design.alpha)
    watch = _Watch(design, loss, days, runs)
    before, after = mix(design, loss, 0.0), mix(design, loss, 1.0)
    alarmed_on = np.full(runs, np.inf)
    for day in range(days):
        total = watch.day(before if day < design.baseline_days else after, rng)
        alarmed_on = np.where((total >= line) & np.isinf(alarmed_on), float(day), alarmed_on)
        if np.isfinite(alarmed_on).all():
            break
    # A false alarm before the onset is not counted as having seen it.
    return alarmed_on[alarmed_on >= design.baseline_days] - design.baseline_days + 1.0


class _Watch:
    """The streams of many runs, day by day, and what they make of the next day's reviews.

    Args:
        design: Who looks at what.
        loss: What is looked for.
        days: Days that will come.
        runs: Runs.
    """

    def __init__(self, design: Design, loss: PlannedLoss, days: int, runs: int) -> None:
        self._design = design
        self._is_split = design.tail_share > 0.0
        # Where all segments lose alike, none of them stands out from the others.
        self._has_segment = loss.is_labelled and loss.slice_share < 1.0
        self._weights = watched_weights(design)

        def detector(*shape: int) -> SelfCalibrating:
            return SelfCalibrating((runs, *shape), days, WARMUP_DAYS, EARLIEST_DAYS)

        strata = STRATA if self._is_split else 1
        self._tier, self._tail, self._segment = detector(strata), detector(1), detector(strata)
        # In each cell of the slice the judge's verdicts and people's labels, each with a baseline of its own.
        self._cells = detector(STRATA, 2) if self._has_segment and design.shadow_per_day > 0.0 else None
        self._extra = np.zeros((runs, STRATA))

    def day(self, now: Mix, rng: np.random.Generator) -> FloatArray:
        """Draw a day and tell the summed evidence at its end. Shape (runs,)."""
        runs = len(self._extra)
        counts = draw_reviews(self._design, now, self._extra, rng)
        total = self._weights["tier"] * self._tier.update(*self._stratified(counts.k, counts.n))
        if self._is_split:
            total = total + self._weights["tail"] * self._tail.update(counts.k[:, :1], counts.n[:, :1])
        if self._has_segment:
            evidence = self._segment.update(*self._stratified(counts.slice_k, counts.slice_n))
            total = total + self._weights["segment"] * evidence
        if self._cells is not None:
            pairs, flags = draw_judged(self._design, now, runs, rng, SHADOW_TAIL)
            suspicion = self._cells.update(
                np.stack([flags, counts.slice_k], axis=-1), np.stack([pairs, counts.slice_n], axis=-1)
            )
            self._extra = self._design.reviews_per_day * deserved(suspicion, self._design.cells)
        return total

    def _stratified(self, k: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (k, n) if self._is_split else (k.sum(-1, keepdims=True), n.sum(-1, keepdims=True))


def deserved(suspicion: FloatArray, cells: int) -> FloatArray:
    """Shares of the reviews that go to each suspected cell, as in a live gateway.

    Args:
        suspicion: Evidence of the cells of a slice. Shape (..., C).
        cells: Cells of the whole key, at least C; the others are taken to be calm.

    Returns:
        Shares. Shape (..., C).

    Examples:
        >>> deserved(np.array([[500.0, 1.0]]), 12).round(2).tolist(), deserved(np.array([[5.0, 1.0]]), 12).tolist()
        ([[0.71, 0.0]], [[0.0, 0.0]])
    """
    own = suspicion.shape[-1]
    calm = np.zeros((*suspicion.shape[:-1], max(cells - own, 0)))
    seen = np.concatenate([suspicion, calm], axis=-1)
    shares = steer_in_proportion(seen, np.full(seen.shape[-1], 1.0 / seen.shape[-1]), 1.0).extra[..., :own]
    return np.where(shares >= LEAST_SHARE, shares, 0.0)


def watched_weights(design: Design) -> dict[str, float]:
    """Share of the false-alarm budget by which each stream's evidence counts: `tier`, `tail` and each `segment`.

    Examples:
        >>> design = Design(30_000, 140, 0.6, (0.3, 0.3, 0.4), 0.05, 0.8)
        >>> {role: round(weight, 3) for role, weight in watched_weights(design).items()}
        {'tier': 0.165, 'tail': 0.165, 'segment': 0.066}
    """
    segments = max(1, len(design.segment_shares))
    roles: list[Role] = ["tier", *(["tail"] if design.tail_share > 0.0 else []), *(["segment"] * segments)]
    roles += [role for role in ROLE_SHARES if role in design.other_roles]
    streams = [Stream("review", role, f"{role} {i}", 0) for i, role in enumerate(roles)]
    found = stream_weights(streams, known_by=0)
    by_role = {stream.role: float(weight) for stream, weight in zip(streams, found, strict=True)}
    return {role: design.budget_share * by_role.get(role, 0.0) for role in ("tier", "tail", "segment")}


def watching(design: Design, source: Source) -> tuple[Assumption, Assumption]:
    """What is assumed of how the log is watched: how the false-alarm budget and suspicion are divided.

    Args:
        design: Who looks at what.
        source: Where its roles and cells come from.
    """
    weights = {role: share_text(round(weight, 4)) for role, weight in watched_weights(design).items()}
    tail = f", its long tail {weights['tail']}" if design.tail_share > 0.0 else ""
    steered = f"{design.cells} (segments of one key, by stratum)" if design.shadow_per_day > 0.0 else "none"
    return (
        Assumption(
            "parts of the false-alarm budget",
            f"the tier {weights['tier']}{tail}, each watched segment {weights['segment']}",
            source,
        ),
        Assumption("cells that reviews are steered to", steered, source),
    )


def summary(loss: PlannedLoss, taken: FloatArray) -> Delay:
    """What the days of some runs say.

    Args:
        loss: What was looked for.
        taken: As of `days_taken`. Shape (runs,).

    Examples:
        >>> found = summary(PlannedLoss(0.3, 0.1), np.array([2.0, 4.0, np.inf]))
        >>> found.median_days, found.p90_days, round(found.seen_share, 2)
        (4, None, 0.67)
    """
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
        if quickness(found) < quickness(now):
            options.append(Option(other.what, found, other.costs))
    options.sort(key=lambda each: quickness(each.delay))
    progress("comparing designs", steps, steps)
    return PowerReport(
        design, tuple(assumptions), tuple(delays), reference, now, tuple(options),
        unseen(design, tuple(delays), has_reference=has_reference),
    )  # fmt: skip


def quickness(found: Delay) -> tuple[float, float, float]:
    """What sorts the quicker ones first."""
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
