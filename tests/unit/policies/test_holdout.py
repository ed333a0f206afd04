"""Who answers where the policy has no choice."""

from undertow.policies.base import Failed, Setting
from undertow.policies.holdout import serve_constrained, serve_holdout

SETTING = Setting(("small", "medium", "large"), True, True, 0.9, 0.0)


def test_the_holdout_is_answered_by_the_dearest_alone():
    steps = serve_holdout(SETTING, 0.1)
    ask = next(steps)
    assert (ask.tier, ask.reason, ask.propensity) == ("large", "holdout", 0.1)
    assert next((command for command in [*_rest(steps)]), None) is None


def test_a_probability_of_zero_is_none_that_a_log_could_hold():
    assert next(serve_holdout(SETTING, 0.0)).propensity is None


def test_a_constrained_request_goes_to_what_is_left():
    ask = next(serve_constrained(SETTING))
    assert (ask.tier, ask.reason, ask.propensity) == ("small", "constraint", 1.0)


def _rest(steps):
    try:
        yield steps.send(Failed("timeout"))
    except StopIteration:
        return
