import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from undertow.suites.coverage import propose, word_vectors

ROOT_HALF = np.sqrt(0.5).astype(np.float32)


def test_like_texts_are_near_and_unlike_ones_are_not():
    v = word_vectors(
        ["Where is my order?", "where is my order", "my order, where is it", "cancel the flight to Rome", ""]
    )
    assert v[0] @ v[1] > 0.99
    assert v[0] @ v[2] > 0.5
    assert v[0] @ v[3] < 0.1
    assert np.allclose(np.linalg.norm(v[:4], axis=1), 1, atol=1e-5)
    assert not v[4].any()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_text_has_a_vector(texts):
    v = word_vectors(texts, texts)
    assert np.isfinite(v).all()
    assert (np.linalg.norm(v, axis=1) < 1.0001).all()


def test_what_most_traffic_is_like_is_proposed_and_not_what_is_farthest_away():
    crowd, lone, covered = np.eye(3, dtype=np.float32)
    near_crowd = np.array([0.9, 0.0, 0.0], dtype=np.float32) + np.array([0, 0, np.sqrt(1 - 0.81)], dtype=np.float32)
    live = np.stack([crowd, near_crowd, lone, covered])
    found = propose(live, np.array([3.0, 3.0, 1.0, 13.0], dtype=np.float32), covered[None], count=1, near=0.6)
    assert found.chosen[0] in {0, 1}
    assert (round(found.before, 2), round(found.after, 2)) == (0.65, 0.95)
    assert round(found.stands_for[0], 2) == 0.3


def test_what_is_covered_is_never_proposed_and_an_empty_suite_covers_nothing():
    live = np.eye(4, dtype=np.float32)
    traffic = np.ones(4, dtype=np.float32)
    assert propose(live, traffic, live, count=4, near=0.6).chosen == ()
    found = propose(live, traffic, live[:0], count=9, near=0.6)
    assert (found.before, found.after, sorted(found.chosen)) == (0.0, 1.0, [0, 1, 2, 3])


@given(st.integers(0, 1000), st.integers(1, 12))
def test_coverage_only_grows_and_no_text_is_chosen_twice(seed, count):
    rng = np.random.default_rng(seed)
    live = np.abs(rng.standard_normal((20, 6))).astype(np.float32)
    live /= np.linalg.norm(live, axis=1, keepdims=True)
    traffic = rng.random(20).astype(np.float32) + np.float32(0.1)
    few, more = (propose(live, traffic, live[:2], count=n, near=0.9) for n in (count, count + 1))
    assert few.before <= few.after <= more.after + 1e-6
    assert len(set(few.chosen)) == len(few.chosen) <= count
    assert more.chosen[: len(few.chosen)] == few.chosen
