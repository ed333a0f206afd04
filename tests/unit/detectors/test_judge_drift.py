from datetime import date, timedelta

import msgspec
import numpy as np
import pytest

from undertow.detectors.judge_drift import DEFAULT_LINE, judge_drift
from undertow.records.judged import AnchorResult

START = date(2026, 1, 1)


def result(anchor, day, is_right, version="v1", **more):
    verdict = None if more.get("outcome", "ok") != "ok" else "A" if is_right else "B"
    at = f"{START + timedelta(days=int(day))}T12:00:00.000Z"
    return AnchorResult(
        anchor_id=str(anchor), at=at, judge="judge-1", version=version, human="A", verdict=verdict, **more
    )


def history(rng, days, per_day, right, changed=None, since=None):
    """First verdicts on day 0, then `per_day` anchors a day; `right` is the probability of each anchor, `changed` that from day `since` on."""
    rows = [result(n, 0, rng.random() < p) for n, p in enumerate(right)]
    for day in range(1, days):
        p = changed if since is not None and day >= since else right
        rows += [result(n, day, rng.random() < p[n]) for n in rng.choice(len(right), per_day, replace=False)]
    return rows


SHARP = np.r_[np.full(170, 0.97), np.full(30, 0.05)]


def test_without_results_nothing_is_known():
    drift = judge_drift(())
    assert (drift.judge, drift.anchors, drift.verdicts, drift.agreement, drift.detected_on) == (None, 0, 0, None, None)


def test_first_verdicts_alone_show_no_change():
    drift = judge_drift([result(n, 0, n % 4 > 0) for n in range(40)])
    assert (drift.anchors, drift.first_agreement, drift.verdicts, drift.has_changed) == (40, 0.75, 0, False)


def test_a_judge_that_is_the_same_is_left_alone():
    drift = judge_drift(history(np.random.default_rng(1), 90, 20, SHARP))
    assert not drift.has_changed
    assert len(drift.days) == len(drift.evidence) == 89
    assert drift.verdicts == 89 * 20
    assert drift.first_agreement == pytest.approx(0.83, abs=0.05)


def test_a_judge_that_gets_worse_is_found_with_its_day():
    worse = SHARP.copy()
    worse[:40] = 0.1
    drift = judge_drift(history(np.random.default_rng(2), 90, 20, SHARP, worse, since=40))
    assert drift.has_changed
    assert START + timedelta(days=40) <= date.fromisoformat(drift.detected_on) <= START + timedelta(days=65)
    assert drift.evidence[38] < DEFAULT_LINE


def test_a_judge_that_gets_better_has_changed_too():
    better = SHARP.copy()
    better[170:] = 0.95
    assert judge_drift(history(np.random.default_rng(3), 120, 20, SHARP, better, since=40)).has_changed


def test_a_judge_that_begins_to_refuse_has_changed():
    rng = np.random.default_rng(4)
    rows = history(rng, 40, 20, SHARP)
    for day in range(40, 80):
        for n in rng.choice(200, 20, replace=False):
            rows.append(result(n, day, True, outcome="refused") if rng.random() < 0.3 else result(n, day, rng.random() < SHARP[n]))  # fmt: skip
    assert judge_drift(rows).has_changed


def test_another_model_or_rubric_begins_anew():
    rows = [result(n, 0, True) for n in range(50)] + [result(n, 1 + n % 30, True) for n in range(300) for _ in range(1)]
    rows += [result(n, 60, False, "v2") for n in range(50)]
    drift = judge_drift(rows)
    assert (drift.version, drift.anchors, drift.first_agreement, drift.verdicts) == ("v2", 50, 0.0, 0)
    assert not drift.has_changed


def test_anchors_that_could_not_be_asked_count_for_nothing():
    rows = history(np.random.default_rng(5), 60, 20, SHARP)
    more = [result(n % 200, day, True, outcome="timeout") for day in range(60) for n in range(20)]
    assert np.array_equal(judge_drift(rows).evidence, judge_drift(rows + more).evidence)


@pytest.mark.statistical
def test_the_same_judge_passes_the_line_no_oftener_than_it_may():
    # P(M passes A within T days) <= T / A; checked at a line at which the bound is 30 %, for a judge that repeats itself and one that dices.
    rng = np.random.default_rng(20260615)
    days, runs = 60, 60
    line = days / 0.3
    for right in (SHARP, np.full(200, 0.8)):
        crossed = sum(judge_drift(history(rng, days, 20, right), line=line).has_changed for _ in range(runs))
        assert crossed <= 0.3 * runs + 3 * np.sqrt(runs * 0.3 * 0.7)


EASY, HARD = np.full(100, 0.97), np.full(100, 0.6)


def on_set(rng, name, right, start, days, left=None):
    """First verdicts on day `start`, then 20 a day of those anchors that are `left` (all, if not said)."""
    among = range(len(right)) if left is None else left
    rows = [result(n, start, rng.random() < right[n], anchors=name) for n in among]
    for day in range(start + 1, start + days):
        rows += [result(n, day, rng.random() < right[n], anchors=name) for n in rng.choice(among, 20, replace=False)]
    return rows


def changed_sets(rng, change):
    """40 days of one set, then 40 of another one, of a judge that stays the same."""
    both = np.r_[EASY, HARD]
    if change == "harder added":
        return on_set(rng, "a", EASY, 0, 40) + on_set(rng, "b", both, 40, 40)
    if change == "easier added":
        return on_set(rng, "a", both[::-1][:100], 0, 40) + on_set(rng, "b", both[::-1], 40, 40)
    return on_set(rng, "a", both, 0, 40) + on_set(rng, "b", both, 40, 40, range(100, 200))


def unmarked(rows):
    """The same results as if the set had stayed the same: first verdicts of known anchors are later ones then."""
    return [msgspec.structs.replace(row, anchors="a") for row in rows]


@pytest.mark.statistical
@pytest.mark.parametrize("change", ["harder added", "easier added", "easier taken out"])
def test_anchors_that_are_added_or_taken_out_are_no_change_of_the_judge(change):
    runs, line = 60, 80 / 0.3
    rng = np.random.default_rng([20261127, len(change)])
    logs = [changed_sets(rng, change) for _ in range(runs)]
    crossed = sum(judge_drift(rows, line=line).has_changed for rows in logs)
    assert crossed <= 0.3 * runs + 3 * np.sqrt(runs * 0.3 * 0.7)
    told = sum(judge_drift(unmarked(rows), line=line).has_changed for rows in logs)
    assert told > 0.5 * runs, "taken for one set it would pass the line: the mix of anchors has changed"


@pytest.mark.statistical
def test_anchors_that_come_one_day_after_the_other_are_no_change_either():
    runs, line = 60, 80 / 0.3
    rng, right = np.random.default_rng(20261128), np.r_[EASY, HARD]
    crossed = 0
    for _ in range(runs):
        rows = [
            result(n, day, rng.random() < right[n]) for day in range(80) for n in rng.choice(200, 20, replace=False)
        ]
        crossed += judge_drift(rows, line=line).has_changed
    assert crossed <= 0.3 * runs + 3 * np.sqrt(runs * 0.3 * 0.7)


def test_a_change_of_the_judge_is_found_on_the_new_anchors_and_one_shown_before_stays():
    rng, both = np.random.default_rng(6), np.r_[EASY, HARD]
    before = on_set(rng, "a", EASY, 0, 40)
    worse = before + on_set(rng, "b", both, 40, 30)
    worse += [result(n, day, rng.random() < 0.3, anchors="b") for day in range(70, 90) for n in rng.choice(200, 20)]
    found = judge_drift(worse)
    assert found.sets == 2
    assert found.since == str(START + timedelta(days=40))
    assert START + timedelta(days=70) <= date.fromisoformat(found.detected_on) <= START + timedelta(days=89)
    shown = before[:] + [result(n, day, False, anchors="a") for day in range(40, 50) for n in rng.choice(100, 20)]
    alone = judge_drift(shown)
    again = judge_drift(shown + on_set(rng, "b", np.full(200, 0.1), 49, 30))
    assert alone.has_changed
    assert again.detected_on == alone.detected_on, "an anchor more silences no warning"
    assert (again.sets, again.anchors, again.first_agreement) == (2, 100, alone.first_agreement)
    assert list(again.days) == [str(START + timedelta(days=day)) for day in range(1, 79)]


def test_a_set_that_begins_anew_needs_first_verdicts_again():
    rng = np.random.default_rng(7)
    found = judge_drift(on_set(rng, "a", EASY, 0, 40) + [result(n, 50, True, anchors="b") for n in range(100)])
    assert (found.sets, found.anchors, found.verdicts, found.agreement) == (2, 100, 0, None)


def test_the_line_is_the_judges_part_of_the_warnings():
    assert DEFAULT_LINE == 180 / (0.05 / 8)
