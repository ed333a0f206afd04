"""A warning that the judge itself has changed, from its verdicts on fixed pairs with people's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from undertow.detectors.judge_drift import JudgeDrift
from undertow.records.report import Alarm
from undertow.records.segment import WHOLE


def judge_warning(drift: JudgeDrift, tiers: Sequence[str], signals: Sequence[str]) -> Alarm | None:
    """The warning, or None: the judge is the same, as far as its anchors tell.

    Args:
        drift: What the anchors say.
        tiers: Tiers of the log, cheapest first: a judge compares the first with the last.
        signals: Signals of the log, `kind.name`.

    Examples:
        >>> from undertow.detectors.judge_drift import judge_drift
        >>> judge_warning(judge_drift(()), ("cheap", "capable"), ()) is None
        True
    """
    if drift.detected_on is None:
        return None
    signal = next((name for name in signals if name.startswith("judge.")), "judge")
    day = drift.days.index(drift.detected_on)
    then = (
        ""
        if drift.agreement is None or drift.first_agreement is None
        else (
            f": it agreed with people on {drift.first_agreement:.0%} of its anchors at first and on {drift.agreement:.0%} since"
        )
    )
    return Alarm(
        monitor="judge",
        signal=signal,
        tier=tiers[0],
        segment=WHOLE,
        cause="unknown",
        basis="judge",
        detected_at=datetime.fromisoformat(drift.detected_on).replace(tzinfo=UTC) + timedelta(days=1),
        onset=None,
        onset_interval=None,
        loss=None,
        interval=None,
        evidence=float(np.log10(max(drift.evidence[day], 1.0))),
        kind="drift",
        note=(
            f"the judge itself has changed{then}; its verdicts before and after cannot be compared, so it steers no reviews until it "
            "has begun anew (another model, rubric or version), and nothing is blamed on the tier for it"
        ),
    )
