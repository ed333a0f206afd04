"""Isotonic regression by pooling adjacent violators: the rising sequence that is nearest to a given one.

References:
    Barlow, Bartholomew, Bremner, Brunk (1972), Statistical inference under order restrictions, chapter 1 (pool adjacent violators).
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def made_rising(values: FloatArray, weight: FloatArray) -> FloatArray:
    """The sequence that does not fall with the least weighted sum of squared distances.

    Args:
        values: Shape (n,).
        weight: Above 0. Shape (n,).

    Returns:
        Blocks of equal values, each the weighted mean of what it pools. Shape (n,).

    Examples:
        >>> made_rising(np.array([1.0, 3.0, 2.0, 4.0]), np.ones(4)).tolist()
        [1.0, 2.5, 2.5, 4.0]
    """
    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for value, mass in zip(values.tolist(), weight.tolist(), strict=True):
        mean, size = value, 1
        while means and means[-1] > mean:
            before = masses.pop()
            mean = (means.pop() * before + mean * mass) / (before + mass)
            mass += before  # noqa: PLW2901 (the block takes in the one before it)
            size += sizes.pop()
        means.append(mean)
        masses.append(mass)
        sizes.append(size)
    return np.repeat(np.array(means, dtype=np.float64), sizes)
