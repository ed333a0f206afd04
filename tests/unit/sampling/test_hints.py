from datetime import UTC, datetime, timedelta

import pytest

from undertow.records.report import Alarm
from undertow.records.segment import WHOLE, Segment
from undertow.sampling.hints import OTHERS, STANDS, STRENGTHS, steering_hints

SEEN = datetime(2026, 5, 1, tzinfo=UTC)
BILLING = Segment("intent", "billing")


def warning(monitor="confidence", tier="cheap", segment=WHOLE, seen=SEEN):
    return Alarm(monitor, "x", tier, segment, "unknown", "behaviour", seen, None, None, None, None, None, "drift")


def test_the_strongest_warning_of_a_place_counts_and_the_strongest_place_comes_first():
    hints = steering_hints(
        [warning("share"), warning("judge"), warning("input", segment=BILLING), warning("input", tier="capable")], SEEN
    )
    assert [(h.tier, h.segment, h.strength) for h in hints] == [
        ("cheap", WHOLE, STRENGTHS["judge"]),
        ("capable", WHOLE, STRENGTHS["input"]),
        ("cheap", BILLING, STRENGTHS["input"]),
    ]


@pytest.mark.parametrize(
    ("later", "stands"),
    [(timedelta(0), True), (STANDS - timedelta(seconds=1), True), (STANDS, False), (-timedelta(seconds=1), False)],
)
def test_a_warning_stands_for_a_while_and_not_before_it_was_raised(later, stands):
    assert bool(steering_hints([warning()], SEEN + later)) is stands


def test_only_tiers_that_may_be_sampled():
    assert steering_hints([warning(), warning(tier="capable")], SEEN, ("cheap",)) == steering_hints([warning()], SEEN)


def test_strengths_are_shares_and_what_bears_on_quality_comes_before_a_mere_mix():
    assert all(0 < strength <= 1 for strength in STRENGTHS.values())
    assert STRENGTHS["judge"] > STRENGTHS["confidence"] > STRENGTHS["input"] > STRENGTHS["share"]
    (hint,) = steering_hints([warning("quality")], SEEN)
    assert hint.strength == OTHERS


def test_no_warning_no_hint():
    assert steering_hints([], SEEN) == ()
