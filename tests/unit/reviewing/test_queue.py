from collections import Counter

import pytest

from review_factory import NOON, cases, sampled, text_of, vote
from undertow.records.review import SEED_PREFIX, Claim, ReviewRules, SeededCase
from undertow.reviewing.queue import (
    CLAIM_S,
    LAST_CHANCE_S,
    OTHER_WAY_EVERY,
    SEED_EVERY,
    labels_of_day,
    next_item,
    waiting_items,
)
from undertow.reviewing.resolving import tally_votes

RULES = ReviewRules(min_per_segment=0)
DAY = 86_400.0


def waiting(*rows, votes=(), rules=RULES, now_s=NOON):
    return waiting_items(cases(*rows), tally_votes(votes, rules).by_id, rules, now_s)


def order(items, rater="ann", places=range(0, 100, OTHER_WAY_EVERY)):
    """What he is shown one after the other, in places of the usual way."""
    left, shown = list(items), []
    for place in places:
        case = next_item(left, [], rater, place, [], NOON)
        if case is None:
            break
        shown.append(case.decision_id)
        left = [item for item in left if item.case is not case]
    return shown


def test_what_steering_asked_for_comes_first_then_the_tail_then_the_rest():
    rows = [sampled("c", stratum="common"), sampled("t", stratum="tail"), sampled("x", stratum="common+intent=billing")]
    assert order(waiting(*rows)) == ["x", "t", "c"]


def test_a_conflict_is_settled_before_the_tail():
    rules = ReviewRules(raters=2, min_per_segment=0)
    votes = [vote("c", "bob", 1.0), vote("c", "cid", 0.0)]
    rows = [sampled("t", stratum="tail"), sampled("c", stratum="common")]
    assert order(waiting(*rows, votes=votes, rules=rules)) == ["c", "t"]
    assert order(waiting(*rows, votes=votes, rules=rules), rater="bob") == ["t"]


def test_the_latest_day_comes_first_and_what_is_older_than_its_text_never():
    rows = [sampled(f"d{days}", event_time=text_of(NOON - days * DAY)) for days in (13.5, 3, 0.1, 1, 14.5)]
    assert order(waiting(*rows)) == ["d0.1", "d1", "d3", "d13.5"]


def test_one_place_in_four_goes_to_the_last_chance_and_then_to_the_common_stratum():
    rows = [sampled(f"t{i}", stratum="tail") for i in range(8)]
    rows += [
        sampled("old", stratum="tail", event_time=text_of(NOON - 14 * DAY + LAST_CHANCE_S / 2)),
        sampled("c", stratum="common"),
    ]
    shown = order(waiting(*rows), places=range(10))
    assert shown[3] == "old"
    assert shown[7] == "c"


def test_segments_below_their_minimum_come_first_within_the_stratum():
    rules = ReviewRules(min_per_segment=1)
    rows = [sampled(f"b{i}") for i in range(9)] + [sampled("f", segment={"intent": "fraud"}), sampled("done")]
    votes = [vote("done", "bob", at=text_of(NOON))]
    assert order(waiting(*rows, votes=votes, rules=rules))[0] == "f"


def test_minima_are_of_the_day():
    found = cases(sampled("d"))
    tallies = tally_votes([vote("d", at=text_of(NOON))], RULES).by_id
    assert labels_of_day(found, tallies, NOON) == {("cheap", ""): 1, ("cheap", "intent=billing"): 1}
    assert labels_of_day(found, tallies, NOON + DAY) == {}


def test_nobody_sees_what_he_judged_or_skipped():
    rules = ReviewRules(raters=3, min_per_segment=0)
    votes = [vote("a", "ann", 1.0), vote("b", "ann", None, skipped="no idea")]
    items = waiting(sampled("a"), sampled("b"), votes=votes, rules=rules)
    assert next_item(items, [], "ann", 0, [], NOON) is None
    assert len(order(items, rater="bob")) == 2


def test_what_is_resolved_waits_no_more():
    assert waiting(sampled("a"), votes=[vote("a", "bob")]) == ()


def test_as_many_are_at_work_as_votes_are_needed():
    items = waiting(sampled("d"), rules=ReviewRules(raters=2))
    claims = [Claim("d", "bob", NOON + 10)]
    assert next_item(items, [], "ann", 0, claims, NOON).decision_id == "d"
    claims.append(Claim("d", "cid", NOON + 10))
    assert next_item(items, [], "ann", 0, claims, NOON) is None
    assert next_item(items, [], "ann", 0, claims, NOON + CLAIM_S).decision_id == "d"


def test_what_he_was_shown_comes_again():
    items = waiting(*(sampled(f"d{i}") for i in range(30)))
    for item in items:
        claims = [Claim(item.case.decision_id, "ann", NOON + 1)]
        assert next_item(items, [], "ann", 0, claims, NOON) is item.case


@pytest.mark.parametrize("rater", ["ann", "bob", "cid"])
def test_about_one_place_in_twenty_holds_a_seeded_case_at_places_of_his_own(rater):
    seeds = tuple(SeededCase(case_id=f"{SEED_PREFIX}{i}", prompt="?", answer="!", value=0.0) for i in range(50))
    seeded = list(cases(seeds=seeds).by_id.values())
    items = waiting(*(sampled(f"d{i}") for i in range(40)))
    places = [place for place in range(400) if next_item(items, seeded, rater, place, [], NOON).is_seeded]
    assert len(places) == 400 // SEED_EVERY
    assert len({place % SEED_EVERY for place in places}) > 5
    assert next_item([], seeded, rater, places[0], [], NOON) is None


def test_who_comes_first_within_a_stratum_and_day_has_nothing_to_do_with_the_text():
    rows = [
        sampled(f"{number:04}", prompt="x" * number, answer="bad" if number < 100 else "good") for number in range(200)
    ]
    first = order(waiting(*rows), places=range(0, 400, OTHER_WAY_EVERY))[:60]
    bad = Counter(int(name) < 100 for name in first)[True]
    assert 18 <= bad <= 42  # hypergeometric: 30 +- 3.3 sd
