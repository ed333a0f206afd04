"""After a global alarm: does one segment bear the loss, or the whole tier?

A tier whose one bad segment alarms is loud as a whole, too. A segment is named when its failures rose by more points than those of
the rest of the tier, by a difference that stands out from all segments looked at. Points, not multiples: what a loss costs is
measured in failed requests, and a segment that was hard before would hide a large loss behind a small multiple.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CERTAINTY = 2.0
"""Log-likelihood gain asked for, beyond log(number of segments looked at)."""

CERTAINTY_WITH_LEAD = 0.5
"""The same where the segment must also bear more of the loss than any other of its key."""

LEAD = 0.4
"""Standard errors (root of both segments' failures) by which its excess must lead the next one's of its key. Measured on
`undertow.simulation.story`: with it 37 to 50 % of alarms name a segment, 96 to 99 % of these the worst one; without it, at
CERTAINTY, 20 to 26 % and 92 to 97 %; where the loss is spread evenly, 4 % name one."""

PRIOR_LABELS = 10.0
"""Labels that the tier's own baseline is worth as a prior of each segment's baseline."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Failures and labels of the rest of a tier, before the onset and since, for each of its segments. Shapes (S, H)."""

    failures_before: FloatArray
    n_before: FloatArray
    failures_after: FloatArray
    n_after: FloatArray


def segment_of_rise(
    failures_before: FloatArray,
    n_before: FloatArray,
    failures_after: FloatArray,
    n_after: FloatArray,
    keys: npt.ArrayLike | None = None,
    requests_after: FloatArray | None = None,
    rest: Rest | None = None,
) -> int | None:
    """Position of the segment whose failures rose most, or None for the whole tier.

    Rises are compared stratum by stratum of the sampling design, each worth the labels that segment and rest have in common there, so
    that a segment with more long-tail labels, or with all that steering drew, is not named for that. The comparison is a normal
    approximation to a likelihood ratio: z^2 / 2 >= CERTAINTY + log(segments).

    Args:
        failures_before: Failures before the onset; row 0 is the whole tier, the rest its segments. Shape (1 + S, H).
        n_before: Labels, alike.
        failures_after: Failures since the onset, alike.
        n_after: Labels, alike.
        keys: A number per segment, the same for segments of one key. Segments of one key do not overlap, so the failures beyond the
            baseline say which of them bears the loss: it must lead the next one. None: keys unknown, only the larger rise
            is asked for, with more certainty. Shape (S,).
        requests_after: Requests that the labels since the onset stand for, alike: how much of the tier a segment is, however many of
            its requests were drawn. None: all were drawn alike.
        rest: Labels of the rest of the tier, for each segment. None: the tier's less the segment's, which is so where all count alike.

    Returns:
        Position among the S segments.

    Examples:
        >>> before, n = np.array([[20.0], [10.0], [10.0]]), np.array([[400.0], [200.0], [200.0]])
        >>> segment_of_rise(before, n, np.array([[70.0], [58.0], [12.0]]), n)
        0
        >>> segment_of_rise(before, n, np.array([[70.0], [36.0], [34.0]]), n) is None
        True
    """
    if len(n_before) < 2:
        return None
    tier_rate = (failures_before[0] + 1.0) / (n_before[0] + 10.0)
    base_n = n_before[1:] + PRIOR_LABELS
    base = (failures_before[1:] + PRIOR_LABELS * tier_rate) / base_n
    own = n_after[1:]
    excess, noise = _excess(failures_after[1:], own, base, base_n)
    if rest is None:
        left = (np.maximum(x[:1] - x[1:], 0.0) for x in (failures_before, n_before, failures_after, n_after))
        rest = Rest(*left)
    rest_n = rest.n_after
    rest_before_n = rest.n_before + PRIOR_LABELS
    rest_base = (rest.failures_before + PRIOR_LABELS * tier_rate) / rest_before_n
    rest_excess, rest_noise = _excess(rest.failures_after, rest_n, rest_base, rest_before_n)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = own * rest_n / (own + rest_n)
        difference = np.where(worth > 0, worth * (excess / own - rest_excess / rest_n), 0.0).sum(1)
        variance = np.where(worth > 0, worth**2 * (noise / own**2 + rest_noise / rest_n**2), 0.0).sum(1)
        z = difference / np.sqrt(variance)
        part = np.where(own > 0, 1.0, 0.0)
        if requests_after is not None:
            # As if all segments of a stratum were drawn at the tier's rate; strata stay as heavy as they are sampled.
            part = np.where(own > 0, requests_after[1:] * n_after[:1] / (own * requests_after[:1]), 0.0)
    z = np.where((variance > 0) & (excess.sum(1) > 0), z, -np.inf)
    best = int(np.argmax(z))
    certainty = CERTAINTY if keys is None else CERTAINTY_WITH_LEAD
    if not (z[best] > 0 and z[best] ** 2 / 2 >= certainty + np.log(len(z))):
        return None
    borne, variance_borne = (part * excess).sum(1), (part**2 * failures_after[1:]).sum(1)
    if keys is not None and not _leads(best, borne, variance_borne, np.asarray(keys)):
        return None
    return best


def _leads(best: int, excess: FloatArray, variance: FloatArray, keys: npt.NDArray[np.generic]) -> bool:
    """Whether a segment's failures beyond its baseline are clearly more than those of each other segment of its key."""
    others = np.flatnonzero((keys == keys[best]) & (np.arange(len(excess)) != best))
    distance = excess[best] - np.maximum(excess[others], 0.0)
    return bool((distance >= LEAD * np.sqrt(np.maximum(variance[best] + variance[others], 1.0))).all())


def _excess(failures: FloatArray, n: FloatArray, base: FloatArray, base_n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Failures beyond the baseline per row and stratum, and their variance (labels' own and the baseline's)."""
    rate = np.where(n > 0, (failures + base) / (n + 1.0), base)
    noise = n * rate * (1 - rate) + n**2 * base * (1 - base) / base_n
    return failures - n * base, noise
