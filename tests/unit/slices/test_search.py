"""The search: planted slices and conjunctions are found, with the right figures; nothing else is."""

from dataclasses import replace

import numpy as np
import pytest

from undertow.slices.search import Feature, SearchOptions, SliceLabels, e_bh, find_slices

N = 8000


def draw(rng, fails, n=N, after_share=0.5):
    """Labels with three segment keys; `fails(intent, channel, plan, after)` gives the failure rate of each."""
    intent, channel, plan = (rng.integers(0, k, n) for k in (8, 3, 4))
    after = rng.random(n) < after_share
    failed = (rng.random(n) < fails(intent, channel, plan, after)).astype(float)
    features = [
        *(Feature("intent", f"intent={i}", intent == i) for i in range(8)),
        *(Feature("channel", f"channel={i}", channel == i) for i in range(3)),
        *(Feature("plan", f"plan={i}", plan == i) for i in range(4)),
    ]
    return SliceLabels.drawn_alike(failed, np.ones(n), after, rng.random(n) < 0.5), features


def names(found, features):
    return [" and ".join(features[part].name for part in each.parts) for each in found]


def test_a_loss_in_one_segment():
    labels, features = draw(np.random.default_rng(1), lambda i, _c, _p, a: np.where((i == 3) & a, 0.4, 0.06))
    found = find_slices(labels, features)
    assert names(found, features) == ["intent=3"]
    one = found[0]
    assert one.contrast == "before"
    assert one.share == pytest.approx(1 / 8, abs=0.02)
    assert one.inside.interval[0] < 0.4 < one.inside.interval[1]
    assert one.outside.interval[0] < 0.06 < one.outside.interval[1]
    assert one.inside_before.mean == pytest.approx(0.06, abs=0.03)
    assert one.part_of_failures > 2.5 * one.part_before


def test_a_loss_in_a_conjunction_of_two():
    labels, features = draw(np.random.default_rng(2), lambda i, c, _p, a: np.where((i == 3) & (c == 1) & a, 0.6, 0.06))
    assert names(find_slices(labels, features), features) == ["intent=3 and channel=1"]


def test_a_loss_in_a_conjunction_of_three():
    labels, features = draw(
        np.random.default_rng(3),
        lambda i, c, p, a: np.where((i == 3) & (c == 1) & (p == 2) & a, 0.8, 0.05),
        n=20_000,
    )
    assert names(find_slices(labels, features), features) == ["intent=3 and channel=1 and plan=2"]


def test_more_of_a_kind_that_always_failed():
    rng = np.random.default_rng(4)
    n = N
    after = rng.random(n) < 0.5
    hidden = rng.random(n) < np.where(after, 0.08, 0.02)
    failed = (rng.random(n) < np.where(hidden, 0.5, 0.05)).astype(float)
    other = rng.random(n) < 0.1
    labels = SliceLabels.drawn_alike(failed, np.ones(n), after, rng.random(n) < 0.5)
    features = [Feature("topic", "hidden", hidden), Feature("word", "other", other)]
    found = find_slices(labels, features)
    assert names(found, features) == ["hidden"]
    assert found[0].share == pytest.approx(0.08, abs=0.015)
    assert found[0].share_before == pytest.approx(0.02, abs=0.01)


def test_a_tier_that_got_worse_everywhere_has_no_slice():
    labels, features = draw(np.random.default_rng(5), lambda _i, _c, _p, a: np.where(a, 0.2, 0.05))
    assert find_slices(labels, features) == ()


def test_a_tier_that_was_bad_from_its_first_day_is_compared_with_its_rest():
    labels, features = draw(
        np.random.default_rng(6), lambda i, _c, _p, _a: np.where(i == 5, 0.4, 0.06), after_share=1.0
    )
    found = find_slices(labels, features)
    assert names(found, features) == ["intent=5"]
    assert found[0].contrast == "rest"
    assert found[0].share_before is None
    assert found[0].inside_before.mean is None


def test_heavier_drawing_of_the_long_tail_is_no_slice_and_moves_no_share():
    """From the onset on the tail, which fails more often, is drawn four times as often; its requests are more often of intent 1."""
    rng = np.random.default_rng(7)
    n, blocks = 12_000, []
    for after in (False, True):
        tail = rng.random(n) < (0.5 if after else 0.2)
        weight = np.where(tail, 0.2 / (0.5 if after else 0.2), 0.8 / (0.5 if after else 0.8))
        blocks.append((np.full(n, after), tail, weight))
    after, tail, weight = (np.concatenate(x) for x in zip(*blocks, strict=True))
    intent = rng.random(2 * n) < np.where(tail, 0.5, 0.1)
    failed = (rng.random(2 * n) < np.where(tail, 0.2, 0.04)).astype(float)
    alike = SliceLabels.drawn_alike(failed, weight, after, rng.random(2 * n) < 0.5)
    labels = replace(alike, block=tail.astype(int), top=weight)
    features = [Feature("intent", "intent=1", intent)]
    assert find_slices(labels, features) == ()
    # The same labels taken as if they had all been drawn alike would name it.
    assert names(find_slices(replace(alike, weight=np.ones(2 * n), top=np.ones(2 * n)), features), features) == [
        "intent=1"
    ]


def test_order_of_labels_does_not_matter():
    labels, features = draw(np.random.default_rng(8), lambda i, _c, _p, a: np.where((i == 3) & a, 0.4, 0.06))
    order = np.random.default_rng(9).permutation(N)
    turned = SliceLabels(
        *(getattr(labels, name)[order] for name in ("failure", "weight", "is_after", "is_discovery", "block", "top"))
    )
    moved = [replace(feature, members=feature.members[order]) for feature in features]
    one, other = find_slices(labels, features), find_slices(turned, moved)
    assert [each.parts for each in one] == [each.parts for each in other]
    assert one[0].log10_evidence == pytest.approx(other[0].log10_evidence)


def test_slices_that_share_their_failures_are_told_once():
    labels, features = draw(np.random.default_rng(10), lambda i, _c, _p, a: np.where((i == 3) & a, 0.4, 0.06))
    twin = Feature("word", "the same by another name", features[3].members)
    assert len(find_slices(labels, [*features, twin])) == 1


@pytest.mark.parametrize("n", [0, 1, 30])
def test_few_labels_give_no_slice(n):
    labels, features = draw(np.random.default_rng(11), lambda i, _c, _p, _a: np.where(i == 3, 0.9, 0.05), n=n)
    assert find_slices(labels, features) == ()
    assert find_slices(labels, []) == ()


def test_depth_one_names_no_conjunction():
    labels, features = draw(np.random.default_rng(2), lambda i, c, _p, a: np.where((i == 3) & (c == 1) & a, 0.6, 0.06))
    found = find_slices(labels, features, SearchOptions(depth=1))
    assert found
    assert all(len(each.parts) == 1 for each in found)


def test_e_bh_rejects_what_its_rank_allows():
    assert e_bh(np.log([30.0, 30.0]), 0.05).tolist() == [True, True]  # 2 / (2 * .05) = 20
    assert e_bh(np.log([30.0, 1.0]), 0.05).tolist() == [False, False]  # 2 / (1 * .05) = 40
    assert e_bh(np.zeros(0), 0.05).tolist() == []
