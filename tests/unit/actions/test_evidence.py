"""Segments borrow among those of one key alone."""

from guard_factory import place, state, tier
from undertow.actions.evidence import upper_bounds

NOW = state()


def test_segments_of_two_keys_are_two_partitions_of_the_same_requests():
    places = [
        place(NOW, f"{key}={value}", share=0.5, loss=0.0, half=half)
        for key in ("intent", "lang")
        for value, half in (("a", 0.01), ("b", 1.0))
    ]
    found = upper_bounds(tier(NOW, *places), pools=True)
    assert found["intent=b"] == found["lang=b"]
    assert found["intent=b"].high < 0.05 < found["intent=b"].own


def test_without_pooling_each_stands_on_its_own_labels():
    found = upper_bounds(tier(NOW, place(NOW, "intent=a", share=0.5, half=1.0)), pools=False)
    assert (found["intent=a"].high, found["intent=a"].borrowed) == (1.0, 0.0)
