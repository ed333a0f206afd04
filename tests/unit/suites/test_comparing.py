import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite_runs import result, run, run_of
from undertow.records.suite import ROUTED
from undertow.suites.comparing import (
    Cell,
    IndexedRun,
    cells_of,
    change_evidence,
    change_since,
    level_evidence,
    log_e_of,
    loss_against,
    pairs_of_targets,
    pairs_over_time,
    quality,
    spent,
    visible_loss,
    windows_of,
)

WHOLE = Cell("cheap", "", 1.0)


def indexed(*runs):
    return [IndexedRun(one) for one in runs]


def cheap(*scores):
    return run_of({"cheap": scores})


def test_only_scores_of_the_same_case_by_the_same_grader_are_paired():
    before = IndexedRun(
        run([result(1, "cheap", 1.0), result(2, "cheap", 1.0), result(3, "cheap", None), result(4, "cheap", 1.0)])
    )
    now = IndexedRun(
        run([
            result(1, "cheap", 0.0), result(2, "cheap", 0.0, grader="judge:b"), result(3, "cheap", 0.0),
            result(4, "cheap", 0.0, digest="edited"), result(5, "cheap", 0.0),
        ])
    )  # fmt: skip
    assert [pair.key for pair in pairs_over_time(before, now, "cheap", "")] == [("1", "d")]
    assert pairs_over_time(before, now, "capable", "") == []


def test_targets_of_one_run_are_paired_by_case_and_segment():
    both = IndexedRun(run_of({"cheap": [0.0, 1.0], "capable": [1.0, 1.0]}, segment=lambda case: {"intent": "ab"[case]}))
    assert [pair.loss for pair in pairs_of_targets(both, "capable", "cheap", "intent=a")] == [1.0]
    assert [pair.loss for pair in pairs_of_targets(both, "capable", "cheap", "")] == [1.0, 0.0]


def test_cells_are_targets_and_segments_that_are_large_enough_and_share_one_budget():
    one = IndexedRun(
        run_of({"cheap": [1.0] * 20, ROUTED: [1.0] * 20}, segment=lambda case: {"intent": "a" if case < 16 else "rare"})
    )
    cells = cells_of(one)
    assert [(cell.target, cell.segment) for cell in cells] == [
        (ROUTED, ""), ("cheap", ""), (ROUTED, "intent=a"), ("cheap", "intent=a"),
    ]  # fmt: skip
    assert sum(cell.share for cell in cells) == pytest.approx(1.0)


def test_a_segment_that_is_the_whole_suite_is_no_cell_of_its_own():
    one = IndexedRun(run_of({"cheap": [1.0] * 20}, segment=lambda _: {"app": "x"}))
    assert [cell.segment for cell in cells_of(one)] == [""]


def test_the_first_run_has_no_evidence_of_a_change():
    assert change_evidence(indexed(cheap(1.0)), WHOLE) is None


def test_a_fall_shows_and_a_rise_or_a_swap_does_not():
    good, bad = cheap(*[1.0] * 60), cheap(*[0.0] * 20, *[1.0] * 40)
    swapped = cheap(*[1.0] * 40, *[0.0] * 20)
    assert change_evidence(indexed(good, good, bad), WHOLE).log10 > 2
    assert change_evidence(indexed(bad, bad, good), WHOLE).log10 < 0
    assert change_evidence(indexed(bad, bad, swapped), WHOLE).log10 < 0, "as many won as lost"


def test_a_small_loss_adds_up_over_runs_and_is_gone_when_it_is_mended():
    good, slight = cheap(*[1.0] * 100), cheap(*[0.0] * 6, *[1.0] * 94)
    runs = [good] * 6
    found = []
    for _ in range(6):
        runs.append(slight)
        found.append(change_evidence(indexed(*runs), WHOLE).log10)
    assert found[0] < 1.3 < found[-1]
    assert change_evidence(indexed(*runs, good), WHOLE).log10 < 0


def test_a_fall_from_a_height_that_was_not_there_at_first_is_seen():
    low, high = cheap(*[0.0] * 30, *[1.0] * 70), cheap(*[1.0] * 100)
    assert change_evidence(indexed(low, low, high, high, low), WHOLE).log10 > 2


def test_a_level_is_seen_in_the_first_run_and_the_margin_counts():
    scores = {"cheap": [0.0] * 30 + [1.0] * 70, "capable": [1.0] * 100}
    one = indexed(run_of(scores))
    assert level_evidence(one, WHOLE, "capable", 0.02).log10 > 2
    assert level_evidence(one, WHOLE, "capable", 0.4).log10 < 0


def test_weights_of_cases_count():
    def weighted(score):
        return run([result(i, "cheap", score if i == 0 else 1.0, weight=100.0 if i == 0 else 1.0) for i in range(30)])

    heavy = indexed(weighted(1.0), weighted(0.0))
    assert quality(heavy[-1], WHOLE, 0.95).mean == pytest.approx(29 / 129)
    assert change_since(heavy, WHOLE, 0.95).mean == pytest.approx(-100 / 129)
    assert change_evidence(heavy, WHOLE).log10 < 0, "one case is one case, however heavy"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_estimates_lie_in_their_intervals(values):
    both = indexed(run_of({"cheap": [a for a, _ in values], "capable": [b for _, b in values]}))
    for found, low, high in (
        (quality(both[0], WHOLE, 0.95), 0.0, 1.0),
        (loss_against(both[0], WHOLE, "capable", 0.95), -1.0, 1.0),
    ):
        assert low - 1e-9 <= found.interval[0] <= found.mean + 1e-9
        assert found.mean - 1e-9 <= found.interval[1] <= high + 1e-9
    assert loss_against(both[0], WHOLE, "capable", 0.95).mean == pytest.approx(np.mean([b - a for a, b in values]))


def test_what_is_spent_on_all_runs_together_is_one():
    assert sum(spent(j) for j in range(1, 10_000)) == pytest.approx(1.0, abs=1e-3)
    assert spent(0) == 0.0


def test_what_would_be_visible_is_what_is_shown():
    n, line = 80, 1.6
    share = visible_loss(n, windows_of(2), spent(1), line)
    lost = round(share * n)
    for count, is_shown in ((lost, True), (lost - 1, False)):
        found = change_evidence(indexed(cheap(*[1.0] * n), cheap(*[0.0] * count, *[1.0] * (n - count))), WHOLE)
        assert (found.log10 >= line) is is_shown
    assert visible_loss(3, 1, 1.0, line) is None


def test_a_part_of_a_loss_has_evidence_of_its_own():
    pairs = pairs_over_time(*indexed(cheap(*[1.0] * 30), cheap(*[0.0] * 30)), "cheap", "")
    assert log_e_of(pairs, lambda pair: pair.loss) > 3
    assert log_e_of(pairs, lambda _: 0.0) == pytest.approx(0.0)
    assert log_e_of([], lambda pair: pair.loss) == 0.0
