"""Nobody changes assignments by accident: exact values are pinned, and every smaller unit is the fallback of the larger."""

import pytest

from undertow.policies.assignment import assign, uniform, unit_of
from undertow.records.request import RequestFacts
from undertow.records.serving import HoldoutPlan


@pytest.mark.parametrize(
    ("purpose", "unit", "expected"),
    [
        ("holdout", "user:alice", 0.06920147411880073),
        ("holdout", "conversation:c-1", 0.16530538443355924),
        ("holdout", "user:ÿ€", 0.4960436091661662),
        ("split", "user:alice", 0.8379989073862523),
        ("split", "decision:d-1", 0.4410498068426607),
    ],
)
def test_values_are_pinned(purpose, unit, expected):
    assert uniform("undertow", unit, purpose) == expected


def request(**ids):
    return RequestFacts("chat.completions", "auto", **ids)


@pytest.mark.parametrize(
    ("unit", "ids", "expected"),
    [
        ("user", {"user_id": "u", "conversation_id": "c"}, "user:u"),
        ("user", {"conversation_id": "c"}, "conversation:c"),
        ("user", {"user_id": "", "conversation_id": ""}, "decision:d"),
        ("conversation", {"user_id": "u", "conversation_id": "c"}, "conversation:c"),
        ("conversation", {"user_id": "u"}, "decision:d"),
        ("decision", {"user_id": "u", "conversation_id": "c"}, "decision:d"),
    ],
)
def test_the_next_smaller_unit_stands_in(unit, ids, expected):
    assert unit_of(request(**ids), "d", unit) == expected


def test_the_arm_is_that_of_the_user_in_every_conversation():
    plan = HoldoutPlan(share=0.5)
    for user in "abcdefghij":
        arms = {assign(plan, request(user_id=user, conversation_id=str(n)), f"d{n}").arm for n in range(20)}
        assert len(arms) == 1


def test_the_probability_is_that_of_the_arm():
    assigned = [assign(HoldoutPlan(share=0.2), request(user_id=str(n)), "d") for n in range(200)]
    assert {(a.arm, a.arm_probability) for a in assigned} == {("holdout", 0.2), ("treatment", 0.8)}
    assert {a.treatment_probability for a in assigned} == {0.8}
    assert all(a.is_holdout == (a.arm == "holdout") for a in assigned)


def test_a_larger_share_keeps_those_who_are_held_out():
    small, large = HoldoutPlan(share=0.05), HoldoutPlan(share=0.2)
    for n in range(500):
        if assign(small, request(user_id=str(n)), "d").is_holdout:
            assert assign(large, request(user_id=str(n)), "d").is_holdout


def test_ids_that_are_no_text_are_hashed_all_the_same():
    assert 0 <= uniform("undertow", "user:\ud800", "holdout") < 1
