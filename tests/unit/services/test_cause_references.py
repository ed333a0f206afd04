"""References: pairs, the suite, and other tiers on the same segments."""

import numpy as np

from alarm_logs import BAD, DAYS, PRE, ROUTED, SEGMENTS, alarms, drawn_unlike, heard, log, steered, step, told
from cells_factory import labels
from undertow.attribution.cause import MeanWithError, attribute
from undertow.services.cause_references import compare_with_pairs


def test_the_suite_clears_routing_where_there_is_no_holdout():
    both = step(0.05, 0.3)
    rates = dict.fromkeys(SEGMENTS, both)

    def suite(after):
        n = 40
        return labels(
            "capable", n, np.round(n * step(0.1, after)), days=ROUTED, start=PRE, signal="suite.pass", basis="exact"
        )

    fell = alarms(*log(rates, holdout=False, held=0.05), suite(0.35))
    stayed = alarms(*log(rates, holdout=False, held=0.05), suite(0.1))
    assert fell[0].cause == "provider"
    assert "suite" in fell[0].note
    assert stayed[0].cause == "routing"


def test_like_segments_of_the_capable_tier_stand_in_where_there_is_nothing_else():
    found = alarms(*log(dict.fromkeys(SEGMENTS, step(0.05, 0.3)), holdout=False, history=False))
    assert found[0].cause == "routing"
    assert "capable tier" in found[0].note


def test_pairs_tell_the_cause_where_nobody_was_held_out():
    """The capable tier's answers to the same requests stayed as they were, or fell as well."""
    (lost,) = told(steered((0.0, 0.25, 0.0), seed=2, pairs=True))
    assert (str(lost.segment), lost.cause) == ("intent=b", "routing")
    assert "the same requests" in lost.note
    for unknown in (steered((0.0, 0.25, 0.0), seed=2, pairs=True, other=0.35), steered((0.0, 0.25, 0.0), seed=2)):
        assert [alarm.cause for alarm in told(unknown)] == ["unknown"]


def test_pairs_are_compared_as_the_traffic_has_them():
    """Both tiers fail on the hard requests, so that counted plainly the other answers seem to have become worse, too."""
    cells = drawn_unlike((0.12, 0.0, 0.0), pairs=True, other=0.02)
    scene, evidence = heard(cells)
    stream = next(s for s in evidence.streams if s.kind == "change" and s.segment == 1)
    found = compare_with_pairs(scene, stream, None, BAD)
    assert found.cause == "routing"
    grid = scene.labels(stream.unit, 1, None)
    k, n, loss = (x[:, 0].sum((1, 2, 3)) for x in (grid.failures, grid.n, grid.loss_up - grid.loss_down))

    def plainly(failed):
        for days in (slice(PRE, BAD), slice(BAD, DAYS)):
            rate, many = failed[days].sum() / n[days].sum(), n[days].sum()
            yield MeanWithError(rate, rate * (1.0 - rate) / many, many)

    assert attribute(*plainly(k), *plainly(k - loss), reference_name="").cause == "provider"
