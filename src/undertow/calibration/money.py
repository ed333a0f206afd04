"""What a threshold is expected to save, the cheap calls that get thrown away counted."""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from undertow.calibration.certificates import INTERVAL_LEVEL
from undertow.records.calibration import Savings

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def expected_savings(
    is_served: BoolArray, weight: FloatArray, cheap_usd: FloatArray | None, capable_usd: FloatArray | None
) -> Savings | None:
    """Savings per eligible request against the capable tier alone: `served * capable - cheap`.

    Every request pays for the cheap answer; those that are served save the capable one; the others pay for both.

    Args:
        is_served: Served cheaply. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).
        cheap_usd: Cost of the cheap call, NaN where unknown. Shape (n,).
        capable_usd: Cost of the capable answer; where it is unknown, the mean of the known ones stands in. Shape (n,).

    Returns:
        None where no cost of either sort is known. The interval is the normal one of a weighted mean: it holds for many labels, and it does
        not know that the threshold was chosen on them.

    Examples:
        >>> found = expected_savings(np.array([True, False]), np.ones(2), np.full(2, 1.0), np.full(2, 10.0))
        >>> found.usd_per_request, found.wasted_usd_per_request, found.share
        (4.0, 0.5, 0.4)
    """
    if cheap_usd is None or capable_usd is None or np.isnan(cheap_usd).all() or np.isnan(capable_usd).all():
        return None
    cheap = np.where(np.isnan(cheap_usd), np.nanmean(cheap_usd), cheap_usd)
    capable = np.where(np.isnan(capable_usd), np.nanmean(capable_usd), capable_usd)
    share = weight / weight.sum()
    saved = is_served * capable - cheap
    mean = float((share * saved).sum())
    error = float(np.sqrt((share**2 * (saved - mean) ** 2).sum()))
    z = float(ndtri(0.5 + INTERVAL_LEVEL / 2.0))
    alone = float((share * capable).sum())
    return Savings(
        usd_per_request=mean,
        interval=(mean - z * error, mean + z * error),
        wasted_usd_per_request=float((share * ~is_served * cheap).sum()),
        share=mean / alone if alone > 0.0 else None,
    )
