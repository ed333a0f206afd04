"""Small sound calibrations for tests of what applies them, and judges made of them."""

import msgspec

from undertow.policies.calibrated import CalibratedJudge
from undertow.records.calibration import (
    Calibration,
    Certificate,
    ConfidenceMap,
    FeatureWeight,
    FittedOn,
    Group,
    Prefix,
    ScoreDistribution,
)

SHA = "0123456789abcdef" * 4
IDENTITY = ConfidenceMap(method="platt")
"""Makes the probability that a score stands for the confidence."""


def certificate(**changes):
    return Certificate(
        **{
            "margin": 0.02, "delta": 0.1, "method": "clopper_pearson", "labels": 500, "losses": 3, "loss": 0.006, "upper": 0.019,
            "acceptance": 0.4, "acceptance_interval": (0.36, 0.44),
        }
        | changes
    )  # fmt: skip


def group(value=None, threshold=0.7, **changes):
    certified = certificate() if threshold is not None else None
    given = {"labels": 500, "good": 400, "map": IDENTITY, "certificate": certified}
    return Group(value=value, threshold=threshold, **(given | changes))


def calibration(**changes):
    """One group, one feature (the mean log-probability), threshold .7, so that it decides as the uncalibrated cascade of threshold .7."""
    return Calibration(
        **{
            "tier": "cheap",
            "capable_tier": "capable",
            "fitted_at": "2026-01-01T00:00:00Z",
            "fitted_on": FittedOn(source="review.accuracy", labels=500, good=400, effective=500.0),
            "margin": 0.02,
            "delta": 0.1,
            "features": (FeatureWeight(name="mean_logprob"),),
            "link": "log_probability",
            "groups": (group(),),
            "distribution": ScoreDistribution(edges=(), mean=-0.2, sd=0.1, n=500),
        }
        | changes
    )


def prefix(tokens=4, threshold=0.8, **changes):
    return Prefix(
        **{
            "tokens": tokens,
            "features": (FeatureWeight(name="prefix.mean_logprob"),),
            "groups": (group(threshold=threshold),),
        }
        | changes
    )


def judge(given=None, **settings):
    return CalibratedJudge(given or calibration(), SHA, **settings)


def changed(given, **changes):
    return msgspec.structs.replace(given, **changes)
