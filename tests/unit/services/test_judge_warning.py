"""A judge that changed is warned of, and blamed on no tier."""

from datetime import date, timedelta

from undertow.detectors.judge_drift import judge_drift
from undertow.records.judged import AnchorResult
from undertow.services.judge_warning import judge_warning


def results(wrong_from: int | None, days: int = 40):
    found = []
    for day in range(days):
        at = f"{date(2026, 3, 1) + timedelta(days=day)}T00:00:00.000Z"
        for i in range(20):
            anchor = f"a{(day * 20 + i) % 100}"
            is_right = wrong_from is None or day < wrong_from or i % 3 > 0
            said = "A" if is_right else "B"
            found.append(AnchorResult(anchor_id=anchor, at=at, judge="m", version="v", human="A", verdict=said))
    return found


def test_the_same_judge_is_not_warned_of():
    assert judge_warning(judge_drift(results(None)), ("cheap", "capable"), ("judge.quality",)) is None


def test_another_one_is_from_the_day_on_which_it_showed():
    warning = judge_warning(judge_drift(results(25)), ("cheap", "capable"), ("review.accuracy", "judge.quality"))
    assert warning is not None
    assert (warning.monitor, warning.cause, warning.basis, warning.signal) == (
        "judge",
        "unknown",
        "judge",
        "judge.quality",
    )
    assert date(2026, 3, 26) < warning.detected_at.date() < date(2026, 4, 5)
    assert "100% of its anchors at first" in warning.note
