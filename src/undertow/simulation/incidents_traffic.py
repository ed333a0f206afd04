"""Requests of a simulated incident: who asked what, which tier answered, at what price, and whether it failed.

One call makes one day from that day's own random generator, so days may be made in any order or at the same time and the
log is the same. What is latent in the world (hidden intent, failure) stays in the arrays and is never written to the log.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri

from undertow.simulation.incidents import (
    CAPABLE,
    CHEAP,
    UNSERVED,
    WEEKDAY_FACTORS,
    IncidentParameters,
    fail_probability,
    hidden_share,
    rollout_share,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DAY_MS = 86_400_000
REASONS: tuple[str, ...] = ("confident", "constraint", "holdout", "rollout", "observe", "upstream_error")
CONFIDENT, CONSTRAINT, HOLDOUT, ROLLOUT, OBSERVE, UPSTREAM_ERROR = range(6)
THRESHOLD = 0.5
"""Confidence above which the router takes an eligible request for simple; every eligible request of the story is above it."""


@dataclass(frozen=True, slots=True)
class Population:
    """Users of a log: fixed random numbers that the router's pure hash of the user id stands for. Shape (users,)."""

    holdout: BoolArray
    """In the holdout arm."""
    rollout_rank: FloatArray
    """In [0, 1): the user is rolled out once the rollout share exceeds it."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of one day in order of arrival. All arrays have shape (n,).

    `failed` and `hidden` are the truth that no log holds. `confidence` is NaN where the router did not look.
    """

    day: int
    suite: bool
    time_ms: IntArray
    """Milliseconds since the first moment of the log."""
    user: IntArray
    conversation: IntArray
    """Number of the conversation within its day."""
    intent: IntArray
    hidden: BoolArray
    eligible: BoolArray
    holdout: BoolArray
    tier: IntArray
    reason: IntArray
    propensity: FloatArray
    confidence: FloatArray
    novelty: FloatArray
    tail: BoolArray
    """Above the long-tail cut of the novelty."""
    input_tokens: IntArray
    output_tokens: IntArray
    cost_usd: FloatArray
    baseline_cost_usd: FloatArray
    latency_ms: FloatArray
    ttft_ms: FloatArray
    failed: BoolArray

    def __len__(self) -> int:
        return len(self.time_ms)


def draw_population(parameters: IncidentParameters, rng: np.random.Generator) -> Population:
    """Assign every user an arm and a place in the rollout, once for the whole log."""
    n = parameters.n_users
    return Population(rng.random(n) < parameters.holdout, rng.random(n))


def novelty_cut(parameters: IncidentParameters) -> float:
    """Novelty above which a request counts as long tail: the top `tail_share` of normal requests."""
    return float(np.exp(0.5 * ndtri(1.0 - parameters.tail_share)))


def _intents(parameters: IncidentParameters, hidden: BoolArray, rng: np.random.Generator) -> IntArray:
    """Intent of each request; normal shares carry a little day-to-day noise, hidden ones do not."""
    shares = np.array([intent.share for intent in parameters.intents])
    noisy = shares * np.exp(parameters.mix_noise * rng.standard_normal(len(shares)))
    concealed = np.cumsum([intent.hidden_share for intent in parameters.intents])
    u = rng.random(len(hidden))
    last = len(shares) - 1
    normal_intent = np.searchsorted(np.cumsum(noisy) / noisy.sum(), u, side="right")
    hidden_intent = np.searchsorted(concealed / concealed[-1], u, side="right")
    return np.minimum(np.where(hidden, hidden_intent, normal_intent), last).astype(np.int64)


def _tokens_and_cost(
    parameters: IncidentParameters, cheap: BoolArray, served: BoolArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Tokens of the served answer, its cost, and what the capable tier would have cost, in USD of the log (scaled)."""
    p = parameters
    n = len(cheap)
    spread = 0.35  # log standard deviation; the mean factor is divided out, so that means are as stated
    size_in = np.exp(spread * rng.standard_normal(n) - spread**2 / 2)
    size_out = np.exp(spread * rng.standard_normal(n) - spread**2 / 2)
    full_in, full_out = p.capable_input_tokens * size_in, p.capable_output_tokens * size_out
    ratio = np.where(cheap, p.cheap_token_ratio, 1.0)
    tokens_in = np.maximum(1, np.rint(full_in * ratio)).astype(np.int64)
    tokens_out = np.maximum(1, np.rint(full_out * ratio)).astype(np.int64)
    price = np.where(cheap, p.cheap_price_ratio, 1.0) * p.scale / 1e6
    usd_in, usd_out = p.capable_input_usd_per_mtok, p.capable_output_usd_per_mtok
    cost = (tokens_in * usd_in + tokens_out * usd_out) * price
    baseline = (np.rint(full_in) * usd_in + np.rint(full_out) * usd_out) * p.scale / 1e6
    return np.where(served, tokens_in, 0), np.where(served, tokens_out, 0), np.where(served, cost, 0.0), baseline


def _requests(
    parameters: IncidentParameters,
    population: Population | None,
    day: int,
    time_ms: IntArray,
    conversation: IntArray,
    rng: np.random.Generator,
    hidden: float,
) -> Traffic:
    """Route the requests of one day, given when they arrive and to which conversation they belong.

    The requests of a conversation share user, intent and eligibility. Without a population (the suite) there are neither
    users nor arms, and each query is rolled out on its own.
    """
    p = parameters
    n, conversations = len(time_ms), int(conversation.max()) + 1
    u = rng.random((4, conversations))
    users = 1 if population is None else p.n_users
    user = np.minimum((users * u[0] ** 1.5).astype(np.int64), users - 1)[
        conversation
    ]  # some users ask more than others
    talk_eligible = u[1] < p.eligible_share
    talk_hidden = (u[2] < hidden) & talk_eligible
    intent = _intents(p, talk_hidden, rng)[conversation]
    eligible, is_hidden = talk_eligible[conversation], talk_hidden[conversation]

    share = rollout_share(p, day)
    routing = day >= p.pre_days
    in_holdout = np.zeros(n, dtype=np.bool_) if population is None else population.holdout[user]
    rolled_out = (u[3][conversation] if population is None else population.rollout_rank[user]) < share
    cheap = eligible & ~in_holdout & rolled_out & routing
    served = rng.random(n) >= p.error_rate
    tier = np.where(served, np.where(cheap, CHEAP, CAPABLE), UNSERVED)
    treated = 1.0 if population is None else 1.0 - p.holdout
    p_cheap = np.where(eligible, treated * share, 0.0)
    propensity = np.where(cheap, p_cheap, 1.0 - p_cheap)
    reason = np.select(
        [~served, ~eligible, np.full(n, not routing), in_holdout, cheap],
        [UPSTREAM_ERROR, CONSTRAINT, OBSERVE, HOLDOUT, CONFIDENT],
        ROLLOUT,
    )

    logit = p.confidence_mean_logit + 0.9 * rng.standard_normal(n) + p.confidence_hidden_shift * is_hidden
    confidence = np.where(eligible, np.round(THRESHOLD + (1 - THRESHOLD) * expit(logit), 4), np.nan)
    cut = ndtri(1.0 - p.tail_share)
    shift = cut - ndtri(1.0 - p.tail_hidden_share)
    z = rng.standard_normal(n) + shift * is_hidden + p.novelty_shift
    tokens_in, tokens_out, cost, baseline = _tokens_and_cost(p, cheap, served, rng)
    speed = np.exp(0.3 * rng.standard_normal(n))
    latency = np.rint(np.where(cheap, 650.0, 1900.0) * speed)
    failed = (rng.random(n) < fail_probability(p, cheap, is_hidden)) & served
    return Traffic(
        day=day,
        suite=population is None,
        time_ms=time_ms,
        user=user,
        conversation=conversation,
        intent=intent,
        hidden=is_hidden,
        eligible=eligible,
        holdout=in_holdout,
        tier=tier,
        reason=reason,
        propensity=propensity,
        confidence=confidence,
        novelty=np.round(np.exp(0.5 * z), 4),
        tail=z > cut,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=cost,
        baseline_cost_usd=baseline,
        latency_ms=latency,
        ttft_ms=np.rint(0.3 * latency),
        failed=failed,
    )


def draw_day(parameters: IncidentParameters, population: Population, day: int, rng: np.random.Generator) -> Traffic:
    """Live requests of one day of the log.

    Args:
        parameters: The incident.
        population: The users, from `draw_population`.
        day: Day of the log, 0 = first.
        rng: This day's own generator.

    Returns:
        Requests in order of arrival. Their number is Poisson with the weekday's mean.
    """
    weekday = (parameters.start.weekday() + day) % 7
    n = max(1, int(rng.poisson(parameters.queries_per_day * WEEKDAY_FACTORS[weekday])))
    conversations = max(1, round(n * (1.0 - parameters.follow_up_share)))
    opened_ms = rng.beta(2.2, 1.8, conversations) * DAY_MS
    parent = rng.integers(0, conversations, n - conversations)
    follow_up_ms = opened_ms[parent] + rng.exponential(600_000.0, n - conversations)
    at_ms = np.minimum(np.concatenate([opened_ms, follow_up_ms]).astype(np.int64), DAY_MS - 1)
    order = np.argsort(at_ms, kind="stable")
    conversation = np.concatenate([np.arange(conversations), parent])[order]
    return _requests(
        parameters, population, day, day * DAY_MS + at_ms[order], conversation, rng, hidden_share(parameters, day)
    )


def suite_size(parameters: IncidentParameters) -> int:
    """Queries in one run of the regression suite: as stated at 50,000 requests a day, in proportion below that."""
    return round(parameters.suite_per_week * min(1.0, parameters.queries_per_day / 50_000))


def draw_suite(parameters: IncidentParameters, day: int, rng: np.random.Generator) -> Traffic | None:
    """The regression suite's run of a day: every Monday at 02:00, through the router, its queries as they were before routing.

    The suite is static, so hidden intents stay at `hidden_before` in it: that is why it hardly moves. Returns None on days
    without a run.
    """
    n = suite_size(parameters)
    if n == 0 or (parameters.start.weekday() + day) % 7 != 0:
        return None
    time_ms = day * DAY_MS + 2 * 3_600_000 + np.arange(n, dtype=np.int64) * 250
    return _requests(parameters, None, day, time_ms, np.arange(n), rng, parameters.hidden_before)
