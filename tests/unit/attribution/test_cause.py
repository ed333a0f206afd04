import numpy as np
import pytest

from undertow.attribution.cause import DECISIVE_RATIO, MeanWithError, attribute, mix_part

BEFORE, AFTER = MeanWithError(0.06, 3e-5, 2000), MeanWithError(0.12, 5e-5, 2000)


def flat(mean, n=900):
    return MeanWithError(mean, mean * (1 - mean) / n, n)


def cause(before, after, **given):
    return attribute(BEFORE, AFTER, before, after, reference_name="the holdout", **given)


def test_a_reference_that_stayed_lays_it_to_routing():
    found = cause(flat(0.05), flat(0.05))
    assert found.cause == "routing"
    assert found.log_ratio > np.log(DECISIVE_RATIO)
    assert found.note == "the holdout moved +0.0 points while the tier's failures moved +6.0"


def test_a_reference_that_rose_as_much_shares_it():
    assert cause(flat(0.05), flat(0.11)).cause == "provider"


@pytest.mark.parametrize(("moved", "expected"), [(0.05, "mix"), (0.01, "provider")])
def test_a_shared_rise_from_traffic_that_moved_is_mix(moved, expected):
    assert cause(flat(0.05), flat(0.11), reference_mix_part=moved).cause == expected


def test_half_the_rise_settles_nothing():
    assert cause(flat(0.05, 400), flat(0.08, 400)).cause == "unknown"


@pytest.mark.parametrize(
    ("before", "after"), [(None, None), (flat(0.05, 19), flat(0.05)), (flat(0.05), flat(0.05, 19)), (flat(0.05), None)]
)
def test_without_reference_labels_the_cause_is_unknown(before, after):
    found = cause(before, after)
    assert (found.cause, found.log_ratio) == ("unknown", None)


def test_few_labels_on_both_sides_do_not_clear_routing():
    """A shared rise must stand out by itself: a noisy reference must not excuse routing."""
    assert cause(flat(0.05, 25), flat(0.11, 25)).cause == "unknown"


def test_a_rise_that_is_gone_has_no_cause():
    found = attribute(AFTER, BEFORE, flat(0.05), flat(0.05), reference_name="x")
    assert found.cause == "unknown"
    assert "gone" in found.note


def test_the_wrong_cause_is_named_at_most_one_time_in_twenty():
    """Markov: if the reference really rose as much, routing is blamed with probability at most 1 / DECISIVE_RATIO."""
    rng = np.random.default_rng(11)

    def mean(rate, n):
        k = rng.binomial(n, rate)
        smooth = (k + 1) / (n + 2)
        return MeanWithError(k / n, smooth * (1 - smooth) / n, n)

    def draw(reference_after):
        return attribute(
            mean(0.06, 1000), mean(0.12, 600), mean(0.05, 400), mean(reference_after, 250), reference_name="x"
        ).cause

    runs = 600
    blamed = sum(draw(0.11) == "routing" for _ in range(runs))
    cleared = sum(draw(0.05) in {"provider", "mix"} for _ in range(runs))
    allowed = runs / DECISIVE_RATIO + 3 * np.sqrt(runs / DECISIVE_RATIO)
    assert blamed <= allowed
    assert cleared <= allowed


def test_mix_and_rates_make_up_the_whole_change():
    rng = np.random.default_rng(4)
    s0, s1 = (x / x.sum() for x in rng.uniform(0, 1, (2, 5)))
    r0, r1 = rng.uniform(0, 1, (2, 5))
    inside = sum((b - a) * (x + y) / 2 for a, b, x, y in zip(r0, r1, s0, s1, strict=True))
    total = (s1 * r1).sum() - (s0 * r0).sum()
    assert mix_part(list(s0), list(s1), list(r0), list(r1)) + inside == pytest.approx(total)
    assert mix_part(list(s0), list(s0), list(r0), list(r1)) == 0.0
