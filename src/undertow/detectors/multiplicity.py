"""One alarm for all streams: a false-alarm budget that is shared, and locating afterwards.

A stream is a signal in a tier, segment or risk stratum. Weights sum to at most 1, so the weighted sum of e-detectors is an
e-detector: one line bounds the false alarms of all streams together, whatever their dependence. Which streams it was is asked
only after that global alarm.

Weights must be predictable, or the sum is no e-detector and truncating the log would change the past: a stream's weight depends on
streams that had appeared by then, never on later ones. Streams known when monitoring starts divide the budget; later ones get
decreasing shares of a reserve.

References:
    Shin, Ramdas, Rinaldo (2022), arXiv 2203.03532 (mixtures). Dandapanthula and Ramdas (2025), Multiple testing in multi-stream
    sequential change detection, arXiv 2501.04130 (e-d-BH). Wang and Ramdas (2022), False discovery rate control with e-values,
    JRSS B 84 (weighted e-BH).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Role = Literal["tier", "tail", "segment", "capable", "level", "level_segment", "topic"]

ROLE_SHARES: dict[Role, float] = {
    "tier": 0.25,
    "tail": 0.25,
    "segment": 0.3,
    "capable": 0.2,
    "level": 0.15,
    "level_segment": 0.15,
    "topic": 0.3,
}
"""Relative shares of a signal's budget, divided among the roles that a log has: change of cheap tiers as a whole, of their
heavily sampled strata, of their segments, of the capable tier; levels of cheap tiers and of their segments."""

RESERVE = 0.05
"""Share of every budget that is kept for signals, roles and streams that appear after monitoring has begun."""


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """What a weight is given to.

    Attributes:
        signal: `kind.name`.
        role: Which part of the signal's budget it draws on.
        name: Anything that tells streams of one signal and role apart (tier, segment, stratum); breaks ties in order.
        first_seen: Bucket of its first label.
    """

    signal: str
    role: Role
    name: str
    first_seen: int


def late_share(batch: int) -> float:
    """Share of a reserve for the batch-th later arrival, 1 / (b (b + 1)): 1/2, 1/6, 1/12, ..., sums to 1.

    Examples:
        >>> late_share(1), round(sum(late_share(b) for b in range(1, 1000)), 2)
        (0.5, 1.0)
    """
    return 1.0 / (batch * (batch + 1))


def _divide(first_seen: Mapping[str, int], known_by: int, prior: Mapping[str, float] | None = None) -> dict[str, float]:
    """Shares of one budget: known items by `prior` (equal if None), later ones by day of arrival from the reserve."""
    known = [item for item, day in first_seen.items() if day <= known_by]
    shares: dict[str, float] = {}
    weight = {item: 1.0 if prior is None else prior[item] for item in known}
    total = sum(weight.values())
    for item in known:
        shares[item] = (1.0 - RESERVE) * weight[item] / total
    later_days = sorted({day for day in first_seen.values() if day > known_by})
    for batch, day in enumerate(later_days, start=1):
        arrivals = [item for item, seen in first_seen.items() if seen == day]
        for item in arrivals:
            shares[item] = RESERVE * late_share(batch) / len(arrivals)
    return shares


def stream_weights(
    streams: Sequence[Stream], known_by: int, signal_shares: Mapping[str, float] | None = None
) -> FloatArray:
    """Predictable weights: budget over signals, within a signal over roles, within a role equally over streams.

    Args:
        streams: All streams that ever appeared in the log. Their order is the order of the result.
        known_by: Bucket at whose end monitoring starts (the end of the baseline). Streams seen by then share 1 - RESERVE of
            their part of the budget; those of a later bucket get late_share of the reserve, whatever comes after them.
        signal_shares: Shares of signals known by `known_by`, above 0; need not sum to 1, equal if None. Signals not named get 1.

    Returns:
        Weights, sum at most 1. Adding a stream with a later `first_seen` (above known_by) leaves all others as they are.
        Shape (S,).

    Examples:
        >>> known = [Stream("review.ok", "tier", "cheap", 0), Stream("review.ok", "segment", "a", 0)]
        >>> w = stream_weights([*known, Stream("review.ok", "segment", "b", 40)], known_by=28)
        >>> bool(np.allclose(w[:2], stream_weights(known, known_by=28))), bool(w.sum() < 1.0), bool(0.0 < w[2] < w[1])
        (True, True, True)
    """
    signal_seen: dict[str, int] = {}
    role_seen: dict[str, dict[str, int]] = {}
    item_seen: dict[tuple[str, str], dict[str, int]] = {}
    for stream in streams:
        day = stream.first_seen
        signal_seen[stream.signal] = min(signal_seen.get(stream.signal, day), day)
        roles = role_seen.setdefault(stream.signal, {})
        roles[stream.role] = min(roles.get(stream.role, day), day)
        items = item_seen.setdefault((stream.signal, stream.role), {})
        items[stream.name] = min(items.get(stream.name, day), day)
    asked = signal_shares or {}
    by_signal = _divide(signal_seen, known_by, {signal: asked.get(signal, 1.0) for signal in signal_seen})
    weights = np.zeros(len(streams))
    for i, stream in enumerate(streams):
        # A signal that came late has its own beginning: what it brought on its first day counts as known.
        start = max(known_by, signal_seen[stream.signal])
        by_role = _divide(role_seen[stream.signal], start, {str(role): share for role, share in ROLE_SHARES.items()})
        items = item_seen[stream.signal, stream.role]
        within = _divide(items, max(start, min(items.values())))
        weights[i] = by_signal[stream.signal] * by_role[stream.role] * within[stream.name]
    return weights


def combine(weights: npt.ArrayLike, evidence: npt.ArrayLike) -> FloatArray:
    """Weighted sum of e-detectors: an e-detector itself.

    Args:
        weights: Sum at most 1. Shape (S,).
        evidence: M per stream; 0 before a stream's first day. Shape (..., S).

    Returns:
        Summed evidence. Shape (...).

    Examples:
        >>> float(combine([0.5, 0.25], [10.0, 4.0]))
        6.0
    """
    return np.asarray(evidence, dtype=np.float64) @ np.asarray(weights, dtype=np.float64)


def alarm_line(horizon_days: float, alpha: float) -> float:
    """Summed evidence at which an alarm is raised: `horizon_days * 2 / alpha`.

    Half of alpha is for alarms, `P(alarm within the horizon) <= horizon / line = alpha / 2`; the rest is for levels, bounds of
    baselines and the ledger.

    Examples:
        >>> alarm_line(180, 0.05)
        7200.0
    """
    return horizon_days * 2.0 / alpha


WARNED_SHARE = 5 / 16
"""Of alpha, for warnings by what only judges and users' behaviour say."""
WARNED_BOUNDS_SHARE = 1 / 16
"""Of alpha, for the upper bounds of references that such warnings are held against."""
JUDGE_CHANGE_SHARE = 1 / 8
"""Of alpha, for the warning that a judge itself has changed. The three are half of alpha; drift has the other half (`services.drift`)."""


def warning_line(horizon_days: float, alpha: float) -> float:
    """Summed evidence of judges and behaviour at which a warning is raised: `horizon_days / (WARNED_SHARE alpha)`.

    Examples:
        >>> warning_line(180, 0.05)
        11520.0
    """
    return horizon_days / (alpha * WARNED_SHARE)


def judge_change_line(horizon_days: float, alpha: float, judges: int = 1) -> float:
    """Evidence of a judge's anchors at which it is said to have changed: `horizon_days judges / (JUDGE_CHANGE_SHARE alpha)`.

    Args:
        horizon_days: Days over which a false warning has the probability that it is allowed.
        alpha: Of all warnings.
        judges: How many judges are watched; they share alike.

    Examples:
        >>> judge_change_line(180, 0.05)
        28800.0
    """
    return horizon_days * max(judges, 1) / (alpha * JUDGE_CHANGE_SHARE)


def locate(weights: npt.ArrayLike, evidence: npt.ArrayLike, line: float) -> BoolArray:
    """Streams that carry a global alarm: weighted e-detector Benjamini-Hochberg, and always the largest contributor.

    Stream s is named if `w_s M_s >= line / k`, k the largest number for which at least k streams pass. After a global alarm
    (`sum w_s M_s >= line`) the largest contributor is named even if it does not pass alone: something raised the sum.

    Args:
        weights: Shape (S,).
        evidence: M per stream on the day of the alarm. Shape (..., S).
        line: The global alarm line.

    Returns:
        Whether each stream is named. Shape (..., S).

    References:
        arXiv 2501.04130, section 4 (e-d-BH).

    Examples:
        >>> locate([0.5, 0.3, 0.2], [20.0, 40.0, 1.0], 20.0).tolist()
        [True, True, False]
    """
    value = np.asarray(evidence, dtype=np.float64) * np.asarray(weights, dtype=np.float64)
    count = value.shape[-1]
    ordered = -np.sort(-value, axis=-1)
    rank = np.arange(1, count + 1)
    passing = np.where(ordered * rank >= line, rank, 0).max(axis=-1, keepdims=True)
    named = (passing > 0) & (value * np.maximum(passing, 1) >= line)
    top = np.arange(count) == np.argmax(value, axis=-1)[..., None]
    return named | top
