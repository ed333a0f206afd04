"""What `undertow calibrate` found, as all its faces show it: the artefact, what it means for all requests together, and what was left out."""

from collections.abc import Mapping

import msgspec

from undertow.records.calibration import Calibration, Savings


class ConfidenceBar(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of about the same confidence, as shares of all requests that the labels stand for.

    Attributes:
        low, high: Confidences, in [0, 1].
        good: Share whose answer was as good as the capable tier's.
        failing: Share whose answer was not.
        unlabelled: Share of which nobody knows.
    """

    low: float
    high: float
    good: float
    failing: float
    unlabelled: float = 0.0


class CalibrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted calibration for people.

    Attributes:
        calibration: What the artefact holds.
        acceptance: Share of all requests that would be served cheaply, in [0, 1].
        loss: Estimated marginal loss over all requests, in [0, 1].
        savings: Over all requests; None where no costs are known.
        bars: Where answers lie, rising in confidence.
        unscored: Share of requests whose answer had no confidence.
        left_out: Labels that could not be used, by reason.
        artefact: File that was written, or None.
        sha256: Its hash, or None.
    """

    calibration: Calibration
    acceptance: float
    loss: float
    savings: Savings | None = None
    bars: tuple[ConfidenceBar, ...] = ()
    unscored: float = 0.0
    left_out: Mapping[str, int] = msgspec.field(default_factory=dict)
    artefact: str | None = None
    sha256: str | None = None
