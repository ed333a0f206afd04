"""How much the failure rate rose in each of several segments that are alike before they are looked at: partial pooling.

After a change, most segments have a few dozen labels each: their own estimates are mostly noise, and the tier's mean is wrong for
the one segment that bears most of the loss. So each segment's estimate borrows from all others, the more so the fewer labels it has.

**Model.** The rise of segment s is `d_s >= 0`. Given a common mean `m`, the `d_s` are independent Gamma(SHAPE, mean m): skewed, so that one
segment may bear most; `m` has a flat prior on a logarithmic scale and is averaged over. Labels are binomial with the segment's usual
rate plus `d_s`. A segment that nobody looked at gets the common mean, not zero.

**Strata.** Labels oversample the long tail, where losses gather. The rise of a stratum is `d_s r_h`, with `r` common to all segments and of mean 1
over a segment's traffic; how much more the riskiest stratum bears than the least risky one is averaged over (`RATIOS`).

**A judge** has many more verdicts than people have labels, but it may drift. Its rises count with a common offset of unknown size (about normal,
`judge_drift`) that is averaged over: it says where the loss is, and people say how large.

**Properties.** Given the ratio, and without a judge, all densities have monotone likelihood ratios, so data and rises are affiliated (Milgrom and
Weber): more failures anywhere lower no segment's expected rise. The order of segments does not matter. Nor does how labels were
allocated, as long as that went by earlier labels alone (likelihood principle). This is a description for decisions, not a proof: no error
rate is claimed.

References:
    Efron and Morris (1975), Data analysis using Stein's estimator and its generalizations, JASA 70. Robbins (1956), An empirical Bayes
    approach to statistics, 3rd Berkeley Symposium. Milgrom and Weber (1982), A theory of auctions and competitive bidding, Econometrica 50.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError

FloatArray = npt.NDArray[np.float64]

SHAPE = 0.5
"""Of the Gamma distribution of rises: its standard deviation over segments is 1.4 times its mean."""

RISES: FloatArray = np.geomspace(5e-4, 0.8, 40)
"""Rises of the failure rate that are told apart."""

MEANS: FloatArray = np.geomspace(0.003, 0.3, 12)
"""Common mean rises that are averaged over, each alike."""

RATIOS: FloatArray = np.array([1.0, 2.0, 4.0, 8.0])
"""How many times the rise of the least risky stratum that of the riskiest one is; averaged over, each alike."""

OFFSETS: FloatArray = np.linspace(-2.4, 2.4, 7)
"""Offsets of the judge that are averaged over, in standard deviations."""

_HIGHEST_RATE = 0.98
_LOWEST_RATE = 1e-4
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class RiseCounts:
    """What was seen since the change began, per segment (S) and stratum (H, the riskiest last; 1 where labels are not stratified).

    Attributes:
        share: Shares of a segment's traffic, sum 1 over its strata. Shape (S, H).
        failures, labels: People's labels, failures among so many; with unequal inclusion probabilities inside a stratum, effective
            counts. Shape (..., S, H).
        usual_rate: Failure rate before, in (0, 1). Shape (S, H).
        flags, pairs: The judge's verdicts, alike; zeros where there is none. Shape (..., S, H).
        usual_flag_rate: The judge's rate before, in (0, 1). Shape (S, H).
    """

    share: FloatArray
    failures: FloatArray
    labels: FloatArray
    usual_rate: FloatArray
    flags: FloatArray
    pairs: FloatArray
    usual_flag_rate: FloatArray


@dataclass(frozen=True, slots=True)
class Rises:
    """Posterior of each segment's rise of the failure rate.

    Attributes:
        expected: Mean, in [0, 1]. Shape (..., S).
        probability: Of each of `RISES`. Shape (..., S, D).
    """

    expected: FloatArray
    probability: FloatArray

    def beyond(self, margin: npt.ArrayLike) -> FloatArray:
        """Probability that the rise exceeds a margin, of shape () or (S,). Shape (..., S)."""
        above = np.asarray(margin, dtype=np.float64)[..., None] < RISES
        return np.asarray((self.probability * above).sum(axis=-1))


def expected_rises(counts: RiseCounts, *, judge_drift: float = 0.01, judge_scale: float = 1.0) -> Rises:
    """Rises of all segments, partially pooled.

    Args:
        counts: Labels and verdicts since the change began.
        judge_drift: Standard deviation of the judge's common offset, in rate; 0: it is trusted.
        judge_scale: The judge's rise for each point of rise that people see, above 0: from items that both have seen.

    Returns:
        The posterior.

    Raises:
        StatisticalError: A usual rate lies outside (0, 1), or failures are negative or above their number.

    Examples:
        Two segments alike but for what people found; the usual rate is 8 %:

        >>> pair = np.ones((2, 1))
        >>> seen = RiseCounts(pair, np.array([[30.0], [12.0]]), 120 * pair, 0.08 * pair, 0 * pair, 0 * pair, 0.1 * pair)
        >>> expected_rises(seen).expected.round(3).tolist()
        [0.159, 0.021]
    """
    _check(counts)
    # Axes: ..., S, [H,] ratio, offset, rise or common mean.
    spread = _by_stratum(counts.share)[..., None, None] * RISES
    people = _log_likelihood(counts.failures, counts.labels, counts.usual_rate, spread)
    offset = (judge_drift * OFFSETS)[:, None]
    verdicts = _log_likelihood(counts.flags, counts.pairs, counts.usual_flag_rate, judge_scale * spread + offset)
    log_given = people + verdicts
    top = log_given.max(axis=-1, keepdims=True)
    given = np.exp(log_given - top)
    prior = _prior()
    of_segment = np.maximum(given @ prior.T, _TINY)
    log_all = (np.log(of_segment) + top).sum(axis=-4) - 0.5 * OFFSETS[:, None] ** 2
    weight = np.exp(log_all - log_all.max(axis=(-3, -2, -1), keepdims=True))
    mixed = (weight[..., None, :, :, :] / of_segment) @ prior
    probability = (given * mixed).sum(axis=(-3, -2))
    probability /= probability.sum(axis=-1, keepdims=True)
    return Rises(probability @ RISES, probability)


def _by_stratum(share: FloatArray) -> FloatArray:
    """What multiplies a segment's rise in each stratum, for each ratio; mean 1 over its traffic. Shape (S, H, R)."""
    strata = share.shape[-1]
    steps = np.arange(strata) / max(strata - 1, 1)
    relative = RATIOS ** steps[:, None]
    return relative / (share[..., None] * relative).sum(axis=-2, keepdims=True)


def _log_likelihood(failures: FloatArray, labels: FloatArray, usual: FloatArray, rise: FloatArray) -> FloatArray:
    """Summed over strata. `rise` of shape (S, H, R, O or 1, D); result (..., S, R, O or 1, D)."""
    rate = np.clip(usual[..., None, None, None] + rise, _LOWEST_RATE, _HIGHEST_RATE)
    table = np.concatenate([np.log(rate), np.log1p(-rate)], axis=1)
    counts = np.concatenate([np.asarray(failures), np.asarray(labels) - failures], axis=-1)
    # A product of matrices for each segment: with thousands of runs at once this is where the time goes.
    summed = counts[..., None, :] @ table.reshape(*table.shape[:2], -1)
    return summed.reshape(*counts.shape[:-1], *table.shape[2:])


def _prior() -> FloatArray:
    """Probability of each rise given each common mean, from the Gamma density on the logarithmic grid. Shape (M, D)."""
    relative = SHAPE * RISES / MEANS[:, None]
    log_density = SHAPE * np.log(relative) - relative
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return density / density.sum(axis=1, keepdims=True)


def _check(counts: RiseCounts) -> None:
    for usual in (counts.usual_rate, counts.usual_flag_rate):
        if not np.all((usual > 0.0) & (usual < 1.0)):
            raise StatisticalError(f"usual rates {usual.tolist()!r}: expected rates inside (0, 1)")
    for few, many in ((counts.failures, counts.labels), (counts.flags, counts.pairs)):
        if not np.all((few >= 0.0) & (few <= many)):
            raise StatisticalError("counts: expected from 0 failures to as many as there are labels, in every stratum")
