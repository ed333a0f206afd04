"""What quality costs downstream, from business outcomes: tickets, refunds, churn.

Causal where a randomised holdout exists: events per decision in the treatment arm minus events per decision in the holdout
arm, both among exposures old enough for their outcomes to have arrived. Users were assigned by a hash, so the difference is
routing's doing whoever the users are. Without a holdout: events per decision since routing began minus before, which
anything else that changed then (season, product, staff) can move too; such a line is labelled observational.

Errors are clustered by user (1,024 hash buckets), because one user's requests share their luck.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.ledger.ratio import per_cluster, ratio_of
from undertow.ledger.usd import SECONDS_PER_DAY, OutcomePrice, per_month
from undertow.records.cells import ARM_HOLDOUT, ARM_TREATMENT, UNKNOWN, USER_BUCKETS, YES, AuditCells
from undertow.records.report import LedgerItem
from undertow.stats.confidence import gaussian_mixture_radius

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MIN_CLUSTERS = 30
"""Fewer user clusters than this in either group give no variance worth an interval."""

MAX_ELIGIBLE_GAP = 0.15
"""A holdout drawn from all traffic holds as many eligible requests as the treatment arm, but for chance. One that holds only
eligible ones, beside a treatment arm of everything, compares kinds of requests."""

CLUSTERS_OPT = 512.0
"""Clusters at which the confidence sequence is narrowest; fixed in advance."""


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
    volume = per_month(float(exposure.decisions[exposed_all].sum()), days)
    items: list[LedgerItem] = []
    total, influence = 0.0, np.zeros(2 * USER_BUCKETS)
    clusters = np.inf
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
                )
            )
        exposed, compared = ratios
        if exposed is None or compared is None:
            immature.append(price.name)
            continue
        scale = price.cost_usd * volume
        usd = scale * (exposed.value - compared.value)
        line = scale * np.concatenate([exposed.influence, -compared.influence])
        smaller = min(exposed.clusters, compared.clusters)
        half = float(gaussian_mixture_radius(smaller, level, CLUSTERS_OPT) * np.sqrt((line**2).sum()))
        shown = (usd - half, usd + half) if smaller >= MIN_CLUSTERS else None
        items.append(
            LedgerItem(
                price.name,
                "downstream",
                None,
                usd,
                shown,
                contrast.causal,
                f"{1000 * exposed.value:.2f} per 1,000 requests against {1000 * compared.value:.2f}: {contrast.note}",
            )
        )
        total += usd
        influence += line
        clusters = min(clusters, smaller)
    note = f"not ripe yet: {', '.join(immature)}" if immature else ""
    if not items:
        return Downstream((), None, 0.0, 0.0, note or "no outcome has a price")
    return Downstream(tuple(items), total, float((influence**2).sum()), float(clusters), note)


def interval_of_sum(centre: float, variance: float, clusters: float, level: float) -> tuple[float, float] | None:
    """Anytime-valid interval of a total in USD a month from its clustered variance; None with too few clusters."""
    if clusters < MIN_CLUSTERS:
        return None
    half = float(gaussian_mixture_radius(clusters, level, CLUSTERS_OPT) * np.sqrt(variance))
    return centre - half, centre + half
