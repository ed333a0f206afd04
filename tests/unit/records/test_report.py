import pytest

from undertow.records.report import LatencyEstimate, TierLatency

NONE, SOME, MORE = LatencyEstimate(0, None, None), LatencyEstimate(5, 10.0, 20.0), LatencyEstimate(7, 30.0, 40.0)


def test_ways_on_which_no_request_came_are_left_out():
    assert TierLatency(NONE, SOME).ways == (("direct", SOME),)
    assert TierLatency(SOME, NONE, MORE).ways == (("escalated", SOME), ("skipped", MORE))
    assert TierLatency(NONE, NONE).ways == ()


@pytest.mark.parametrize(
    ("latency", "is_compared"),
    [
        (TierLatency(NONE, SOME), False),
        (TierLatency(SOME, NONE), True),
        (TierLatency(NONE, SOME, MORE), True),
    ],
)
def test_there_is_something_to_compare_where_a_request_did_not_come_at_once(latency, is_compared):
    assert latency.is_compared is is_compared
