"""The long-run guarantee of a threshold that follows its labels: for any labels whatever, in any order, in any runs."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.calibration.online import WEIGHT_CAP, Rules, begin, follow, is_served, relax
from undertow.records.tuning import TuningLabel

confidences = st.one_of(st.none(), st.floats(0.0, 1.0), st.sampled_from([0.5, 0.8, 0.801, 0.99, 0.999999, 1.0]))
rows = st.lists(
    st.tuples(confidences, st.booleans(), st.sampled_from([1.0, 2.0, 7.5, 1000.0]), st.sampled_from([1.0, 0.3])),
    max_size=400,
)


def labels_of(found):
    return [
        TuningLabel(available_at=f"{t:06}", decision_id=str(t), confidence=c, is_failed=f, weight=w, share=s)
        for t, (c, f, w, s) in enumerate(found)
    ]


def steps(labels, rules, state, run):
    """Each label with the threshold at which it was met; floors are lowered between runs where certificates allow it."""
    for start in range(0, len(labels), run):
        for place in range(start, min(start + run, len(labels))):
            yield labels[place], state.log_odds
            state = follow(state, [labels[place]], rules, earlier=labels[max(0, place - 300) : place]).state
        fresh = [one for one in labels[: start + run] if one.available_at > (state.floor_since or "")]
        state = relax(state, fresh, rules)


@settings(max_examples=150, deadline=None)
@given(rows, st.sampled_from([0.005, 0.03, 0.2]), st.sampled_from([0.02, 0.15, 2.0]), st.sampled_from([0.3, 0.8, 0.99]))
def test_weighted_losses_beyond_the_margin_are_bounded_whatever_the_labels_are(found, margin, step, threshold):
    labels = labels_of(found)
    rules = Rules.of(threshold, margin, 0.1, step)
    start = begin(threshold)
    beyond = 0.0
    for label, at in steps(labels, rules, start, 50):
        loss = label.share * (label.is_failed and is_served(label, at, rules))
        beyond += min(label.weight, WEIGHT_CAP) * (loss - margin)
        # It holds at every moment, not only at the end.
        assert beyond <= (rules.cap - start.log_odds + step * WEIGHT_CAP * (1 - margin)) / step + 1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 900), st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_with_equal_weights_the_mean_loss_is_within_the_stated_bound(count, failing, seed):
    rng = random.Random(seed)
    labels = labels_of([(rng.random(), rng.random() < failing, 1.0, 1.0) for _ in range(count)])
    rules = Rules.of(0.7, 0.03, 0.1)
    start = begin(0.7)
    losses = [label.is_failed and is_served(label, at, rules) for label, at in steps(labels, rules, start, 40)]
    bound = 0.03 + (rules.cap - start.log_odds + rules.step) / (rules.step * count)
    assert sum(losses) / count <= bound


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(1, 60))
def test_labels_in_many_runs_leave_the_controller_where_one_run_does(found, run):
    labels = labels_of(found)
    rules = Rules.of(0.8, 0.03, 0.1)
    whole = follow(begin(0.8), labels, rules).state
    state = begin(0.8)
    for start in range(0, len(labels), run):
        state = follow(state, labels[start : start + run], rules, earlier=labels[max(0, start - 300) : start]).state
    assert state == whole


@settings(max_examples=100, deadline=None)
@given(rows)
def test_it_never_falls_below_its_floor_and_never_at_all_where_it_may_not(found):
    labels = labels_of(found)
    rules = Rules.of(0.8, 0.03, 0.1)
    end = follow(begin(0.8), labels, rules).state
    assert end.log_odds >= end.floor >= begin(0.8).floor
    raised = follow(begin(0.8), labels[:50], rules).state
    assert follow(raised, labels[50:], rules, may_loosen=False).state.log_odds >= raised.log_odds
