"""Parameters of the three reference incidents, with units, defaults and their reasons.

A support assistant, a customer-success assistant and a fintech assistant each put a cheap tier behind a router and lost
more than they saved (docs: the reference incidents). The parameters here are all that a simulated log depends on, apart
from a seed; each one is an option of `undertow simulate`. The support incident's are those of the detection benchmark.

Nothing here draws a random number or touches a file.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from undertow.errors import UsageError

CHEAP, CAPABLE, UNSERVED = 0, 1, -1
TIERS: tuple[str, ...] = ("cheap", "capable")

WEEKDAY_FACTORS: tuple[float, ...] = (1.08, 1.06, 1.04, 1.02, 1.00, 0.92, 0.88)
"""Traffic of Monday to Sunday relative to the mean day; they sum to 7."""


DRIFTS: tuple[str, ...] = ("none", "confidence", "novelty", "share", "length", "errors", "segment")
"""What may drift without a loss: confidence, novelty, routing share, answer length, errors of the upstreams, and a label that is renamed."""

RENAMED_TO = "renamed"
"""What the target intent's label becomes, where the label drifts."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent, which is also the segment `intent=NAME`.

    Attributes:
        name: The segment's value.
        share: Share of normal (not hidden) queries, in [0, 1].
        hidden_share: Share of all hidden-intent queries that look like this intent, in [0, 1].
    """

    name: str
    share: float
    hidden_share: float


def _option(default: Any, unit: str, meaning: str) -> Any:
    """A dataclass field that carries what a person needs to set it on the command line."""
    return field(default=default, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class IncidentParameters:
    """All that one simulated incident depends on, besides its seed. Defaults are the support incident's.

    Shares, rates and probabilities are fractions in [0, 1]; days count from the first day of routing; money is in USD of
    the product that the log stands for and is multiplied by `scale` where it is written.
    """

    incident: str
    intents: tuple[Intent, ...]
    target_intent: str
    policy_kind: str = "classifier"
    healthy: bool = False

    queries_per_day: int = _option(50_000, "queries/day", "live requests in the log on a mean day")
    represents_per_day: int = _option(
        1_000_000, "queries/day", "requests of the product that the log stands for; money is scaled by the ratio"
    )
    pre_weeks: int = _option(4, "weeks", "history on the capable tier alone, the router only observing")
    weeks: int = _option(14, "weeks", "weeks from the first day of routing to the end of the log")
    start: date = _option(date(2026, 1, 5), "date", "first day of the log")
    eligible_share: float = _option(0.65, "fraction", "share of traffic that the router takes for simple")
    rollout: tuple[float, ...] = _option(
        (0.05, 0.10, 0.25, 0.50, 0.50, 1.0),
        "fractions",
        "share of users rolled out, week by week, the last one staying",
    )
    holdout: float = _option(0.05, "fraction", "share of users randomised to the capable tier; 0 for none")

    hidden_before: float = _option(
        0.02, "fraction", "share of eligible traffic that is hidden intents, before the change"
    )
    hidden_after: float = _option(0.20, "fraction", "the same, after the change")
    ramp_start_day: int = _option(14, "days", "day of routing on which the hidden share starts to move (the onset)")
    ramp_days: int = _option(28, "days", "days over which it moves; 0 for a step")

    cheap_fail_normal: float = _option(0.05, "fraction", "normal queries that the cheap tier fails")
    cheap_fail_hidden: float = _option(0.90, "fraction", "hidden-intent queries that the cheap tier fails")
    capable_fail: float = _option(0.04, "fraction", "queries of either sort that the capable tier fails")

    reviews_per_day: int = _option(200, "reviews/day", "human reviews")
    review_cheap_share: float = _option(0.70, "fraction", "share of the reviews spent on the cheap tier once it serves")
    review_holdout_share: float = _option(
        0.75, "fraction", "share of the capable tier's reviews that goes to the holdout on purpose"
    )
    review_tail_share: float = _option(
        0.50, "fraction", "share of a stratum's reviews spent on its long tail; the rest is a floor"
    )
    review_sees_normal: float = _option(0.90, "fraction", "failures that a reviewer sees")
    review_sees_hidden: float = _option(0.50, "fraction", "confident failures on hidden intents that a reviewer sees")
    review_false_flag: float = _option(0.02, "fraction", "good answers that a reviewer flags")
    tail_share: float = _option(0.20, "fraction", "share of normal queries above the long-tail cut")
    tail_hidden_share: float = _option(0.60, "fraction", "share of hidden-intent queries above the same cut")

    suite_per_week: int = _option(
        12_000,
        "queries/week",
        "static regression suite sent through the router, at 50,000 queries a day; smaller logs scale it",
    )
    thumbs_up: float = _option(0.012, "fraction", "requests that get a thumb up")
    thumbs_down: float = _option(0.0028, "fraction", "requests that get a thumb down whatever the answer")
    thumbs_down_per_failure: float = _option(
        0.004, "fraction", "additional chance of a thumb down when the answer failed"
    )
    csat_share: float = _option(0.01, "fraction", "requests whose conversation gets a satisfaction rating")
    judge_share: float = _option(0.01, "fraction", "served requests scored by a model judge")
    judge_sees_normal: float = _option(0.80, "fraction", "failures that the judge sees")
    judge_sees_hidden: float = _option(0.70, "fraction", "failures on hidden intents that the judge sees")
    judge_false_flag: float = _option(0.08, "fraction", "good answers that the judge flags")
    judge_usd: float = _option(0.004, "USD", "cost of one judge call, before scaling")
    implicit_share: float = _option(
        0.02, "fraction", "served requests for which it was logged whether the user asked again"
    )

    early_name: str = _option("ticket", "name", "outcome that arrives in days, joined by conversation")
    early_base: float = _option(0.002, "fraction", "requests followed by one although the answer was right")
    early_per_failure: float = _option(0.020, "fraction", "additional chance after a failed normal query")
    early_per_hidden_failure: float = _option(0.020, "fraction", "additional chance after a failed hidden-intent query")
    early_usd: float = _option(5.0, "USD", "cost of one")
    early_lag_days: float = _option(3.0, "days", "mean time until it arrives (at least 0.1)")
    early_window_days: float = _option(14.0, "days", "attribution and maturity window; nothing arrives later")
    late_name: str = _option("churn", "name", "outcome that arrives in weeks, joined by user")
    late_base: float = _option(0.0001, "fraction", "requests followed by one although the answer was right")
    late_per_failure: float = _option(0.0010, "fraction", "additional chance after a failed normal query")
    late_per_hidden_failure: float = _option(0.0010, "fraction", "additional chance after a failed hidden-intent query")
    late_usd: float = _option(33.0, "USD", "cost of one")
    late_lag_days: float = _option(14.0, "days", "mean time until it arrives (at least 7)")
    late_window_days: float = _option(28.0, "days", "attribution and maturity window; nothing arrives later")

    capable_input_tokens: float = _option(
        1100.0, "tokens", "mean prompt of the capable tier, long with retrieved documents"
    )
    capable_output_tokens: float = _option(275.0, "tokens", "mean answer of the capable tier")
    cheap_token_ratio: float = _option(
        0.3077, "fraction", "prompt and answer of the cheap tier relative to the capable one's"
    )
    capable_input_usd_per_mtok: float = _option(2.50, "USD/Mtok", "input price of the capable tier, before scaling")
    capable_output_usd_per_mtok: float = _option(10.0, "USD/Mtok", "output price of the capable tier, before scaling")
    cheap_price_ratio: float = _option(0.25, "fraction", "token price of the cheap tier relative to the capable one's")

    confidence_mean_logit: float = _option(
        1.2, "logit", "mean of the router's confidence on normal queries, before scaling to [.5, 1]"
    )
    confidence_hidden_shift: float = _option(-0.3, "logit", "shift of it on hidden intents: they look almost as simple")
    users_per_query: float = _option(4.0, "users per daily query", "users in the log")
    follow_up_share: float = _option(0.20, "fraction", "requests that continue a conversation of the same day")
    mix_noise: float = _option(
        0.03, "fraction", "relative day-to-day noise of the intents' shares (one standard deviation)"
    )
    error_rate: float = _option(0.001, "fraction", "requests that end in an error and are served by no tier")

    drift: str = _option("none", "name", f"what drifts, without a loss: {', '.join(DRIFTS)}")
    drift_day: int = _option(60, "days", "day of the log, from 0, on which that begins")
    drift_share: float = _option(
        0.1, "fraction", "how far it moves, relative to what it was; of a segment: how much of it is renamed"
    )
    novelty_shift: float = _option(0.0, "sd", "shift of the logarithm of all requests' novelty, in standard deviations")

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, naming the option."""
        for name, value in fractions(self).items():
            if not 0.0 <= value <= 1.0:
                msg = f"--{name.replace('_', '-')} is a fraction in [0, 1], not {value!r}"
                raise UsageError(msg)
        for name in ("queries_per_day", "represents_per_day", "weeks", "reviews_per_day"):
            if getattr(self, name) < 1:
                msg = f"--{name.replace('_', '-')} must be at least 1, not {getattr(self, name)!r}"
                raise UsageError(msg)
        if self.drift not in DRIFTS:
            msg = f"--drift is one of {', '.join(DRIFTS)}, not {self.drift!r}"
            raise UsageError(msg)
        if self.pre_weeks < 0 or self.ramp_days < 0 or self.suite_per_week < 0:
            msg = "--pre-weeks, --ramp-days and --suite-per-week cannot be negative"
            raise UsageError(msg)
        if not self.rollout or not all(0.0 <= share <= 1.0 for share in self.rollout):
            msg = f"--rollout takes fractions in [0, 1] separated by commas, not {self.rollout!r}"
            raise UsageError(msg)

    @property
    def days(self) -> int:
        """Days in the log."""
        return 7 * (self.pre_weeks + self.weeks)

    @property
    def pre_days(self) -> int:
        """Days before the first day of routing."""
        return 7 * self.pre_weeks

    @property
    def scale(self) -> float:
        """How many requests of the product one request of the log stands for; multiplies every amount of money."""
        return self.represents_per_day / self.queries_per_day

    @property
    def n_users(self) -> int:
        """Users in the log."""
        return max(50, round(self.queries_per_day * self.users_per_query))

    @property
    def routing_from(self) -> datetime:
        """First moment of routing."""
        return midnight(self.start + timedelta(days=self.pre_days))

    @property
    def onset(self) -> datetime | None:
        """When the loss begins: the ramp's first day, or the first day of routing for a loss that never ramps."""
        if self.healthy:
            return None
        if self.hidden_after == self.hidden_before:
            return self.routing_from
        return self.routing_from + timedelta(days=self.ramp_start_day)

    @property
    def ends(self) -> datetime:
        """When the log was exported: nothing that arrives later is in it."""
        return midnight(self.start + timedelta(days=self.days))

    def made_healthy(self) -> Self:
        """The same traffic without the loss.

        Hidden intents stay at `hidden_before`, and the cheap tier fails every query, hidden or not, exactly as often as
        the capable tier does, in a way that reviewers see as well. Everything else is unchanged.
        """
        return replace(
            self,
            healthy=True,
            hidden_after=self.hidden_before,
            cheap_fail_normal=self.capable_fail,
            cheap_fail_hidden=self.capable_fail,
            review_sees_hidden=self.review_sees_normal,
            judge_sees_hidden=self.judge_sees_normal,
        )


def fractions(parameters: IncidentParameters) -> dict[str, float]:
    """The parameters whose unit is a fraction, by name."""
    fields_ = type(parameters).__dataclass_fields__
    return {name: getattr(parameters, name) for name, f in fields_.items() if f.metadata.get("unit") == "fraction"}


def as_of(parameters: IncidentParameters, day: int) -> IncidentParameters:
    """The parameters on a day of the log: those that drift have moved by then.

    Examples:
        >>> moved = replace(SUPPORT, drift="length", drift_day=30)
        >>> [round(as_of(moved, day).capable_output_tokens, 1) for day in (29, 30)]
        [275.0, 302.5]
    """
    p, by = parameters, parameters.drift_share
    if p.drift == "none" or day < p.drift_day:
        return p
    match p.drift:
        case "confidence":
            return replace(p, confidence_mean_logit=p.confidence_mean_logit * (1 - by))
        case "novelty":
            return replace(p, novelty_shift=p.novelty_shift + by)
        case "share":
            return replace(p, eligible_share=p.eligible_share * (1 - by))
        case "length":
            return replace(p, capable_output_tokens=p.capable_output_tokens * (1 + by))
        case "errors":
            return replace(p, error_rate=min(1.0, p.error_rate + by))
    return p


def midnight(day: date) -> datetime:
    """The first moment of `day`, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)  # noqa: UP017 - datetime.UTC reads worse here


def hidden_share(parameters: IncidentParameters, day: int) -> float:
    """Share of eligible traffic that is hidden intents on a day of the log.

    Args:
        parameters: The incident.
        day: Day of the log, 0 = first; routing starts at `parameters.pre_days`.

    Returns:
        A fraction in [0, 1].

    Examples:
        >>> [round(hidden_share(SUPPORT, SUPPORT.pre_days + t), 4) for t in (0, 13, 14, 27, 41, 90)]
        [0.02, 0.02, 0.0264, 0.11, 0.2, 0.2]
    """
    t = day - parameters.pre_days - parameters.ramp_start_day
    if t < 0:
        return parameters.hidden_before
    step = 1.0 if parameters.ramp_days == 0 else min(1.0, (t + 1) / parameters.ramp_days)
    return parameters.hidden_before + step * (parameters.hidden_after - parameters.hidden_before)


def rollout_share(parameters: IncidentParameters, day: int) -> float:
    """Share of users that are rolled out on a day of the log; 0 before routing.

    Examples:
        >>> [rollout_share(SUPPORT, SUPPORT.pre_days + 7 * w) for w in (-1, 0, 1, 2, 3, 4, 5, 9)]
        [0.0, 0.05, 0.1, 0.25, 0.5, 0.5, 1.0, 1.0]
    """
    week = (day - parameters.pre_days) // 7
    if week < 0:
        return 0.0
    return parameters.rollout[min(week, len(parameters.rollout) - 1)]


def fail_probability(
    parameters: IncidentParameters, cheap: npt.NDArray[np.bool_], hidden: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Probability that the answer failed, by who answered and whether the intent was hidden. Shape of the inputs."""
    on_cheap = np.where(hidden, parameters.cheap_fail_hidden, parameters.cheap_fail_normal)
    return np.where(cheap, on_cheap, parameters.capable_fail)


SUPPORT = IncidentParameters(
    incident="support",
    intents=(
        Intent("order_status", 0.30, 0.10),
        Intent("account", 0.25, 0.10),
        Intent("product_info", 0.20, 0.10),
        Intent("billing", 0.10, 0.50),
        Intent("returns", 0.10, 0.10),
        Intent("subscription", 0.05, 0.10),
    ),
    target_intent="billing",
)
"""Four million monthly users; hidden intents grow from 2 to 20 % of the cheap tier's traffic during the rollout."""

SUCCESS = IncidentParameters(
    incident="success",
    intents=(
        Intent("how_to", 0.32, 0.10),
        Intent("onboarding", 0.24, 0.05),
        Intent("integrations", 0.18, 0.15),
        Intent("data_export", 0.11, 0.50),
        Intent("invoicing", 0.09, 0.10),
        Intent("renewal", 0.06, 0.10),
    ),
    target_intent="data_export",
    policy_kind="embedding_similarity",
    represents_per_day=200_000,
    eligible_share=0.55,
    rollout=(0.10, 0.30, 0.60, 1.0),
    hidden_before=0.02,
    hidden_after=0.14,
    ramp_start_day=21,
    ramp_days=21,
    cheap_fail_hidden=0.80,
    early_name="escalation",
    early_base=0.001,
    early_per_failure=0.040,
    early_per_hidden_failure=0.040,
    early_usd=4.0,
    late_name="renewal_lost",
    late_base=0.00003,
    late_per_failure=0.0011,
    late_per_hidden_failure=0.0011,
    late_usd=34.0,
    capable_input_tokens=1800.0,
    capable_output_tokens=450.0,
    confidence_hidden_shift=-0.1,
    users_per_query=1.5,
)
"""A router by embedding similarity: "how do I export everything" reads like a how-to question and is a customer leaving."""

FINTECH = IncidentParameters(
    incident="fintech",
    intents=(
        Intent("branch_and_hours", 0.30, 0.02),
        Intent("card_features", 0.26, 0.10),
        Intent("app_help", 0.20, 0.03),
        Intent("fees_and_rates", 0.14, 0.65),
        Intent("transfers_info", 0.10, 0.20),
    ),
    target_intent="fees_and_rates",
    policy_kind="rules",
    queries_per_day=50_000,
    represents_per_day=500_000,
    eligible_share=0.20,
    rollout=(0.25, 0.50, 1.0),
    hidden_before=0.08,
    hidden_after=0.08,
    ramp_start_day=0,
    ramp_days=0,
    cheap_fail_normal=0.04,
    cheap_fail_hidden=0.85,
    review_sees_hidden=0.70,
    early_name="complaint",
    early_base=0.0005,
    early_per_failure=0.003,
    early_per_hidden_failure=0.030,
    early_usd=40.0,
    early_lag_days=5.0,
    early_window_days=21.0,
    late_name="regulatory_event",
    late_base=0.00001,
    late_per_failure=0.0,
    late_per_hidden_failure=0.0012,
    late_usd=800.0,
    late_lag_days=28.0,
    late_window_days=49.0,
    capable_input_tokens=1400.0,
    capable_output_tokens=300.0,
)
"""Only 20 % "informational" queries are routed; a few of them carry regulatory weight, and are wrong from the first day."""

INCIDENTS: dict[str, IncidentParameters] = {p.incident: p for p in (SUPPORT, SUCCESS, FINTECH)}
