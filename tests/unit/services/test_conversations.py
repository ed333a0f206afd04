"""What is remembered of conversations, and what admission makes of it."""

import json

import msgspec
import pytest

from undertow.adapters.wire.chat import ChatDialect
from undertow.policies.base import Setting
from undertow.records.decision import DecisionRecord
from undertow.records.request import RequestFacts
from undertow.records.serving import KeyPlan
from undertow.services.admit import Context
from undertow.services.conversations import KEPT_S, Conversations, Stickiness
from unit.services.stage import Stage, plan, whole

SETTING = Setting(("cheap", "capable"), eligible=True, is_holdout=False, treatment_probability=1.0, draw=0.0)


def record(**fields):
    given = {"conversation_id": "c", "policy": "auto", "mode": "route", "tier": "capable"}
    return DecisionRecord(decision_id="d", event_time="t", **(given | fields))


def test_turns_are_counted_from_the_one_on_which_the_conversation_moved():
    memory = Conversations()
    turns = [("cheap", False), ("cheap", False), ("capable", True), ("capable", False), ("capable", False)]
    seen = []
    for second, (tier, escalated) in enumerate(turns):
        memory.note(record(tier=tier, escalated=escalated, input_tokens=100, output_tokens=7), float(second))
        last = memory.last(None, "c", second + 0.5)
        seen.append((last.tier, last.turns_since_move))
        assert (last.age_s, last.prompt_tokens, last.output_tokens) == (0.5, 100, 7)
    assert seen == [("cheap", 0), ("cheap", 1), ("capable", 0), ("capable", 1), ("capable", 2)]
    memory.note(record(escalated=True), 9.0)
    assert memory.last(None, "c", 9.0).turns_since_move == 0, "withheld again: it comes to the tier anew"


@pytest.mark.parametrize(
    "fields", [{"tier": None}, {"conversation_id": None}, {"policy": None}, {"mode": "observe"}], ids=str
)
def test_what_no_policy_routed_or_nobody_answered_changes_nothing(fields):
    memory = Conversations()
    memory.note(record(**fields), 0.0)
    assert len(memory) == 0


def test_the_memory_is_bounded_and_forgets_the_silent():
    memory = Conversations(most=3)
    for name in ("a", "b", "c", "a", "d"):
        memory.note(record(conversation_id=name), 0.0)
    assert [memory.last(None, name, 0.0) is not None for name in "abcd"] == [True, False, True, True]
    assert len(memory) == 3
    assert memory.last(None, "a", KEPT_S) is None
    assert len(memory) == 2


def test_a_conversation_that_was_silent_for_long_begins_anew():
    memory = Conversations()
    memory.note(record(), 0.0)
    memory.note(record(), KEPT_S + 1)
    assert memory.last(None, "c", KEPT_S + 1).turns_since_move == 0


def test_the_conversations_of_two_keys_do_not_meet():
    memory = Conversations()
    memory.note(record(key_name="one"), 0.0)
    assert memory.last("one", "c", 0.0) is not None
    assert memory.last("two", "c", 0.0) is None
    assert memory.last(None, "c", 0.0) is None


def sticky(memory, acceptance=None, **policy):
    return Stickiness(plan(stay_turns=1, **policy), memory, lambda *_: acceptance)


FACTS = RequestFacts("chat.completions", "auto", conversation_id="c", input_tokens=1000)


def test_a_setting_is_told_of_the_last_turn():
    memory = Conversations()
    sticks = sticky(memory)
    assert sticks.settled(SETTING, FACTS, "auto", None, 1.0) is SETTING
    memory.note(record(escalated=True, input_tokens=1000, output_tokens=10), 0.0)
    settled = sticks.settled(SETTING, FACTS, "auto", None, 1.0)
    assert (settled.last_tier, settled.stays) == ("capable", True)
    memory.note(record(input_tokens=1000, output_tokens=10), 0.0)
    assert sticks.settled(SETTING, FACTS, "auto", None, 1.0).stays is False
    memory.note(record(tier="cheap"), 0.0)
    settled = sticks.settled(SETTING, FACTS, "auto", None, 1.0)
    assert (settled.last_tier, settled.stays) == ("cheap", False)


def test_prices_and_acceptance_count_after_the_turns():
    memory = Conversations()
    for _ in range(3):
        memory.note(record(input_tokens=1000, output_tokens=10), 0.0)
    stays = {share: sticky(memory, share).settled(SETTING, FACTS, "auto", None, 1.0).stays for share in (0.05, 0.9)}
    assert stays == {0.05: True, 0.9: False}, "a cheap call that is nearly always thrown away is not worth its price"


def test_a_tier_that_the_request_may_not_use_and_other_kinds_of_policy_are_left_alone():
    memory = Conversations()
    memory.note(record(tier="elsewhere"), 0.0)
    assert sticky(memory).settled(SETTING, FACTS, "auto", None, 1.0) is SETTING
    memory.note(record(), 0.0)
    assert sticky(memory, kind="fixed").settled(SETTING, FACTS, "auto", None, 1.0) is SETTING
    alone = msgspec.structs.replace(SETTING, tiers=("capable",))
    assert sticky(memory).settled(alone, FACTS, "auto", None, 1.0) is alone


def test_a_conversation_that_was_moved_up_stays_there_for_its_next_turns():
    stage = Stage(plan(threshold=0.7, stay_turns=2), cheap=[], capable=[])
    stage.remember(Conversations())
    reasons = []
    for probability in (0.9, 0.5, 0.9, 0.9, 0.9):
        stage.cheap.replies = [whole(probability=probability)]
        stage.capable.replies = [whole()]
        stage.again()
        found = stage.request(metadata={"conversation_id": "c"})
        reasons.append((found.tier, found.reason))
    assert reasons == [
        ("cheap", "confident"),
        ("capable", "unsure"),
        ("capable", "session"),
        ("capable", "session"),
        ("cheap", "confident"),
    ]


def test_the_named_key_is_part_of_what_is_remembered():
    stage = Stage(plan(threshold=0.7), cheap=[], capable=[])
    memory = Conversations()
    stage.remember(memory)
    memory.note(record(key_name="one", escalated=True), 0.0)

    def setting(name):
        key = KeyPlan(name=name, key_id="k", sha256="0")
        context = Context("d", "2026-01-01T00:00:00.000Z", 0.0, {}, conversation_id="c", key=key)
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
        return stage.admission.admit(ChatDialect(), body, context).placement.setting

    assert (setting("one").last_tier, setting("one").stays) == ("capable", True)
    assert (setting("two").last_tier, setting("two").stays) == (None, False)
