import asyncio

import msgspec

from judge_factory import NOON, A, SaidJudge, pair_judge, plan, sees_good
from undertow.ports.judge import JudgeReply
from undertow.records.judged import Anchor
from undertow.services.judge_anchors import Scorer, anchor_id, anchor_set, anchors_of_day, judge_version, score_anchors

ANCHORS = [
    Anchor(request="r1", answer_a="good", answer_b="bad", human="A"),
    Anchor(request="r2", answer_a="bad", answer_b="good", human="B"),
    Anchor(request="r3", answer_a="good x", answer_b="good y", human="tie"),
    Anchor(request="r4", answer_a="good", answer_b="bad", human="B"),
]


def score(say, anchors=ANCHORS):
    judge = SaidJudge(say)
    scorer = Scorer(pair_judge(judge), judge.name, "v1", "set-1", lambda: NOON)
    return asyncio.run(score_anchors(scorer, anchors)), judge


def test_a_judge_is_right_where_it_says_what_people_say():
    results, _ = score(sees_good)
    assert [result.verdict for result in results] == ["A", "B", "tie", "A"]
    assert [result.is_right for result in results] == [True, True, True, False]
    assert {result.judge for result in results} == {"judge-1"}
    assert {(result.version, result.anchors) for result in results} == {("v1", "set-1")}
    assert len({result.anchor_id for result in results}) == 4


def test_a_judge_that_always_says_a_ties_everywhere():
    results, _ = score(lambda _: A)
    assert [result.verdict for result in results] == ["tie"] * 4
    assert all(result.inconsistent and result.lean == 1.0 for result in results)


def test_a_judge_that_cannot_be_reached_is_asked_about_a_handful():
    results, judge = score(lambda _: JudgeReply(status="failed", is_outage=True), ANCHORS * 20)
    assert len(results) == len(judge.asked) == 4
    assert all(result.is_right is None for result in results)


def test_a_set_is_another_one_when_an_anchor_is_added_edited_or_taken_out():
    edited = [msgspec.structs.replace(ANCHORS[0], human="B"), *ANCHORS[1:]]
    sets = [ANCHORS, ANCHORS[1:], [*ANCHORS, msgspec.structs.replace(ANCHORS[0], request="r5")], edited]
    assert len({anchor_set(each) for each in sets}) == 4
    assert anchor_set(ANCHORS[::-1]) == anchor_set(ANCHORS)


def test_an_anchor_that_was_edited_is_another_one():
    assert anchor_id(ANCHORS[0]) != anchor_id(msgspec.structs.replace(ANCHORS[0], human="B"))


def test_a_judge_is_another_one_when_what_it_is_asked_changes_but_not_when_its_price_or_name_does():
    same = judge_version(plan())
    assert judge_version(plan(usd_per_call=1.0, name="other", share=0.5, budget_usd_day=1.0)) == same
    for change in (
        {"model": "other"},
        {"rubric": "x"},
        {"rubrics": {"a=b": "x"}},
        {"both_orders": False},
        {"parameters": {"seed": 1}},
    ):
        assert judge_version(plan(**change)) != same


def test_a_days_anchors_are_drawn_anew_each_day_and_the_same_whoever_draws():
    many = [Anchor(request=str(n), answer_a="x", answer_b="y", human="A") for n in range(100)]
    first = anchors_of_day(many, 20, "2026-03-01", "s")
    assert first == anchors_of_day(many[::-1], 20, "2026-03-01", "s")
    assert first != anchors_of_day(many, 20, "2026-03-02", "s")
    assert len({anchor.request for anchor in first}) == 20
    drawn = [anchor.request for day in range(200) for anchor in anchors_of_day(many, 20, f"day {day}", "s")]
    assert max(drawn.count(str(n)) for n in range(100)) < 70
