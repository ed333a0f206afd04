"""Judged pairs beside people's verdicts: each pair once, losses by their sign, fractions in proportion."""

from pathlib import Path

import numpy as np

from undertow.records.cells import AnchorCells
from unit.adapters.duckdb.logs import decision, read, signal, write_jsonl


def judged(number: int, **values: object) -> dict[str, object]:
    known = {
        "kind": "judge",
        "name": "quality",
        "source": "judge:m",
        "inclusion_probability": 0.5,
        "reference_value": 1.0,
        "value": 1.0,
    }
    return signal(
        number, **{"signal_id": f"j{number}", "stratum": "tail" if number % 2 else "common", **known, **values}
    )


def reviewed(number: int, **values: object) -> dict[str, object]:
    known = {"kind": "review", "name": "accuracy", "inclusion_probability": 0.25, "reference_value": 1.0, "value": 1.0}
    return signal(number, **{"signal_id": f"h{number}", **known, **values})


def cells(tmp_path: Path, signals: list[dict[str, object]]) -> AnchorCells:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(i, segment={"intent": "a"}) for i in range(8)])
    return read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", signals)),)).anchors


def whole(found: AnchorCells) -> AnchorCells:
    return found.take(found.segment == 0)


def test_pairs_are_counted_by_both_outcomes(tmp_path: Path) -> None:
    found = whole(
        cells(tmp_path, [judged(0), judged(1, value=0.0), judged(2, value=0.0), reviewed(1, value=0.0), reviewed(2)])
    )
    rows = {
        (int(h), int(j), int(s)): (n, w)
        for h, j, s, n, w in zip(
            found.human_outcome, found.judge_outcome, found.stratum, found.n, found.weight, strict=True
        )
    }
    # The long tail is stratum 0; 1 is a tie, 2 a loss, -1 stands for nobody.
    assert rows == {(-1, 1, 1): (1.0, 2.0), (2, 2, 0): (1.0, 2.0), (1, 2, 1): (1.0, 2.0)}


def test_a_loss_between_two_outcomes_counts_in_both(tmp_path: Path) -> None:
    found = whole(cells(tmp_path, [judged(0), reviewed(0, value=0.25, reference_value=0.5)]))
    assert dict(zip(found.human_outcome.tolist(), found.n.tolist(), strict=True)) == {1: 0.75, 2: 0.25}
    np.testing.assert_allclose(found.n.sum(), 1.0)


def test_without_an_anchor_there_is_nothing(tmp_path: Path) -> None:
    assert len(cells(tmp_path, [judged(0), reviewed(1, reference_value=None)])) == 0
    assert len(cells(tmp_path, [reviewed(1)])) == 0


def test_the_first_verdict_counts_and_the_later_one_makes_it_available(tmp_path: Path) -> None:
    again = judged(0, signal_id="j0b", value=0.0, event_time="2026-03-02T02:00:00Z")
    late = reviewed(0, event_time="2026-03-04T02:00:00Z")
    found = whole(cells(tmp_path, [judged(0), again, late]))
    assert found.n.tolist() == [1.0]
    assert found.judge_outcome.tolist() == [1]
    assert (found.available - found.decided).tolist() == [3]


def test_signals_of_unknown_selection_show_no_level(tmp_path: Path) -> None:
    assert len(cells(tmp_path, [judged(0, selection="unknown"), reviewed(0)])) == 0


def test_people_s_verdicts_count_by_the_probability_of_the_pair(tmp_path: Path) -> None:
    """All of billing's and half of fraud's pairs that the judge compared are reviewed: that is how often people look at a pair."""
    signals = [judged(0), judged(2, stratum="common")]
    signals += [reviewed(0, inclusion_probability=1.0, pair_probability=0.5), reviewed(2, inclusion_probability=0.25)]
    found = whole(cells(tmp_path, signals))
    np.testing.assert_allclose(found.human_weight.sum(), 2.0 + 4.0)
    np.testing.assert_allclose(found.ratio_max.max(), 2.0)
