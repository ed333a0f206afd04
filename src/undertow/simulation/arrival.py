"""Scripted arrival: real outcomes of a cheap and a capable model, put on a time line as routed traffic.

What is real comes in with the table: which prompt which model got right, and what it cost. What is scripted is here: when a
prompt arrives, how the mix shifts in a stated week, who is held out, which labels are kept. Random numbers come from the
generator that the caller gives.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.errors import DataError, UsageError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

DAY_MS = 86_400_000
CHEAP, CAPABLE = 0, 1


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """Real outcomes of the same prompts on a cheap and a capable tier. n prompts; tiers in the order cheap, capable.

    Attributes:
        name: Short name, as on the command line.
        title: What it is, for people.
        models: Model of each tier.
        segment_key: Key of the segment, such as `subject`.
        segments: Values of it, by code.
        segment: Code of each prompt. Shape (n,).
        value: Quality of each tier's answer in [0, 1], 1 = right. Shape (n, 2).
        eligible: The router takes the prompt for simple, from something that is known before any tier answers. Shape (n,).
        usual: Prompts of the usual mix. Shape (n,).
        shifted: Prompts that the mix shifts to. Shape (n,).
        confidence: The router's confidence in [0, 1], or NaN. Shape (n,).
        confidence_note: Where the confidence comes from.
        threshold: Confidence from which a prompt is eligible, or None.
        input_tokens, output_tokens: Shape (n, 2).
        price_usd_per_mtok: Input and output price of each tier. Shape (2, 2).
        label_kind, label_name, label_source: Signal that the labels become.
        pairs: Labels are pairs on cheap-served requests (value of the cheap answer against the capable one's).
        margin: Loss that a user of this table might accept.
        provider_value: From `provider_day` on, the capable tier's quality instead. Shape (n,), or None.
        notes: Sentences on what is real and what is not.
        prompts: Texts, kept only where the project wrote them.
    """

    name: str
    title: str
    models: tuple[str, str]
    segment_key: str
    segments: tuple[str, ...]
    segment: IntArray
    value: FloatArray
    eligible: BoolArray
    usual: BoolArray
    shifted: BoolArray
    confidence: FloatArray
    confidence_note: str
    threshold: float | None
    input_tokens: IntArray
    output_tokens: IntArray
    price_usd_per_mtok: tuple[tuple[float, float], tuple[float, float]]
    label_kind: str
    label_name: str
    label_source: str
    pairs: bool
    margin: float
    notes: tuple[str, ...]
    provider_value: FloatArray | None = None
    prompts: tuple[str, ...] | None = None
    responses: tuple[tuple[str, str], ...] | None = None

    def loss(self, prompts: BoolArray) -> float:
        """Real mean loss of the cheap tier on some prompts, in [-1, 1]; NaN for none."""
        if not prompts.any():
            return float("nan")
        return float(np.mean(self.value[prompts, CAPABLE] - self.value[prompts, CHEAP]))


@dataclass(frozen=True, slots=True)
class ArrivalPlan:
    """The script: everything about the replay that is not real. Shares are fractions in [0, 1]; days count from routing."""

    queries_per_day: int = 3000
    pre_weeks: int = 3
    weeks: int = 11
    rollout: tuple[float, ...] = (0.25, 1.0)
    shift_week: int = 5
    shift_days: int = 7
    shifted_before: float = 0.02
    shifted_after: float = 0.50
    eligible_share: float = 0.70
    holdout: float = 0.10
    label_share: float = 1.0
    users: int = 6000

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in ("shifted_before", "shifted_after", "eligible_share", "holdout"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                msg = f"--{name.replace('_', '-')} is a fraction in [0, 1], not {getattr(self, name)!r}"
                raise UsageError(msg)
        if not 0.0 < self.label_share <= 1.0:
            msg = f"--label-share is a fraction in (0, 1], not {self.label_share!r}"
            raise UsageError(msg)
        if self.queries_per_day < 1 or self.weeks < 1 or self.pre_weeks < 0 or self.users < 2:
            msg = "--queries-per-day and --weeks must be at least 1, --pre-weeks at least 0, --users at least 2"
            raise UsageError(msg)

    @property
    def pre_days(self) -> int:
        """Days before routing."""
        return 7 * self.pre_weeks

    @property
    def days(self) -> int:
        """Days in the log."""
        return 7 * (self.pre_weeks + self.weeks)

    @property
    def shift_day(self) -> int:
        """Day of the log on which the mix starts to shift."""
        return self.pre_days + 7 * (self.shift_week - 1)

    def shifted_share(self, day: IntArray) -> FloatArray:
        """Share of the eligible traffic drawn from the shifted prompts, by day of the log.

        Examples:
            >>> ArrivalPlan(shift_days=0).shifted_share(np.array([0, 48, 49]))
            array([0.02, 0.02, 0.5 ])
        """
        passed = (day - self.shift_day + 1) / max(1, self.shift_days)
        step = np.where(day < self.shift_day, 0.0, np.clip(passed, 0.0, 1.0))
        return self.shifted_before + step * (self.shifted_after - self.shifted_before)

    def rollout_share(self, day: IntArray) -> FloatArray:
        """Share of users rolled out, by day of the log; 0 before routing."""
        week = (day - self.pre_days) // 7
        return np.where(week < 0, 0.0, np.asarray(self.rollout)[np.clip(week, 0, len(self.rollout) - 1)])


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Routed traffic drawn from a table: one row a request, in order of time. All arrays have shape (rows,)."""

    day: IntArray
    time_ms: IntArray
    """Milliseconds since the first moment of the log."""
    prompt: IntArray
    """Row of the table."""
    user: IntArray
    eligible: BoolArray
    holdout: BoolArray
    tier: IntArray
    propensity: FloatArray
    value: FloatArray
    """Real quality of the answer that was served."""
    reference: FloatArray
    """Real quality of the capable tier's answer to the same prompt."""
    cost_usd: FloatArray
    baseline_cost_usd: FloatArray
    labelled: BoolArray

    def __len__(self) -> int:
        return len(self.day)


def draw_arrivals(table: OutcomeTable, plan: ArrivalPlan, rng: np.random.Generator) -> Arrivals:
    """Draw prompts with replacement, day by day, and route them by script.

    Raises:
        DataError: The table has no prompt for a part of the script.
    """
    usual = np.flatnonzero(table.eligible & table.usual)
    shifted = np.flatnonzero(table.eligible & table.shifted)
    other = np.flatnonzero(~table.eligible)
    for pool, what in ((usual, "of the usual mix"), (shifted, "to shift to")):
        if len(pool) == 0:
            msg = f"table {table.name!r} has no eligible prompt {what}; it cannot be replayed as routed traffic"
            raise DataError(msg)
    n = plan.queries_per_day * plan.days
    day = np.repeat(np.arange(plan.days), plan.queries_per_day)
    within = rng.beta(2.2, 1.8, (plan.days, plan.queries_per_day)) * (DAY_MS - 1)
    within.sort(axis=1)
    u = rng.random((5, n))
    hard = u[0] < plan.shifted_share(day)
    prompt = np.where(
        hard, shifted[(u[1] * len(shifted)).astype(np.int64)], usual[(u[1] * len(usual)).astype(np.int64)]
    )
    if len(other):
        excluded = u[2] >= plan.eligible_share
        prompt = np.where(excluded, other[(u[1] * len(other)).astype(np.int64)], prompt)
    held = rng.random(plan.users) < plan.holdout
    rank = rng.random(plan.users)
    user = (u[3] * plan.users).astype(np.int64)
    eligible, holdout = table.eligible[prompt], held[user]
    share = plan.rollout_share(day)
    tier = np.where(eligible & ~holdout & (rank[user] < share), CHEAP, CAPABLE)
    p_cheap = np.where(eligible, (1 - plan.holdout) * share, 0.0)
    capable = table.value[prompt, CAPABLE]
    if table.provider_value is not None:
        capable = np.where(day >= plan.shift_day, table.provider_value[prompt], capable)
    prices = np.asarray(table.price_usd_per_mtok)
    cost = (table.input_tokens * prices[:, 0] + table.output_tokens * prices[:, 1]) / 1e6
    labelled = u[4] < plan.label_share
    if table.pairs:
        labelled &= tier == CHEAP
    return Arrivals(
        day=day,
        time_ms=day * DAY_MS + within.ravel().astype(np.int64),
        prompt=prompt,
        user=user,
        eligible=eligible,
        holdout=holdout,
        tier=tier,
        propensity=np.where(tier == CHEAP, p_cheap, 1.0 - p_cheap),
        value=np.where(tier == CHEAP, table.value[prompt, CHEAP], capable),
        reference=capable,
        cost_usd=cost[prompt, tier],
        baseline_cost_usd=cost[prompt, CAPABLE],
        labelled=labelled,
    )
