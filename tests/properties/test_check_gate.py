"""What holds of the gate for any labels: the order of rows does not matter, and a candidate that is what is live never fails."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.actions.added_loss import added_loss
from undertow.actions.gate import GateRules, judge_places, verdict_of
from undertow.records.gate import ComparedRows
from undertow.records.labelled_answers import LabelledAnswers
from undertow.services.gate import replay_evidence
from undertow.services.gate_choices import Side, compared

ANSWERS = st.lists(
    st.tuples(
        st.floats(0.01, 1.0),
        st.booleans(),
        st.sampled_from([1.0, 2.0, 7.5]),
        st.booleans(),
        st.sampled_from(["a", "b"]),
    ),
    max_size=60,
)
THRESHOLD = st.floats(0.0, 1.0)


def answers(drawn):
    return LabelledAnswers(
        {"mean_logprob": np.log(np.array([one[0] for one in drawn], dtype=float))},
        np.array([one[1] and one[3] for one in drawn], dtype=bool),
        np.array([one[2] for one in drawn], dtype=float),
        segments=tuple({"task": one[4]} for one in drawn),
        known=np.array([one[3] for one in drawn], dtype=bool),
    )


def side(threshold):
    return Side("cascade", ("cheap", "capable"), threshold=threshold)


def verdict(drawn, live, candidate):
    evidence = replay_evidence({"cheap": answers(drawn)}, side(live), side(candidate), None, "why")
    return verdict_of(judge_places(evidence.places, GateRules(min_share=0.0)))


@given(ANSWERS, THRESHOLD)
def test_what_is_live_never_fails(drawn, threshold):
    assert verdict(drawn, threshold, threshold) in {"pass", "hole"}


@given(ANSWERS, THRESHOLD, THRESHOLD)
def test_a_higher_threshold_never_fails(drawn, one, other):
    assert verdict(drawn, min(one, other), max(one, other)) in {"pass", "hole"}


@given(ANSWERS, THRESHOLD, THRESHOLD, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(drawn, live, candidate, random):
    shuffled = list(drawn)
    random.shuffle(shuffled)
    assert verdict(drawn, live, candidate) == verdict(shuffled, live, candidate)


@settings(max_examples=50)
@given(ANSWERS, st.integers(0, 2**32 - 1))
def test_the_interval_holds_the_estimate_and_grows_with_what_is_not_known(drawn, seed):
    given_answers, rng = answers(drawn), np.random.default_rng(seed)
    before, after = (rng.random((2, len(drawn))) < 0.5).astype(float)
    rows = compared(before, after, given_answers)
    found = added_loss(rows, 0.025, 0.05)
    assert -1.0 <= found.low <= found.high <= 1.0
    if found.loss is not None and rows.labelled.all():
        assert found.low - 1e-6 <= found.loss <= found.high + 1e-6
    hidden = ComparedRows(
        rows.least, rows.most, rows.least, rows.most, rows.cheap, rows.weight, np.zeros(len(rows), dtype=bool)
    )
    unknown = added_loss(hidden, 0.025, 0.05)
    assert unknown.low <= found.low + 1e-6
    assert unknown.high >= found.high - 1e-6
