"""What quality costs downstream, from business outcomes: tickets, refunds, churn.

Causal where a randomised holdout exists: events per decision in the treatment arm minus events per decision in the holdout
arm, both among exposures old enough for their outcomes to have arrived. Users were assigned by a hash, so the difference is
routing's doing whoever the users are. Without a holdout: events per decision since routing began minus before, which
anything else that changed then (season, product, staff) can move too; such a line is labelled observational.

Errors are clustered by user (1,024 hash buckets), because one user's requests share their luck.

What the ripe exposures cost is carried over to those whose outcomes are still to come by how many answers the cheaper tiers gave in either: in
a rollout the ripe ones are of the earliest and least exposed days, and a cost per request would be too low for the others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.ledger.ratio import per_cluster, radius, ratio_of, variance_of_few
from undertow.ledger.usd import SECONDS_PER_DAY, OutcomePrice, per_month
from undertow.records.cells import ARM_HOLDOUT, ARM_TREATMENT, UNKNOWN, USER_BUCKETS, YES, AuditCells
from undertow.records.report import LedgerItem

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MIN_CLUSTERS = 30
"""Fewer user clusters than this in either group give no variance worth an interval."""

MAX_ELIGIBLE_GAP = 0.15
"""A holdout drawn from all traffic holds as many eligible requests as the treatment arm, but for chance. One that holds only
eligible ones, beside a treatment arm of everything, compares kinds of requests."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Which exposures are set against which: boolean functions of (bucket, arm).

    Attributes:
        causal: Whether the groups were randomised.
        note: What was compared, for the reader.
        start: First bucket of the exposed group (absolute).
        before_end: End (excluded) of the comparison period where the groups are periods, else None.
    """

    causal: bool
    note: str
    start: int
    before_end: int | None = None

    def exposed(self, bucket: npt.NDArray[np.int64], arm: npt.NDArray[np.int64]) -> BoolArray:
        """Exposures to routing."""
        since = bucket >= self.start
        return since & (arm == ARM_TREATMENT) if self.before_end is None else since

    def compared(self, bucket: npt.NDArray[np.int64], arm: npt.NDArray[np.int64]) -> BoolArray:
        """What they are compared with."""
        if self.before_end is None:
            return (bucket >= self.start) & (arm == ARM_HOLDOUT)
        return bucket < self.before_end


@dataclass(frozen=True, slots=True)
class Downstream:
    """Lines of the ledger and the variance of their sum (USD a month, squared); None where nothing could be compared."""

    items: tuple[LedgerItem, ...]
    usd_month: float | None
    variance: float
    clusters: float
    events: float = 0.0
    """Of the outcome and arm that has fewest."""
    note: str = ""


def choose_contrast(cells: AuditCells, routing_start: int, before_end: int) -> Contrast | None:
    """The best comparison that the log offers. Buckets are absolute."""
    exposure = cells.exposure
    since = exposure.bucket >= routing_start
    held = since & (exposure.arm == ARM_HOLDOUT)
    treated = since & (exposure.arm == ARM_TREATMENT)
    one, other = _eligible_share(cells, held), _eligible_share(cells, treated)
    drawn_alike = one is None or other is None or abs(one - other) <= MAX_ELIGIBLE_GAP
    if exposure.decisions[held].sum() > 0 and len(np.unique(exposure.cluster[held])) >= MIN_CLUSTERS and drawn_alike:
        return Contrast(True, "treatment against the randomised holdout, same days", routing_start)
    before = exposure.bucket < before_end
    if exposure.decisions[before].sum() > 0:
        why_not = "" if drawn_alike else "the arms differ in how much of them is eligible, so they are not compared; "
        return Contrast(
            False,
            f"{why_not}since routing began against the period before: anything else that changed then counts too",
            max(routing_start, before_end),
            before_end,
        )
    return None


def _eligible_share(cells: AuditCells, pick: BoolArray) -> float | None:
    """Share of eligible decisions among those whose eligibility is known; None without any."""
    exposure = cells.exposure
    known = float(exposure.decisions[pick & (exposure.eligible != UNKNOWN)].sum())
    return float(exposure.decisions[pick & (exposure.eligible == YES)].sum()) / known if known > 0 else None


def downstream(
    cells: AuditCells, prices: tuple[OutcomePrice, ...], contrast: Contrast, days: float, level: float
) -> Downstream:
    """Downstream cost of routing per outcome, USD a month; negative where routing did good.

    Args:
        cells: The log's sufficient statistics.
        prices: What each outcome costs; outcomes without a price are left to the reader's eye.
        contrast: What is compared with what.
        days: Days of the routed period.
        level: Level of each line's interval.
    """
    exposure, outcomes = cells.exposure, cells.outcomes
    exposed_all = contrast.exposed(exposure.bucket, exposure.arm)
    is_cheap = exposed_all & (exposure.tier >= 0) & (exposure.tier < len(cells.tiers) - 1)
    items: list[LedgerItem] = []
    total, influence, of_few = 0.0, np.zeros(2 * USER_BUCKETS), 0.0
    clusters = events = np.inf
    immature: list[str] = []
    for price in prices:
        if price.name not in cells.outcome_names or not price.usd:
            continue
        code = cells.outcome_names.index(price.name)
        ripe = int((cells.last_available - price.maturity_days * SECONDS_PER_DAY) // cells.bucket_s)
        mine = (outcomes.name == code) & (outcomes.bucket < ripe)
        amount = outcomes.events if price.unit == "event" else outcomes.value
        ratios = []
        for pick in (contrast.exposed, contrast.compared):
            who = pick(exposure.bucket, exposure.arm) & (exposure.bucket < ripe)
            what = mine & pick(outcomes.bucket, outcomes.arm)
            ratios.append(
                ratio_of(
                    per_cluster(outcomes.cluster[what], amount[what], USER_BUCKETS),
                    per_cluster(exposure.cluster[who], exposure.decisions[who], USER_BUCKETS),
                    float(outcomes.events[what].sum()),
                )
            )
        exposed, compared = ratios
        cheap, ripe_cheap = (
            float(exposure.decisions[is_cheap & (exposure.bucket < end)].sum()) for end in (np.inf, ripe)
        )
        if exposed is None or compared is None or (cheap > 0.0 and ripe_cheap <= 0.0):
            immature.append(price.name)
            continue
        carried = cheap / ripe_cheap if cheap > 0.0 else float(exposure.decisions[exposed_all].sum()) / exposed.size
        scale = price.cost_usd * per_month(exposed.size, days) * carried
        usd = scale * (exposed.value - compared.value)
        line = scale * np.concatenate([exposed.influence, -compared.influence])
        smaller, fewer = min(exposed.clusters, compared.clusters), min(exposed.events, compared.events)
        unseen = variance_of_few(exposed, compared)
        shown = None
        if unseen is not None:
            unseen *= scale**2
            shown = interval_of_sum(usd, float((line**2).sum()) + unseen, smaller, fewer, level)
        ending = (
            f"; carried over to the {1.0 - 1.0 / carried:.0%} of cheaper answers whose outcomes are still to come"
            if carried > 1.005
            else ""
        )
        items.append(
            LedgerItem(
                price.name,
                "downstream",
                None,
                usd,
                shown,
                contrast.causal,
                f"{1000 * exposed.value:.2f} per 1,000 requests against {1000 * compared.value:.2f}: {contrast.note}{ending}",
            )
        )
        total += usd
        influence += line
        of_few += np.inf if unseen is None else unseen
        clusters, events = min(clusters, smaller), min(events, fewer)
    note = f"not ripe yet: {', '.join(immature)}" if immature else ""
    if not items:
        return Downstream((), None, 0.0, 0.0, note=note or "no outcome has a price")
    return Downstream(tuple(items), total, float((influence**2).sum()) + of_few, float(clusters), float(events), note)


def interval_of_sum(
    centre: float, variance: float, clusters: float, events: float, level: float
) -> tuple[float, float] | None:
    """Anytime-valid interval of a total in USD a month from its clustered variance; None with too few clusters or no event at all."""
    if clusters < MIN_CLUSTERS or not np.isfinite(variance):
        return None
    half = radius(events, level) * float(np.sqrt(variance))
    return centre - half, centre + half
