"""Each constraint takes away what it says, and what is left is never cheap where cheap is forbidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.policies.constraints import usable_tiers
from undertow.records.request import RequestFacts
from undertow.records.serving import ConstraintsPlan

TWO = ("cheap", "capable")
THREE = ("small", "medium", "large")


def constrained(facts=None, rules=None, tiers=TWO, context=None, speaking=None):
    facts = RequestFacts("chat.completions", "auto", **(facts or {}))
    speaking = frozenset(tiers if speaking is None else speaking)
    return usable_tiers(facts, ConstraintsPlan(**(rules or {})), tiers, context or {}, speaking)


def test_without_constraints_all_tiers_can_be_used():
    found = constrained()
    assert (found.tiers, found.eligible, found.why, found.refused) == (TWO, True, None, None)


@pytest.mark.parametrize(
    ("facts", "rules", "why"),
    [
        ({"segment": {"intent": "fraud"}}, {"never_cheap": ("intent=fraud",)}, "never_cheap"),
        ({"input_tokens": 8001}, {"cheap_max_input_tokens": 8000}, "input_tokens"),
        ({"has_tools": True}, {"cheap_tools": False}, "tools"),
        ({"has_media": True}, {}, "media"),
    ],
)
def test_each_keeps_the_request_on_the_capable_tier(facts, rules, why):
    found = constrained(facts, rules, tiers=THREE)
    assert (found.tiers, found.eligible, found.why) == (("large",), False, why)


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        ({"segment": {"intent": "faq", "topic": "fraud"}}, {"never_cheap": ("intent=fraud",)}),
        ({"input_tokens": 8000}, {"cheap_max_input_tokens": 8000}),
        ({"has_tools": True}, {}),
        ({"has_media": True}, {"cheap_images": True}),
    ],
)
def test_at_the_border_it_does_not(facts, rules):
    assert constrained(facts, rules).eligible


@pytest.mark.parametrize(
    ("output_limit", "context", "tiers"),
    [
        (None, {"cheap": 900}, ("capable",)),
        (100, {"cheap": 1000}, ("capable",)),
        (100, {"cheap": 1100}, TWO),
        (None, {"cheap": None}, TWO),
        (None, {"cheap": 4000, "capable": 900}, ("cheap",)),
        (None, {"cheap": 900, "capable": 900}, ("capable",)),
    ],
)
def test_prompt_and_answer_must_fit(output_limit, context, tiers):
    found = constrained({"input_tokens": 1000, "output_limit": output_limit}, context=context)
    assert found.tiers == tiers
    assert found.eligible == (len(tiers) == 2)
    assert (found.why == "context_length") == (tiers != TWO)


def test_a_key_limits_the_tiers():
    found = constrained({"allowed_tiers": ("cheap",)})
    assert (found.tiers, found.eligible, found.why) == (("cheap",), False, "key")


def test_a_key_for_cheap_tiers_alone_is_refused_what_must_not_be_cheap():
    found = constrained({"allowed_tiers": ("cheap",), "has_media": True})
    assert found.tiers == ()
    assert "media" in found.refused


def test_a_key_for_other_tiers_is_refused():
    assert constrained({"allowed_tiers": ("other",)}).refused is not None
    assert constrained({"allowed_tiers": ()}).refused is not None


def test_only_tiers_that_speak_the_format_are_asked():
    assert constrained(speaking={"capable"}).tiers == ("capable",)
    assert constrained(speaking={"capable"}).why == "wire_format"
    assert "chat.completions" in constrained(speaking=set()).refused


@given(
    st.builds(
        dict,
        segment=st.dictionaries(st.sampled_from(["intent"]), st.sampled_from(["fraud", "faq"])),
        input_tokens=st.integers(0, 2000),
        has_tools=st.booleans(),
        has_media=st.booleans(),
        allowed_tiers=st.one_of(st.none(), st.lists(st.sampled_from(THREE)).map(tuple)),
    ),
    st.builds(dict, never_cheap=st.just(("intent=fraud",)), cheap_tools=st.booleans(), cheap_images=st.booleans()),
    st.dictionaries(st.sampled_from(THREE), st.integers(1, 2000)),
    st.sets(st.sampled_from(THREE)),
)
def test_never_cheap_when_forbidden_and_never_a_tier_that_is_not_allowed(facts, rules, context, speaking):
    found = constrained(facts, rules, THREE, context, speaking)
    forbidden = (
        facts["segment"].get("intent") == "fraud"
        or (facts["has_tools"] and not rules["cheap_tools"])
        or (facts["has_media"] and not rules["cheap_images"])
    )
    assert bool(found.tiers) == (found.refused is None)
    assert set(found.tiers) <= speaking
    assert facts["allowed_tiers"] is None or set(found.tiers) <= set(facts["allowed_tiers"])
    assert list(found.tiers) == [tier for tier in THREE if tier in found.tiers]
    if forbidden:
        assert found.tiers in {(), ("large",)}
    assert found.eligible == (len(found.tiers) > 1)
    assert (found.why is None) == (found.tiers == THREE)
