import math
from dataclasses import replace

import pytest

from undertow.records.report import AuditSettings, Ledger, ReferenceReport, SegmentReport
from undertow.records.segment import WHOLE, Segment
from undertow.stats.confidence import gaussian_mixture_radius
from undertow.verdicts.next_steps import MAX_STEPS, labels_needed, next_steps

OPEN = SegmentReport("cheap", WHOLE, 1.0, "review.accuracy", 1000, 0.005, (-0.02, 0.03), state="open")
PLACE = replace(OPEN, segment=Segment("x", "a"), share=0.2, n=200, interval=(-0.1, 0.2))
KNOWN = Ledger(100.0, 0.0, 50.0, 50.0, (1.0, 99.0))


def steps(
    verdict="inconclusive", tiers=((OPEN, 1e-4),), segments=(), reference="holdout", ledger=KNOWN, rate=50.0, missing=()
):
    found = next_steps(
        AuditSettings(), verdict, ReferenceReport(reference, False, ""), tiers, segments, ledger, rate, missing, 0.95
    )
    assert len(found) <= MAX_STEPS
    return found


@pytest.mark.parametrize(
    ("variance", "n", "loss"), [(1e-4, 500, 0.0), (4e-4, 300, 0.01), (1e-5, 2000, -0.02), (1e-4, 500, 0.05)]
)
def test_the_labels_asked_for_would_clear_the_margin(variance, n, loss):
    need = labels_needed(variance, n, loss, 0.02, 0.95)
    if need is None:
        half = float(gaussian_mixture_radius(n, 0.95)) * math.sqrt(variance)
        assert half <= abs(0.02 - loss), "nothing is needed only where it is clear already"
        return
    half = float(gaussian_mixture_radius(need, 0.95)) * math.sqrt(variance * n / need)
    assert half <= abs(0.02 - loss)
    fewer = need / 1.2
    assert float(gaussian_mixture_radius(fewer, 0.95)) * math.sqrt(variance * n / fewer) > abs(0.02 - loss)


@pytest.mark.parametrize(
    ("variance", "n", "loss"), [(1e-4, 500, 0.02), (1e-4, 500, 0.0201), (1e-8, 500, 0.0), (1e-4, 0, 0.0)]
)
def test_no_number_is_named_where_none_would_do_or_none_is_needed(variance, n, loss):
    assert labels_needed(variance, n, loss, 0.02, 0.95) is None


def test_an_open_tier_is_told_how_many_labels_and_how_long():
    (step,) = steps()
    need = labels_needed(1e-4, 1000, 0.005, 0.02, 0.95)
    assert f"{need - 1000:,} more decisions of the cheap tier" in step
    assert f"about {math.ceil((need - 1000) / 50)} days" in step
    assert "more than a year" in steps(rate=0.5)[0]
    assert "rate" not in steps(rate=0.0)[0]


def test_large_open_segments_are_told_by_their_share_of_the_labels():
    found = steps(tiers=(), segments=((PLACE, 1e-3), (replace(PLACE, segment=Segment("x", "b"), share=0.01), 1e-3)))
    need = labels_needed(1e-3, 200, 0.005, 0.10, 0.95)
    assert len(found) == 1
    assert "cheap in x=a" in found[0]
    assert f"about {math.ceil((need - 200) / 10)} days" in found[0]


def test_a_segment_without_a_reference_is_named():
    found = steps(tiers=(), segments=((replace(PLACE, loss=None, interval=None), 0.0),))
    assert "no reference to compare with" in found[0]


def test_a_loss_is_acted_on_first():
    found = steps("quality_loss", tiers=((OPEN, 1e-4),))
    assert "never_cheap" in found[0]
    assert not any("more decisions" in step for step in found), "no more labels are needed"


@pytest.mark.parametrize("kind", ["own_first_period", "none"])
def test_a_missing_reference_is_asked_for(kind):
    assert any("holdout" in step for step in steps(reference=kind))
    assert not any("Keep a randomised holdout" in step for step in steps())


def test_what_the_log_lacks_is_asked_for():
    found = steps("healthy", ledger=Ledger(None, None, None, None, None), missing=("segment",))
    assert [any(word in step for step in found) for word in ("--outcomes", "cost_usd", "segments")] == [True] * 3
    assert steps("healthy") == ()


def test_the_list_stays_short_and_says_nothing_twice():
    many = [(replace(PLACE, segment=Segment("x", str(i))), 1e-3) for i in range(30)]
    found = steps(segments=many, reference="none", ledger=Ledger(None, None, None, None, None), missing=("segment",))
    assert len(found) == len(set(found)) == MAX_STEPS
