import math
from dataclasses import replace

import pytest

from undertow.records.report import AuditSettings, Ledger, ReferenceReport, SegmentReport
from undertow.records.segment import WHOLE, Segment
from undertow.stats.confidence import gaussian_mixture_radius
from undertow.verdicts.next_steps import MAX_STEPS, InHand, labels_needed, next_steps

OPEN = SegmentReport("cheap", WHOLE, 1.0, "review.accuracy", 1000, 0.005, (-0.02, 0.03), state="open")
PLACE = replace(OPEN, segment=Segment("x", "a"), share=0.2, n=200, interval=(-0.1, 0.2))
NOTHING = InHand()
KNOWN = Ledger(100.0, 0.0, 50.0, 50.0, (1.0, 99.0))


def steps(
    verdict="inconclusive", tiers=((OPEN, 1e-4),), segments=(), reference="holdout", ledger=KNOWN, rate=50.0, missing=(),
    in_hand=NOTHING,
):  # fmt: skip
    compared_with = ReferenceReport(reference, False, "")
    found = next_steps(
        AuditSettings(), verdict, compared_with, tiers, segments, ledger, rate, missing, 0.95, in_hand=in_hand
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


def test_a_tier_without_a_loss_is_told_what_it_lacks():
    bare = replace(OPEN, n=0, loss=None, interval=None, state="no_data")
    assert any("none to compare" in step for step in steps(tiers=((bare, 0.0),)))
    within = steps(tiers=((bare, 0.0),), reference="own_first_period")
    assert any("no labels yet after its first period" in step for step in within)
    assert not any("none to compare" in step for step in within), "its first period may be full of labels"


def test_a_loss_is_acted_on_first():
    found = steps("quality_loss", tiers=((OPEN, 1e-4),))
    assert "never_cheap" in found[0]
    assert not any("more decisions" in step for step in found), "no more labels are needed"


@pytest.mark.parametrize("kind", ["own_first_period", "none"])
def test_a_missing_reference_is_asked_for(kind):
    assert any("holdout" in step for step in steps(reference=kind))
    assert not any("Keep a randomised holdout" in step for step in steps())


@pytest.mark.parametrize(
    ("labels", "said"), [(0, "it has no labels yet; 50 are"), (1, "it has 1 label; 50"), (49, "it has 49 labels; 50")]
)
def test_a_holdout_that_is_there_is_not_asked_for_but_its_labels_are(labels, said):
    for kind in ("own_first_period", "none"):
        found = steps(reference=kind, in_hand=InHand(holdout_decisions=700, holdout_labels=labels))
        assert any(said in step for step in found)
        assert not any("Keep a randomised holdout" in step for step in found)


def test_a_holdout_with_volunteered_labels_needs_drawn_ones():
    thumbs = InHand(holdout_decisions=700, holdout_labels=1200, labels_show_level=False)
    found = steps(reference="own_first_period", in_hand=thumbs)
    assert any("Draw decisions of both arms" in step and "1,200 labels" in step for step in found)


UNKNOWN = Ledger(100.0, 0.0, None, None, None, note="not ripe yet: ticket")
TICKETS = InHand(outcomes=("ticket", "refund"), outcomes_joined=True)


@pytest.mark.parametrize(
    ("in_hand", "said"),
    [
        (InHand(), "Pass business outcomes (--outcomes FILE)"),
        (TICKETS, "Price the outcomes that are in the log ([outcomes.ticket], [outcomes.refund])"),
        (replace(TICKETS, outcomes_priced=("churn",)), "Price the outcomes"),
        (replace(TICKETS, outcomes_priced=("ticket",)), "cannot be told from the outcomes yet: not ripe yet: ticket."),
        (replace(TICKETS, outcomes_joined=False), "Check the ids of the outcomes (ticket, refund)"),
    ],
)
def test_outcomes_that_are_there_are_not_asked_for(in_hand, said):
    (step,) = steps("healthy", ledger=UNKNOWN, in_hand=in_hand)
    assert said in step
    assert ("--outcomes" in step) == (not in_hand.outcomes)


def test_what_the_log_lacks_is_asked_for():
    found = steps("healthy", ledger=Ledger(None, None, None, None, None), missing=("segment",))
    assert [any(word in step for step in found) for word in ("--outcomes", "cost_usd", "segments")] == [True] * 3
    assert steps("healthy") == ()


def test_the_list_stays_short_and_says_nothing_twice():
    many = [(replace(PLACE, segment=Segment("x", str(i))), 1e-3) for i in range(30)]
    found = steps(segments=many, reference="none", ledger=Ledger(None, None, None, None, None), missing=("segment",))
    assert len(found) == len(set(found)) == MAX_STEPS
