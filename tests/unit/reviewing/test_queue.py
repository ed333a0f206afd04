from collections import Counter

import pytest

from review_factory import NOON, cases, sampled, text_of, vote
from undertow.records.review import SEED_PREFIX, Claim, ReviewRules, SeededCase
from undertow.reviewing.queue import (
    CLAIM_S,
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


def order(items, rater="ann", places=range(100)):
    """What he is shown one after the other."""
    left, shown = list(items), []
    for place in places:
        case = next_item(left, [], rater, place, [], NOON)
        if case is None:
            break
        shown.append(case.decision_id)
        left = [item for item in left if item.case is not case]
    return shown


def test_no_stratum_or_segment_comes_before_another():
    """The rates say how often each is drawn; an order here would be a second choice that no inclusion probability knows."""
    strata = {f"d{i}": ("tail", "common", "tail+intent=billing")[i % 3] for i in range(300)}
    rows = [
        sampled(name, stratum=stratum, segment={"intent": "rare" if name == "d7" else "usual"})
        for name, stratum in strata.items()
    ]
    first = Counter(strata[name] for name in order(waiting(*rows, rules=ReviewRules()), places=range(120)))
    # Forty of each are expected; a hypergeometric deviate of four is not.
    assert all(22 <= n <= 58 for n in first.values())


def test_a_conflict_is_settled_first():
    rules = ReviewRules(raters=2, min_per_segment=0)
    votes = [vote("c", "bob", 1.0), vote("c", "cid", 0.0)]
    rows = [sampled("t", stratum="tail"), sampled("c", stratum="common")]
    assert order(waiting(*rows, votes=votes, rules=rules)) == ["c", "t"]
    assert order(waiting(*rows, votes=votes, rules=rules), rater="bob") == ["t"]


def test_the_latest_day_comes_first_and_what_is_older_than_its_text_never():
    rows = [sampled(f"d{days}", event_time=text_of(NOON - days * DAY)) for days in (13.5, 3, 0.1, 1, 14.5)]
    assert order(waiting(*rows)) == ["d0.1", "d1", "d3", "d13.5"]


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
    first = order(waiting(*rows), places=range(400))[:60]
    bad = Counter(int(name) < 100 for name in first)[True]
    assert 18 <= bad <= 42  # hypergeometric: 30 +- 3.3 sd
