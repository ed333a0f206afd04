import pytest

from review_factory import NOON, text_of, vote
from undertow.records.review import ReviewRules
from undertow.reviewing.resolving import tally_votes

ONE, TWO, THREE = ReviewRules(), ReviewRules(raters=2), ReviewRules(raters=3)


def states(votes, rules):
    tally = tally_votes(votes, rules).by_id["d"]
    return tally.state, tally.needed, tally.value


def test_one_rater_is_enough_where_one_is_asked():
    assert states([vote("d", value=0.25)], ONE) == ("resolved", 0, 0.25)


def test_the_mean_of_raters_who_agree():
    assert states([vote("d", "ann", 1.0), vote("d", "bob", 0.5)], TWO) == ("resolved", 0, 0.75)
    assert states([vote("d", "ann", 1.0)], TWO) == ("open", 1, None)


def test_a_conflict_asks_one_more_and_the_majority_decides():
    votes = [vote("d", "ann", 1.0), vote("d", "bob", 0.0)]
    assert states(votes, TWO) == ("conflict", 1, None)
    assert states([*votes, vote("d", "cid", 0.0)], TWO) == ("resolved", 0, 0.0)
    assert tally_votes([*votes, vote("d", "cid", 0.0)], TWO).by_id["d"].was_conflict


def test_four_who_stay_split_ask_a_fifth():
    votes = [vote("d", name, value) for name, value in zip("abcd", (1.0, 1.0, 0.0, 0.0), strict=True)]
    assert states(votes[:3], THREE) == ("conflict", 1, None)
    assert states(votes, THREE) == ("conflict", 1, None)
    assert states([*votes, vote("d", "e", 0.0)], THREE) == ("resolved", 0, 0.0)
    assert states([*votes[:3], vote("d", "d", 1.0)], THREE) == ("resolved", 0, 1.0)


def test_nobody_counts_twice():
    votes = [vote("d", "ann", 1.0), vote("d", "ann", 1.0)]
    found = tally_votes(votes, TWO)
    assert (found.by_id["d"].state, found.by_id["d"].needed) == ("open", 1)
    assert found.problems == {"repeated": 1}
    assert found.repeats == {"ann": 1}
    assert found.contradictions == {}


def test_the_latest_vote_counts_and_a_contradiction_is_counted():
    votes = [vote("d", "ann", 0.0, at=text_of(NOON + 9)), vote("d", "ann", 1.0, at=text_of(NOON))]
    found = tally_votes(votes, ONE)
    assert found.by_id["d"].value == 0.0
    assert found.contradictions == {"ann": 1}


def test_a_small_change_of_mind_is_no_contradiction():
    found = tally_votes([vote("d", "ann", 1.0), vote("d", "ann", 0.75)], ONE)
    assert found.by_id["d"].value == 0.75
    assert found.contradictions == {}
    assert found.repeats == {"ann": 1}


def test_a_vote_that_is_taken_back_counts_no_more_and_is_no_contradiction():
    first = vote("d", "ann", 0.0)
    back = vote("d", "ann", None, retracts=first.vote_id)
    assert "d" not in tally_votes([first, back], ONE).by_id
    found = tally_votes([first, back, vote("d", "ann", 1.0)], ONE)
    assert found.by_id["d"].value == 1.0
    assert found.contradictions == {}


@pytest.mark.parametrize("change", [{"rater": "bob"}, {"name": "d2"}])
def test_nobody_takes_back_what_is_not_his(change):
    first = vote("d", "ann", 0.0)
    back = vote(change.get("name", "d"), change.get("rater", "ann"), None, retracts=first.vote_id)
    found = tally_votes([first, back], ONE)
    assert found.by_id["d"].value == 0.0
    assert found.problems == {"takes_back_nothing": 1}


def test_a_skip_leaves_the_item_to_others_until_he_votes():
    skip = vote("d", "ann", None, skipped="no idea")
    assert tally_votes([skip], ONE).by_id["d"].skipped_by == {"ann"}
    assert tally_votes([skip], ONE).by_id["d"].state == "open"
    assert tally_votes([skip, vote("d", "ann", 1.0)], ONE).by_id["d"].skipped_by == frozenset()


def test_votes_that_cannot_be_are_counted_and_left():
    good = vote("d", "ann", 1.0)
    votes = [
        good,
        good,
        vote("e", value=2.0),
        vote("e", value=float("nan")),
        vote("e", value=1.0, reference_value=-1.0),
        vote("e", value=None),
        vote("e", at="noon"),
        vote("e", name="other"),
    ]
    found = tally_votes(votes, ONE)
    assert set(found.by_id) == {"d"}
    assert found.problems == {"repeated_vote_id": 1, "out_of_range": 3, "empty": 1, "unreadable_time": 1}


def test_both_answers_must_agree():
    votes = [vote("d", "ann", 0.0, reference_value=1.0), vote("d", "bob", 0.0, reference_value=0.0)]
    assert states(votes, TWO)[0] == "conflict"
    found = tally_votes([*votes, vote("d", "cid", 0.0, reference_value=1.0)], TWO).by_id["d"]
    assert (found.value, found.reference_value) == (0.0, 1.0)


def test_a_reference_that_not_all_have_seen_is_none():
    votes = [vote("d", "ann", 1.0, reference_value=1.0), vote("d", "bob", 1.0)]
    assert tally_votes(votes, TWO).by_id["d"].reference_value is None
