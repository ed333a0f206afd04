"""What the data plane computes in plain Python is what was fitted in NumPy, to 1e-12; confidence never falls where the score rises."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from undertow.calibration.maps import apply_map
from undertow.calibration.scores import Score, score_values
from undertow.policies.scores import best_score, confidence_of, score_of
from undertow.records.calibration import ConfidenceMap, FeatureWeight

links = st.sampled_from(["log_probability", "probability", "logit"])
numbers = st.floats(-50, 50)
slopes = st.floats(0, 20)


@st.composite
def knots(draw):
    xs = sorted(draw(st.sets(st.floats(-5, 5).map(lambda x: round(x, 6)), min_size=1, max_size=12)))
    ys = sorted(draw(st.lists(st.floats(0, 1), min_size=len(xs), max_size=len(xs))))
    return ConfidenceMap(method=draw(st.sampled_from(["spline", "isotonic"])), xs=tuple(xs), ys=tuple(ys))


maps = st.one_of(
    st.builds(ConfidenceMap, method=st.just("platt"), intercept=numbers, slope=st.floats(1e-3, 20)),
    st.builds(ConfidenceMap, method=st.just("beta"), intercept=numbers, slope=slopes, slope_above=slopes),
    knots(),
)
scores = st.one_of(st.floats(-30, 0), st.floats(0, 1), st.floats(-1e6, 700), st.sampled_from([-0.0, -1e-12, 1.0]))
NAMES = ("mean_logprob", "min_margin", "p_true", "answer=b")
weights = st.builds(
    FeatureWeight,
    name=st.sampled_from(NAMES),
    link=st.one_of(st.none(), links),
    weight=st.floats(-5, 5),
    center=st.floats(-3, 3),
    scale=st.floats(0.01, 5),
    missing_weight=st.one_of(st.none(), st.floats(-3, 3)),
    within=st.sampled_from([None, "a", "b"]),
)
constants = st.builds(
    FeatureWeight, name=st.just("constant"), weight=st.floats(-5, 5), within=st.sampled_from([None, "a", "b"])
)
groups = st.sampled_from([None, "a", "c"])
parts = st.lists(
    st.one_of(weights, constants), min_size=1, max_size=6, unique_by=lambda feature: (feature.name, feature.within)
)
measured = st.dictionaries(st.sampled_from(NAMES), st.one_of(st.floats(-20, 0), st.floats(0, 1)))


@given(maps, links, scores)
def test_confidence_is_the_same_number(mapping, link, score):
    plain = confidence_of(mapping, link, score)
    assert 0.0 <= plain <= 1.0
    assert abs(plain - float(apply_map(mapping, link, [score])[0])) <= 1e-12


@given(parts, st.floats(-5, 5), measured, groups)
def test_the_score_is_the_same_number_and_missing_where_that_is(features, intercept, found, group):
    columns = {name: np.array([value]) for name, value in found.items()}
    named = {} if group is None else {group: np.array([True])}
    (there,) = score_values(Score(tuple(features), intercept), columns, 1, named)
    plain = score_of(features, intercept, found, group)
    if plain is None:
        assert math.isnan(there)
    else:
        assert abs(plain - there) <= 1e-12 * max(1.0, abs(plain))


@given(maps, links, scores, scores)
def test_confidence_never_falls_where_the_score_rises(mapping, link, one, other):
    low, high = sorted((one, other))
    assert confidence_of(mapping, link, low) <= confidence_of(mapping, link, high) + 1e-15


@given(parts, st.floats(-5, 5), measured, st.floats(0, 1), groups)
def test_no_outcome_of_a_further_call_passes_the_best_score(features, intercept, found, p_true, group):
    before = {name: value for name, value in found.items() if name != "p_true"}
    best = best_score(features, intercept, before, group)
    after = score_of(features, intercept, before | {"p_true": p_true}, group)
    assert (best is None) == (after is None)
    if best is not None:
        assert after <= best + 1e-9
        failed = score_of(features, intercept, before, group)
        assert failed is None or failed <= best + 1e-9
