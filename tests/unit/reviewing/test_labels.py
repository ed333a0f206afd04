import pytest

from review_factory import NOON, cases, pair, sampled, text_of, vote
from undertow.records.review import SEED_PREFIX, ReviewRules, SeededCase
from undertow.reviewing.labels import UNDO_S, is_settled, signal_of, time_problem
from undertow.reviewing.resolving import tally_votes

RULES = ReviewRules()


def signal(*votes, rules=RULES, now_s=NOON + 60, **values):
    case = cases(sampled("d", **values)).by_id["d"]
    return signal_of(case, tally_votes(votes, rules).by_id["d"], rules, now_s, lambda name: f"p-{name}")


def test_a_signal_bears_the_draw():
    found = signal(vote("d", value=0.25, at=text_of(NOON)), inclusion_probability=0.01, stratum="tail+intent=billing")
    assert (found.inclusion_probability, found.stratum, found.selection) == (0.01, "tail+intent=billing", "sampled")
    assert (found.kind, found.name, found.value, found.reference_value) == ("review", "accuracy", 0.25, None)
    assert (found.event_time, found.received_at, found.source) == (text_of(NOON), text_of(NOON + 60), "p-ann")


def test_several_raters_are_counted_and_not_named():
    votes = (vote("d", "ann", 1.0), vote("d", "bob", 1.0))
    assert signal(*votes, rules=ReviewRules(raters=2)).source == "reviewers:2"


def test_what_is_not_resolved_gives_none():
    assert signal(vote("d"), rules=ReviewRules(raters=2)) is None


def test_a_seeded_case_gives_none():
    seed = SeededCase(case_id=f"{SEED_PREFIX}1", prompt="?", answer="!", value=0.0)
    case = cases(seeds=(seed,)).by_id[seed.case_id]
    tally = tally_votes([vote(seed.case_id)], RULES).by_id[seed.case_id]
    assert signal_of(case, tally, RULES, NOON, str) is None


@pytest.mark.parametrize(
    ("at_s", "problem"), [(NOON + 600, "in_the_future"), (NOON - 7_200, "before_its_decision"), (NOON + 90, None)]
)
def test_a_time_that_cannot_be_is_that_of_the_writing(at_s, problem):
    given = vote("d", at=text_of(at_s))
    assert time_problem(given, cases(sampled("d")).by_id["d"], NOON) == problem
    found = signal(given, now_s=NOON)
    assert found.event_time == text_of(NOON if problem else at_s)


def test_the_id_is_the_same_whoever_writes_it():
    assert signal(vote("d", "ann")).signal_id == signal(vote("d", "bob", 0.0), now_s=NOON + 9e5).signal_id


def test_votes_can_be_taken_back_for_a_while():
    tally = tally_votes([vote("d", "ann", at=text_of(NOON)), vote("d", "bob", at=text_of(NOON + 100))], RULES).by_id[
        "d"
    ]
    assert not is_settled(tally, NOON + 110)
    assert not is_settled(tally, NOON + 110, leaving="bob")
    assert is_settled(tally, NOON + UNDO_S, leaving="bob")
    assert is_settled(tally, NOON + 100 + UNDO_S)
    assert is_settled(tally_votes([vote("d", at=text_of(NOON + 9e6))], RULES).by_id["d"], NOON)


def test_a_verdict_on_two_answers_bears_the_probability_of_the_pair_beside_that_of_the_review():
    case = cases(sampled("d", inclusion_probability=0.8, shadow_probability=0.1), pairs=(pair("d"),)).by_id["d"]

    def given(given_vote):
        return signal_of(case, tally_votes([given_vote], RULES).by_id["d"], RULES, NOON + 60, str)

    both = given(vote("d", value=0.0, reference_value=1.0, is_side_by_side=True))
    assert (both.inclusion_probability, both.pair_probability) == (0.8, 0.1)
    assert given(vote("d", value=0.0)).pair_probability is None
