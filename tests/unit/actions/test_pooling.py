"""Borrowing from the whole tier: never worse than the segment's own labels, and right wherever what goes in is right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.actions.pooling import Part, pooled_bounds

shares = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6)


@given(shares, st.data())
def test_a_bound_holds_wherever_the_intervals_do(weights, data):
    rest = data.draw(st.floats(0.0, 1.0))
    total = sum(weights) + rest
    parts, truth = [], []
    for i, weight in enumerate(weights):
        loss = data.draw(st.floats(-1.0, 1.0))
        down, up = data.draw(st.floats(0.0, 2.0)), data.draw(st.floats(0.0, 2.0))
        truth.append(loss)
        parts.append(Part(f"s{i}", weight / total, max(loss - down, -1.0), min(loss + up, 1.0)))
    tier = sum(part.share * loss for part, loss in zip(parts, truth, strict=True))
    tier += rest / total * data.draw(st.floats(-1.0, 1.0))
    found = pooled_bounds(min(tier + data.draw(st.floats(0.0, 0.5)), 1.0), parts)
    for part, loss in zip(parts, truth, strict=True):
        assert found[part.name].high >= loss - 1e-9
        assert found[part.name].high <= part.high
        assert found[part.name].borrowed >= 0.0


def test_segments_that_share_requests_borrow_nothing():
    parts = [Part("a", 0.7, -1.0, 1.0), Part("b", 0.7, 0.0, 0.0)]
    assert pooled_bounds(0.0, parts)["a"].high == 1.0


def test_requests_without_the_label_may_have_gained_all_that_the_segment_lost():
    known = pooled_bounds(0.0, [Part("a", 0.5, -1.0, 1.0), Part("b", 0.5, 0.0, 0.0)])["a"].high
    unknown = pooled_bounds(0.0, [Part("a", 0.5, -1.0, 1.0), Part("b", 0.3, 0.0, 0.0)])["a"].high
    assert (known, unknown) == (pytest.approx(0.0), pytest.approx(0.4))


def test_intervals_that_contradict_one_another_give_no_bound_below_all_of_them():
    assert pooled_bounds(-0.5, [Part("a", 0.5, 0.1, 0.2), Part("b", 0.5, 0.1, 0.2)])["a"].high == pytest.approx(0.1)
