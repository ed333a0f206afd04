"""The tail of every policy: serve from the first tier that answers."""

from undertow.policies.base import Failed, Judgement, Served, ask_upwards


def test_goes_up_after_each_failure_and_stops_when_served():
    steps = ask_upwards(("small", "medium", "large"), "fixed", Judgement(score=1.0), 0.5, escalated=True)
    first = next(steps)
    assert (first.tier, first.reason, first.propensity, first.escalated) == ("small", "fixed", 0.5, True)
    second = steps.send(Failed("timeout"))
    assert (second.tier, second.reason, second.propensity) == ("medium", "upstream_error", None)
    assert second.judgement == first.judgement
    assert next(iter_end(steps, Served())) == "ended"


def test_ends_after_the_last_failure():
    steps = ask_upwards(("large",), "fixed")
    next(steps)
    assert next(iter_end(steps, Failed("cut"))) == "ended"


def iter_end(steps, event):
    try:
        yield steps.send(event)
    except StopIteration:
        yield "ended"
