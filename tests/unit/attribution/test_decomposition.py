"""Parts of a loss: they add up, and mean what they are called."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution.decomposition import MIN_LABELS, OTHERS, SegmentRate, decompose, in_words

rates = st.floats(0.0, 1.0)
shares = st.floats(0.01, 10.0)
segments = st.lists(st.tuples(shares, shares, rates, rates), min_size=1, max_size=6)


def cells(rows, n=500, variance=1e-5):
    return [
        SegmentRate(str(i), (s0, s1), (r0, r1), (variance, variance), (n, n)) for i, (s0, s1, r0, r1) in enumerate(rows)
    ]


@given(segments)
def test_parts_add_up_to_the_change(rows):
    found = decompose(cells(rows), 0.95)
    s0, s1, r0, r1 = np.array(rows).T
    change = (s1 / s1.sum()) @ r1 - (s0 / s0.sum()) @ r0
    assert found.change == pytest.approx(change, abs=1e-9)
    assert found.mix.value + found.within.value == pytest.approx(change, abs=1e-9)
    assert sum(part.value for _, part in found.segments) == pytest.approx(found.within.value, abs=1e-9)
    for part in (found.mix, found.within, *(part for _, part in found.segments)):
        assert part.interval[0] <= part.value <= part.interval[1]


@given(segments)
def test_rates_that_stay_are_all_mix_and_shares_that_stay_are_all_within(rows):
    same_rates = decompose(cells([(s0, s1, r, r) for s0, s1, r, _ in rows]), 0.95)
    assert same_rates.within.value == pytest.approx(0.0, abs=1e-9)
    same_shares = decompose(cells([(s, s, r0, r1) for s, _, r0, r1 in rows]), 0.95)
    assert same_shares.mix.value == pytest.approx(0.0, abs=1e-9)


@given(segments)
def test_swapping_before_and_since_changes_the_sign_alone(rows):
    there, back = decompose(cells(rows), 0.95), decompose(cells([(b, a, d, c) for a, b, c, d in rows]), 0.95)
    assert there.mix.value == pytest.approx(-back.mix.value, abs=1e-9)
    assert there.within.value == pytest.approx(-back.within.value, abs=1e-9)


def test_a_segment_on_one_side_only_is_all_mix():
    found = decompose(
        [
            SegmentRate("old", (1.0, 0.5), (0.05, 0.05), (1e-6, 1e-6), (500, 500)),
            SegmentRate("new", (0.0, 0.5), (None, 0.25), (0.0, 1e-6), (0, 500)),
        ],
        0.95,
    )
    assert found.within.value == pytest.approx(0.0)
    assert found.mix.value == pytest.approx(0.1)


def test_segments_with_few_labels_are_taken_together():
    rows = cells([(0.5, 0.5, 0.1, 0.2), (0.2, 0.2, 0.1, 0.3), (0.3, 0.3, 0.1, 0.5)])
    few = [
        rows[0],
        *(SegmentRate(c.name, c.share, c.rate, c.variance, (MIN_LABELS - 1, MIN_LABELS - 1)) for c in rows[1:]),
    ]
    found = decompose(few, 0.95)
    assert {name for name, _ in found.segments} == {"0", OTHERS}
    assert found.change == pytest.approx(decompose(rows, 0.95).change)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [SegmentRate("a", (0.0, 1.0), (None, 0.1), (0.0, 1e-4), (0, 100))],
        [SegmentRate("a", (1.0, 1.0), (None, None), (0.0, 0.0), (0, 0))],
        [
            SegmentRate("a", (1.0, 0.0), (0.1, None), (1e-4, 0.0), (100, 0)),
            SegmentRate("b", (0.0, 1.0), (None, 0.1), (0.0, 1e-4), (0, 100)),
        ],
    ],
)
def test_nothing_to_compare_is_nothing(rows):
    assert decompose(rows, 0.95) is None


def test_intervals_cover_at_least_at_their_level():
    """Binomial labels in three segments: asymptotic sequences are wider than a fixed-sample interval, so they cover more."""
    rng = np.random.default_rng(1)
    s0, s1, r0, r1 = np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4], [0.05, 0.1, 0.2], [0.05, 0.15, 0.3]])
    mix, within = float((s1 - s0) @ (r0 + r1) / 2), float((r1 - r0) @ (s0 + s1) / 2)
    covered = []
    for _ in range(400):
        k = rng.binomial(300, [r0, r1]) / 300
        variance = np.maximum(k * (1 - k), 1 / 300) / 300
        found = decompose(
            [SegmentRate(str(g), (s0[g], s1[g]), tuple(k[:, g]), tuple(variance[:, g]), (300, 300)) for g in range(3)],
            0.95,
        )
        covered.append(
            found.mix.interval[0] <= mix <= found.mix.interval[1]
            and found.within.interval[0] <= within <= found.within.interval[1]
        )
    assert np.mean(covered) >= 0.95


def test_words_say_where_the_loss_lies():
    told = in_words(decompose([
        SegmentRate("billing", (0.3, 0.4), (0.1, 0.25), (1e-5, 1e-5), (500, 500)),
        SegmentRate("other", (0.7, 0.6), (0.02, 0.02), (1e-5, 1e-5), (500, 500)),
    ], 0.95))  # fmt: skip
    assert told == "77 % of the loss lies within billing, 23 % is traffic that moved to segments that fail more"


def test_words_are_spared_where_the_change_is_noise_or_none():
    assert in_words(decompose(cells([(1, 1, 0.1, 0.11)], variance=1e-3), 0.95)) == ""
    assert in_words(decompose(cells([(1, 1, 0.2, 0.1)]), 0.95)) == ""


def test_words_for_traffic_alone():
    told = in_words(decompose(cells([(0.9, 0.5, 0.05, 0.05), (0.1, 0.5, 0.4, 0.38)]), 0.95))
    assert told.startswith("all of the loss is traffic that moved")
