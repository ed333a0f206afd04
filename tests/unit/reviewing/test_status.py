import pytest

from review_factory import NOON, sampled, text_of, vote
from undertow.records.review import SEED_PREFIX, Claim, ImportNote, Material, ReviewRules, SeededCase
from undertow.reviewing.cases import cases_of
from undertow.reviewing.resolving import tally_votes
from undertow.reviewing.status import review_status

DAY = 86_400.0


def status(*rows, votes=(), rules=None, claims=(), now_s=NOON + 2_000, **more):
    rules = rules or ReviewRules()
    material = Material(sampled=rows, votes=tuple(votes), **more)
    return review_status(material, cases_of(material, rules), tally_votes(votes, rules), claims, rules, now_s)


def test_what_waits_is_counted_by_stratum_and_label():
    rows = [
        sampled("a"),
        sampled("b", stratum="common"),
        sampled("c", segment={"intent": "fraud"}),
        sampled("old", event_time=text_of(NOON - 15 * DAY)),
    ]
    found = status(*rows, votes=[vote("a")], claims=[Claim("b", "bob", NOON + 1e6), Claim("c", "bob", NOON)])
    assert (found.queue.items, found.queue.votes, found.queue.held, found.queue.expired) == (2, 2, 1, 1)
    assert found.queue.by_stratum == {"common": 1, "tail": 1}
    assert found.queue.by_label == {"intent=billing": 1, "intent=fraud": 1}
    assert (found.today, found.votes_today, found.labels) == (1, 1, 1)


def test_labels_that_may_still_be_taken_back_have_no_signal_yet():
    votes = [vote("a", at=text_of(NOON)), vote("b", at=text_of(NOON + 1_900))]
    assert status(sampled("a"), sampled("b"), votes=votes).unwritten == 1


def test_nothing_in_it_tells_a_value_by_tier():
    found = status(sampled("a"), votes=[vote("a", value=0.0)])
    assert all(not hasattr(cell, "mean") and not hasattr(cell, "value") for cell in found.cells)


def test_a_segment_that_falls_silent_shows_as_short():
    rows = [sampled("a"), sampled("f", segment={"intent": "fraud"}, event_time=text_of(NOON - 10 * DAY))]
    found = {(cell.tier, cell.label): cell for cell in status(*rows, votes=[vote("f")]).cells}
    assert (found["cheap", "intent=fraud"].drawn, found["cheap", "intent=fraud"].is_short) == (0, True)
    assert found["cheap", ""].needed == 2


def test_agreement_is_of_decisions_that_two_have_judged_and_not_of_seeded_ones():
    rules = ReviewRules(raters=2)
    seed = SeededCase(case_id=f"{SEED_PREFIX}1", prompt="?", answer="!", value=0.0)
    votes = [vote(f"d{i}", rater, float(i % 2)) for i in range(10) for rater in ("ann", "bob")]
    votes += [vote(seed.case_id, "ann", 1.0), vote(seed.case_id, "bob", 0.0)]
    found = status(*(sampled(f"d{i}") for i in range(10)), votes=votes, rules=rules, seeds=(seed,))
    assert (found.agreement.alpha, found.agreement.units) == (1.0, 10)
    assert status(sampled("a"), votes=[vote("a")]).agreement is None


def test_a_third_vote_on_what_two_disagree_about_changes_no_agreement():
    rules = ReviewRules(raters=2)
    votes = [
        vote(f"d{i}", rater, float(i % 2 if rater == "ann" else i < 5)) for i in range(10) for rater in ("ann", "bob")
    ]
    third = [vote(f"d{i}", "cat", 1.0, at=text_of(NOON + 1_900)) for i in range(10) if (i % 2) != (i < 5)]
    rows = [sampled(f"d{i}") for i in range(10)]
    alone, settled = (status(*rows, votes=some, rules=rules).agreement for some in (votes, votes + third))
    assert third
    assert settled == alone


def test_a_stratum_that_is_left_behind_shows_since_its_labels_stand_for_more_than_they_say():
    rows = [sampled(f"t{i}") for i in range(30)] + [sampled(f"c{i}", stratum="common") for i in range(30)]
    votes = [vote(f"t{i}") for i in range(30)] + [vote(f"c{i}") for i in range(10)]
    words = status(*rows, votes=votes).words
    assert any("stratum common: 33% of its draws are judged, of another one 100%" in word for word in words)
    assert not any(
        "stratum" in word for word in status(*rows, votes=votes[:30] + [vote(f"c{i}") for i in range(29)]).words
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"votes": [vote("a", at=text_of(NOON + 9e5))]}, "in_the_future"),
        ({"votes": [vote("a", at=text_of(NOON - 9e5))]}, "before_its_decision"),
        ({"votes": [vote("a", value=3.0)]}, "out_of_range"),
        ({"broken": 1}, "unreadable_lines"),
        ({"imports": (ImportNote(at="", format="csv", kept=0, set_aside={"conflicting": 1}, by_rater={"ann": 1}),)}, "import_conflicting"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_counted_and_said(given, problem):
    found = status(sampled("a"), **given)
    assert found.problems == {problem: 1}
    assert any(word.endswith(": 1") for word in found.words)


def test_impossible_draws_are_not_reviewed():
    found = status(sampled("a", inclusion_probability=0.0))
    assert (found.queue.items, found.problems) == (0, {"impossible_probability": 1})


def test_known_failures_seen_by_all_together():
    seeds = tuple(SeededCase(case_id=f"{SEED_PREFIX}{i}", prompt="?", answer="!", value=0.0) for i in range(4))
    votes = [
        vote(seed.case_id, rater, value, is_seeded=True)
        for rater, value in (("ann", 0.0), ("bob", 1.0))
        for seed in seeds
    ]
    found = status(votes=votes, seeds=seeds)
    assert (found.seen.count, found.seen.of, found.seeds, found.labels) == (4, 8, 4, 0)


def test_many_short_segments_are_said_in_few_words():
    words = status(*(sampled(f"d{i}", segment={"intent": f"i{i}"}) for i in range(20))).words
    assert sum("minimum asks for" in word for word in words) == 6
    assert any(word.startswith("other tiers and segments") and word.endswith(": 16") for word in words)


def test_second_answers_that_are_missing_are_told():
    rows = [
        sampled("a", shadow_probability=0.5),
        sampled("b", shadow_probability=0.5, event_time=text_of(NOON + 1_990)),
        sampled("c"),
    ]
    found = status(*rows, now_s=NOON + 2_000)
    assert found.problems == {"second_answer_missing": 1}, "one may still be under way, one was not drawn"
    assert any("have none (budget, failure)" in word for word in found.words)
    assert status(*rows, rules=ReviewRules(side_by_side=False)).problems == {}
