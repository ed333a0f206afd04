"""Other ways to spend the same reviews differ in one respect; what cannot be seen is said."""

from dataclasses import replace

from undertow.planning.options import alternatives, share_text, unseen
from undertow.records.power import Delay, Design, PlannedLoss

PLAIN = Design(30_000, 140, 0.0, (0.5, 0.3, 0.1, 0.1), 0.06, 0.5)


def test_each_alternative_takes_the_same_reviews():
    found = alternatives(PLAIN)
    assert all(each.design.reviews_per_day == PLAIN.reviews_per_day for each in found)
    assert [each.what.split(" (")[0] for each in found] == [
        "take 60 % of the reviews from the long tail",
        "let a judge compare shadow answers and steer the reviews",
        "show reviewers both answers side by side",
        "all of these together",
        "watch one segment key, with half as many segments",
    ]
    together = found[3].design
    assert (together.tail_share, together.shadow_per_day, together.sensitivity) == (0.6, 600.0, 0.8)


def test_what_is_done_already_is_not_advised():
    done = replace(PLAIN, tail_share=0.6, shadow_per_day=600.0, sensitivity=0.9, segment_shares=(1.0,))
    assert alternatives(done) == ()


def test_what_stays_unseen_is_said():
    missed = Delay(PlannedLoss(0.1, 0.03), None, None, 0.1, 50)
    seen = Delay(PlannedLoss(0.6, 1.0), 1, 2, 1.0, 50)
    design = replace(PLAIN, reviews_per_day=5, sensitivity=1.0)
    said = unseen(design, (missed, seen), has_reference=False)
    assert said[0] == "1 of the 2 losses above are missed more often than seen within 180 days"
    assert "bad from its first day" in said[1]
    assert "2 watched segments get less than one review a day" in said[2]
    assert not any("confident" in line for line in said)
    assert len(unseen(design, (seen,), has_reference=True)) == 2


def test_shares_have_no_decimals_that_nobody_chose():
    assert [share_text(x) for x in (1.0, 0.3, 0.025)] == ["100 %", "30 %", "2.5 %"]
