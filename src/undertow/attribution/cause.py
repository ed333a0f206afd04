"""Why a tier got worse: routing, the provider, or traffic that became harder for every tier.

A rise of failures on the cheap tier is compared with what its reference did on like requests over the same time. If the
reference stayed where it was, routing is to blame; if it rose as much, both tiers share the cause: a change of mix when
the rise comes from traffic moving between segments, the provider (or the world) when it happened inside them. Where the
reference cannot tell the two apart, the cause is unknown, and the report says what to label to settle it.

This is a classification of an alarm that has already been raised, not a second test: it compares two named hypotheses by
their likelihood ratio, and decides only when one is at least `DECISIVE_RATIO` times likelier. If the wrong one is true the
ratio exceeds that with probability at most 1 / `DECISIVE_RATIO` (Markov), under a normal approximation to the means.
"""

import math
from dataclasses import dataclass
from typing import Literal

DECISIVE_RATIO = 20.0
"""How much likelier one explanation must be before it is named."""

MIN_LABELS = 20
"""Fewer reference labels than this, before or after the onset, explain nothing."""

SURE_ERRORS = 2.5
"""A shared rise must stand out from nothing by this many standard errors: clearing routing needs evidence of its own."""

MIX_SHARE = 0.5
"""From this part of a shared rise on, movement between segments is its name; below it, the provider's."""


@dataclass(frozen=True, slots=True)
class MeanWithError:
    """An estimated failure rate.

    Attributes:
        mean: In [0, 1].
        variance: Of the mean, >= 0.
        n: Labels behind it.
    """

    mean: float
    variance: float
    n: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """A cause and why.

    Attributes:
        cause: `routing`, `provider`, `mix` or `unknown`.
        note: One sentence for people.
        log_ratio: Natural logarithm of the likelihood of "reference unchanged" over "reference rose as much"; None where
            there was nothing to compare.
    """

    cause: Literal["routing", "provider", "mix", "unknown"]
    note: str
    log_ratio: float | None = None


def attribute(
    tier_before: MeanWithError,
    tier_after: MeanWithError,
    reference_before: MeanWithError | None,
    reference_after: MeanWithError | None,
    *,
    reference_name: str,
    reference_mix_part: float = 0.0,
) -> Attribution:
    """Name the cause of a tier's rise of failures.

    Args:
        tier_before: Failure rate of the alarmed tier (and segment) before the onset.
        tier_after: The same since the onset.
        reference_before: Failure rate of the reference on like requests before the onset, or None.
        reference_after: The same since the onset.
        reference_name: What the reference is, for the note: "the holdout".
        reference_mix_part: Part of the reference's rise that comes from traffic moving between segments, in rate units.

    Returns:
        The cause with its reason.

    Examples:
        The holdout did not move while the cheap tier failed 6 points more often:

        >>> before, after = MeanWithError(0.06, 3e-5, 2000), MeanWithError(0.12, 5e-5, 2000)
        >>> flat = MeanWithError(0.05, 5e-5, 900)
        >>> attribute(before, after, flat, MeanWithError(0.052, 5e-5, 900), reference_name="the holdout").cause
        'routing'

        It rose as much, inside its segments:

        >>> attribute(before, after, flat, MeanWithError(0.11, 9e-5, 900), reference_name="the holdout").cause
        'provider'
    """
    if reference_before is None or reference_after is None or min(reference_before.n, reference_after.n) < MIN_LABELS:
        return Attribution("unknown", "no other tier has enough labels on like requests to compare with")
    rise = tier_after.mean - tier_before.mean
    shared = reference_after.mean - reference_before.mean
    own_error = reference_before.variance + reference_after.variance
    both_error = own_error + tier_before.variance + tier_after.variance
    if rise <= 0 or own_error <= 0:
        return Attribution("unknown", "the rise is gone in all labels since the onset")
    log_flat = -0.5 * (shared**2 / own_error + math.log(own_error))
    log_shared = -0.5 * ((shared - rise) ** 2 / both_error + math.log(both_error))
    log_ratio = log_flat - log_shared
    moved = f"{reference_name} moved {100 * shared:+.1f} points while the tier's failures moved {100 * rise:+.1f}"
    if log_ratio >= math.log(DECISIVE_RATIO):
        return Attribution("routing", moved, log_ratio)
    if log_ratio <= -math.log(DECISIVE_RATIO) and shared >= SURE_ERRORS * math.sqrt(own_error):
        if reference_mix_part >= MIX_SHARE * shared:
            return Attribution("mix", f"{moved}, because traffic moved to harder requests", log_ratio)
        return Attribution("provider", f"{moved}: both tiers share it", log_ratio)
    return Attribution("unknown", f"{moved}: too few labels to tell", log_ratio)


def mix_part(
    share_before: list[float], share_after: list[float], rate_before: list[float], rate_after: list[float]
) -> float:
    """Part of a change of an average rate that comes from shares moving between segments.

    The symmetric decomposition (Kitagawa 1955): sum_g (s1_g - s0_g) (r0_g + r1_g) / 2. The rest happened inside segments.

    Examples:
        All of it: rates stay, traffic moves to the harder half.

        >>> round(mix_part([0.5, 0.5], [0.2, 0.8], [0.02, 0.12], [0.02, 0.12]), 3)
        0.03
    """
    return sum(
        (s1 - s0) * (r0 + r1) / 2
        for s0, s1, r0, r1 in zip(share_before, share_after, rate_before, rate_after, strict=True)
    )
