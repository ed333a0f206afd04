"""Randomisation is what it says: the right share, independent of everything else, the same for the same unit."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.policies.assignment import assign, uniform
from undertow.policies.split import drawn, usable_shares
from undertow.records.request import RequestFacts
from undertow.records.serving import HoldoutPlan

UNITS = 4000
FIVE_SIGMA = 5.0
"""A false failure once in two million drawn examples."""

texts = st.text(st.characters(codec=None), max_size=20)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.005, 0.5), st.text(min_size=1, max_size=8))
def test_the_holdout_has_its_share(share, salt):
    plan = HoldoutPlan(share=share, salt=salt)
    held = sum(
        assign(plan, RequestFacts("messages", "auto", user_id=f"user-{n}"), "d").is_holdout for n in range(UNITS)
    )
    assert abs(held - UNITS * share) <= FIVE_SIGMA * math.sqrt(UNITS * share * (1 - share)) + 1


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_purposes_and_salts_are_independent(salt, other_salt):
    pairs = [(uniform(salt, f"user:{n}", "holdout"), uniform(salt, f"user:{n}", "split")) for n in range(UNITS)]
    assert abs(correlation(pairs)) <= FIVE_SIGMA / math.sqrt(UNITS)
    if salt != other_salt:
        pairs = [(first, uniform(other_salt, f"user:{n}", "holdout")) for n, (first, _) in enumerate(pairs)]
        assert abs(correlation(pairs)) <= FIVE_SIGMA / math.sqrt(UNITS)


def correlation(pairs):
    mean_x, mean_y = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / len(pairs)
    return covariance * 12  # both are uniform, with variance 1/12


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=4).filter(lambda shares: sum(shares) > 0.01))
def test_a_split_has_its_shares_in_each_arm(given_shares):
    tiers = tuple(f"t{place}" for place in range(len(given_shares)))
    shares = usable_shares(dict(zip(tiers, given_shares, strict=True)), tiers)
    plan = HoldoutPlan(share=0.5)
    counts = {arm: [0] * len(tiers) for arm in ("treatment", "holdout")}
    for n in range(UNITS):
        unit = assign(plan, RequestFacts("messages", "auto", user_id=f"user-{n}"), "d")
        counts[unit.arm][drawn(shares, unit.draw)] += 1
    for found in counts.values():
        total = sum(found)
        for count, share in zip(found, shares, strict=True):
            assert abs(count - total * share) <= FIVE_SIGMA * math.sqrt(total * share * (1 - share)) + 1


@given(texts, texts, st.sampled_from(["holdout", "split"]))
def test_any_text_has_one_number_below_one(salt, unit, purpose):
    found = uniform(salt, unit, purpose)
    assert 0 <= found < 1
    assert found == uniform(salt, unit, purpose)


@pytest.mark.parametrize("share", [0.05, 0.5])
@given(st.one_of(st.none(), texts), st.one_of(st.none(), texts), texts)
def test_the_arm_depends_on_the_unit_alone(share, user, conversation, decision):
    plan = HoldoutPlan(share=share)
    one = assign(plan, RequestFacts("messages", "auto", user_id=user, conversation_id=conversation), decision)
    other = assign(
        plan,
        RequestFacts("responses", "m", user_id=user, conversation_id=conversation, text="t", input_tokens=9),
        decision if not (user or conversation) else f"{decision}x",
    )
    assert one == other
