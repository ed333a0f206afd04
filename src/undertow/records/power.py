"""What a plan says: how soon losses would be seen with a set of labels, how to spend the same labels better, and what stays unseen.

Absent is None. Delays are days from the onset to the alarm.
"""

from dataclasses import dataclass
from typing import Literal

Source = Literal["log", "settings", "option", "assumed"]


@dataclass(frozen=True, slots=True)
class Design:
    """Who looks at how many answers of the cheap tier, and how well they see failures.

    Attributes:
        cheap_per_day: Decisions a day that the cheap tier serves.
        reviews_per_day: Reviews a day of its answers.
        tail_share: Share of those taken from the long tail, the fifth of the traffic that looks riskiest; 0: taken evenly.
        segment_shares: Shares of the cheap traffic in the watched segments (of one key); they need not sum to 1.
        failure_rate: Share of answers that reviewers flag while nothing is wrong.
        sensitivity: Share of the failures to come that a reviewer sees: confident failures look right.
        baseline_days: Days of labels before the change.
        shadow_per_day: Shadow pairs a day that a judge compares; 0: no judge, so nothing steers.
        judge_sensitivity: Share of the failures that the judge flags.
        judge_false_rate: Share of good answers that the judge flags.
        tail_hit: Share of the failures to come that lands in the long tail.
        alpha: False-alarm budget of the whole system over the horizon.
        horizon_days: Days over which it is spent.
        margin: Largest accepted loss.
        steer_cells: Cells (value of a segment key and stratum) among which suspicion is divided; 0: two per watched segment.
        other_roles: Roles (`detectors.multiplicity`) that have a part of the signal's false-alarm budget beside change of the tier, its
            long tail and its segments.
        budget_share: Share of the false-alarm budget that the reviewed signal has in its tier; other signals and tiers have the rest.
    """

    cheap_per_day: float
    reviews_per_day: float
    tail_share: float
    segment_shares: tuple[float, ...]
    failure_rate: float
    sensitivity: float
    baseline_days: int = 28
    shadow_per_day: float = 0.0
    judge_sensitivity: float = 0.7
    judge_false_rate: float = 0.08
    tail_hit: float = 0.6
    alpha: float = 0.05
    horizon_days: int = 180
    margin: float = 0.02
    steer_cells: int = 0
    other_roles: tuple[str, ...] = ("capable", "level", "level_segment")
    budget_share: float = 1.0

    @property
    def cells(self) -> int:
        """Cells among which suspicion is divided."""
        return self.steer_cells or 2 * max(1, len(self.segment_shares))


@dataclass(frozen=True, slots=True)
class PlannedLoss:
    """A loss that may come.

    Attributes:
        size: Quality lost within the slice, in (0, 1].
        slice_share: Share of the cheap tier's traffic that is hit, in (0, 1].
        is_labelled: Whether a segment label names the slice; else only the tier as a whole and its long tail show it.
    """

    size: float
    slice_share: float
    is_labelled: bool = True


@dataclass(frozen=True, slots=True)
class Delay:
    """How soon one loss is seen.

    Attributes:
        loss: Which.
        median_days: Half of the runs have alarmed by then; None: fewer than half do within the horizon.
        p90_days: Nine in ten have; None: fewer do.
        seen_share: Share of the runs with an alarm within the horizon.
        runs: Runs simulated.
    """

    loss: PlannedLoss
    median_days: int | None
    p90_days: int | None
    seen_share: float
    runs: int


@dataclass(frozen=True, slots=True)
class Option:
    """Another way to spend the same reviews.

    Attributes:
        what: What to do, a clause.
        delay: How soon the reference loss is then seen.
        costs: What it takes beside the same reviews, or empty.
    """

    what: str
    delay: Delay
    costs: str = ""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One number that the plan rests on, and where it comes from."""

    name: str
    value: str
    source: Source


@dataclass(frozen=True, slots=True)
class PowerReport:
    """The whole plan.

    Attributes:
        design: What was simulated.
        assumptions: Its numbers, in words.
        delays: Losses by size and slice, in the order asked for.
        reference: The loss that `options` are compared on.
        now: How soon it is seen as things are.
        options: Other ways to spend the same reviews, quickest first.
        unseen: What the set-up cannot see, a sentence each.
    """

    design: Design
    assumptions: tuple[Assumption, ...]
    delays: tuple[Delay, ...]
    reference: PlannedLoss
    now: Delay
    options: tuple[Option, ...]
    unseen: tuple[str, ...]
