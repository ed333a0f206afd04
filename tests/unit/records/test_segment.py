import pytest

from undertow.records.segment import WHOLE, Segment


@pytest.mark.parametrize(
    ("segment", "as_dict", "text", "is_whole"),
    [(WHOLE, {}, "whole tier", True), (Segment("intent", "a=b"), {"intent": "a=b"}, "intent=a=b", False)],
)
def test_the_forms_of_a_segment(segment, as_dict, text, is_whole):
    assert segment.as_dict() == as_dict
    assert str(segment) == text
    assert segment.is_whole is is_whole


def test_segments_can_be_sorted_and_kept_in_sets_and_the_whole_comes_first():
    segments = [Segment("b", "1"), Segment("a", "2"), WHOLE, Segment("a", "1")]
    assert sorted(segments) == [WHOLE, Segment("a", "1"), Segment("a", "2"), Segment("b", "1")]
    assert len({*segments, Segment("a", "2")}) == 4
