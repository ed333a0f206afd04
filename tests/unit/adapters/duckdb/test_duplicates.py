"""Repeated ids: the same row twice, two rows in conflict, and which one is kept."""

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs, duplicates
from undertow.ports.audit_source import CellOptions
from unit.adapters.duckdb.logs import START, at, decision, read, signal, write_jsonl, write_parquet


def test_the_same_row_twice_counts_once(tmp_path: Path) -> None:
    rows = [decision(1), decision(2), decision(1)]
    for log in (write_parquet(tmp_path / "a.parquet", rows), write_jsonl(tmp_path / "a.jsonl", rows)):
        cells = read(log)
        assert (cells.coverage.decisions, cells.coverage.duplicates, cells.coverage.reasons) == (2, 1, {})
        assert int(cells.traffic.decisions[cells.traffic.segment == 0].sum()) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_rows_in_conflict_the_first_in_time_is_kept_whatever_the_order(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    copies = [decision(1, 0, tier="cheap"), decision(1, 1, tier="capable"), decision(1, 2, tier="capable")]
    cells = read(write_parquet(tmp_path / "a.parquet", [copies[i] for i in order]))
    assert cells.tiers == ("cheap",)
    assert (cells.coverage.decisions, cells.coverage.duplicates) == (1, 2)
    assert cells.coverage.reasons == {"conflicting_duplicate": 2}


def test_a_copy_in_another_file_and_format_is_found(tmp_path: Path) -> None:
    write_parquet(tmp_path / "decisions" / "a.parquet", [decision(1), decision(2)])
    write_jsonl(tmp_path / "decisions" / "b.jsonl", [decision(2), decision(3)])
    coverage = read(tmp_path).coverage
    assert (coverage.decisions, coverage.duplicates, coverage.reasons) == (3, 1, {})


def test_rejected_copies_do_not_hide_the_good_row(tmp_path: Path) -> None:
    rows = [decision(1, event_time="never"), decision(1)]
    coverage = read(write_jsonl(tmp_path / "a.jsonl", rows)).coverage
    assert (coverage.decisions, coverage.duplicates, coverage.rejected) == (1, 0, 1)


def test_a_repeat_is_found_in_whichever_chunk_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "CHUNK_ROWS", 3)
    for repeated in range(20):
        coverage = read(
            write_jsonl(tmp_path / "a.jsonl", [*(decision(i) for i in range(20)), decision(repeated)])
        ).coverage
        assert (coverage.decisions, coverage.duplicates) == (20, 1)


def test_signals(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    rows = [
        signal(1, 2, value=0.0),
        signal(1, 1, value=1.0),
        signal(1, 1, value=1.0),
        signal(2) | {"decision_id": "d1"},
    ]
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", rows)),))
    assert (cells.coverage.signals, cells.coverage.duplicates) == (2, 2)
    assert cells.coverage.reasons == {"conflicting_duplicate": 1}
    assert float(cells.labels.failures[cells.labels.segment == 0].sum()) == 0.0


def test_a_signal_that_came_late_does_not_displace_one_that_was_there(tmp_path: Path) -> None:
    """What was known first stays, or a log cut off in between would have counted something else."""
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    late = signal(1, 1, value=0.0, received_at=at(100))
    there = signal(1, 2, value=1.0)
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", [late, there])),))
    assert float(cells.labels.failures.sum()) == 0.0


def outcome(number: int, hours: float, **values: object) -> dict[str, object]:
    return signal(number, hours, decision_id="d1", kind="outcome", name="refund", inclusion_probability=None, **values)


def test_the_latest_revision_of_an_outcome_holds_and_the_others_are_counted(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    rows = [
        outcome(1, 1, value=5.0, revision=2, received_at=at(9)),
        outcome(1, 1, value=9.0, revision=1, received_at=at(99)),
        outcome(1, 1, value=1.0),
        outcome(2, 1, value=7.0, revision=1),
        outcome(2, 1, value=7.0, revision=1),
    ]
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", rows)),))
    assert (float(cells.outcomes.events.sum()), float(cells.outcomes.value.sum())) == (2.0, 12.0)
    assert (cells.coverage.duplicates, cells.coverage.reasons) == (1, {"corrected_outcome": 2})


def test_an_outcome_that_was_taken_back_does_not_count(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    rows = [
        outcome(1, 1, value=5.0),
        outcome(1, 1, value=5.0, revision=1, deleted=True),
        outcome(2, 1, value=3.0, deleted=True),
        outcome(3, 1, value=2.0, deleted=True),
        outcome(3, 1, value=2.0, revision=1),
    ]
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", rows)),))
    assert float(cells.outcomes.value.sum()) == 2.0
    assert cells.coverage.reasons == {"corrected_outcome": 2, "deleted_outcome": 2}


def test_a_correction_counts_from_when_it_was_known(tmp_path: Path) -> None:
    """A log cut off in between still has what was known then."""
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    rows = [outcome(1, 1, value=5.0), outcome(1, 1, value=5.0, revision=1, deleted=True, received_at=at(50))]
    path = str(write_jsonl(tmp_path / "s.jsonl", rows))
    before = read(log, signals=(path,), options=CellOptions(until=START + timedelta(hours=40)))
    assert float(before.outcomes.events.sum()) == 1.0
    assert float(read(log, signals=(path,)).outcomes.events.sum()) == 0.0


def test_quality_signals_have_no_revisions(tmp_path: Path) -> None:
    """What a monitor saw must stay as it was: only outcomes are corrected."""
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    rows = [signal(1, 1, value=1.0), signal(1, 1, value=0.0, revision=1, received_at=at(9))]
    cells = read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", rows)),))
    assert float(cells.labels.failures.sum()) == 0.0
    assert cells.coverage.reasons == {"conflicting_duplicate": 1}


def test_an_export_holds_the_latest_revision_alone(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    rows = [
        outcome(1, 1, value=5.0),
        outcome(1, 1, value=4.0, revision=1),
        outcome(2, 1, value=5.0),
        outcome(2, 1, value=5.0, revision=1, deleted=True),
    ]
    inputs = LogInputs((str(log),), signals=(str(write_jsonl(tmp_path / "s.jsonl", rows)),))
    DuckDbAuditSource(inputs, threads=1).export_parquet(tmp_path / "d.parquet", tmp_path / "s.parquet")
    cells = read(tmp_path / "d.parquet", signals=(str(tmp_path / "s.parquet"),))
    assert (cells.coverage.signals, float(cells.outcomes.value.sum()), cells.coverage.reasons) == (1, 4.0, {})
