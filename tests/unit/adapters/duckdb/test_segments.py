"""Which segment keys are counted."""

import time
from pathlib import Path

import pytest

from undertow.adapters.duckdb import segments as segments_module
from undertow.adapters.duckdb.segments import SegmentPlan, _groups, value_expressions
from undertow.ports.audit_source import CellOptions
from undertow.records.cells import AuditCells
from unit.adapters.duckdb.logs import decision, read, write_jsonl, write_parquet


def counted(cells: AuditCells) -> dict[str, int]:
    t = cells.traffic
    return {str(s): int(t.decisions[t.segment == code].sum()) for code, s in enumerate(cells.segments)}


def test_crowded_keys_are_left_out_and_said(tmp_path: Path) -> None:
    rows = [decision(i, segment={"intent": "ab"[i % 2], "session": f"x{i}"}) for i in range(100)]
    for log in (write_parquet(tmp_path / "d.parquet", rows), write_jsonl(tmp_path / "d.jsonl", rows)):
        cells = read(log)
        assert counted(cells) == {"whole tier": 100, "intent=a": 50, "intent=b": 50}
        assert any("`session`" in note for note in cells.coverage.notes)


def test_a_key_that_the_sample_missed_is_still_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.adapters.duckdb.source.SAMPLE_ROWS", 5)
    rows = [decision(i, segment={"a": "1"}) for i in range(50)]
    rows += [
        decision(50, segment={"a": "1", "rare": "x"}),
        decision(51, segment={"b": ""}),
        decision(52, segment={"c": None}),
    ]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    assert counted(cells) == {"whole tier": 53, "a=1": 51, "rare=x": 1}


def test_a_key_that_only_looked_small_in_the_sample_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undertow.adapters.duckdb.source.SAMPLE_ROWS", 5)
    rows = [decision(i, segment={"id": f"v{i}", "lang": "de"}) for i in range(80)]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    assert counted(cells) == {"whole tier": 80, "lang=de": 80}


def test_keys_can_be_chosen(tmp_path: Path) -> None:
    rows = [decision(i, segment={"a": "1", "b": "2"}) for i in range(3)]
    cells = read(write_parquet(tmp_path / "d.parquet", rows), options=CellOptions(segment_keys=("b", "none")))
    assert counted(cells) == {"whole tier": 3, "b=2": 3}


def test_many_keys_are_counted_in_separate_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [decision(i, segment={f"k{j}": str(i % (j + 2)) for j in range(5)}) for i in range(60)]
    log = write_parquet(tmp_path / "d.parquet", rows)
    together = counted(read(log))
    monkeypatch.setattr(segments_module, "MOST_JOINT_GROUPS", 4)
    assert counted(read(log)) == together
    assert together["k3=4"] == 12


def test_of_too_many_keys_those_that_most_decisions_bear_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module, "MOST_KEYS", 3)
    rows = [
        decision(i, segment={"id": f"v{i}", "lang": "de", f"k{i}": "1", "even" if i % 2 else "odd": "1"})
        for i in range(90)
    ]
    for log in (write_parquet(tmp_path / "d.parquet", rows), write_jsonl(tmp_path / "d.jsonl", rows)):
        cells = read(log)
        assert counted(cells) == {"whole tier": 90, "lang=de": 90, "even=1": 45}
        assert any(note.startswith("91 segment keys were left out") for note in cells.coverage.notes)
        chosen = read(log, options=CellOptions(segment_keys=("k7", "odd")))
        assert counted(chosen) == {"whole tier": 90, "k7=1": 1, "odd=1": 45}
        assert not chosen.coverage.notes


def test_as_many_keys_as_decisions_take_bounded_time(tmp_path: Path) -> None:
    rows = [decision(i, segment={f"k{i}": "1", "lang": "de"}) for i in range(3_000)]
    began = time.monotonic()
    cells = read(write_jsonl(tmp_path / "d.jsonl", rows))
    assert len(cells.segments) == 1 + segments_module.MOST_KEYS
    assert "lang" in {segment.key for segment in cells.segments}
    assert time.monotonic() - began < 60.0, "without a bound it takes many minutes"


def test_odd_names_pass_through(tmp_path: Path) -> None:
    names = {"in'tent": "<b>&\"';--", "😀": "x" * 10_000, "Case": "A", "case": "a", "new\nline": "tab\t"}
    cells = read(write_jsonl(tmp_path / "d.jsonl", [decision(1, segment=names)]))
    assert {segment.key: segment.value for segment in cells.segments[1:]} == names


def test_groups_stay_below_the_limit() -> None:
    assert _groups([10, 10, 10, 10]) == ((0, 1, 2), (3,))
    assert _groups([10_000, 2]) == ((0,), (1,))
    assert _groups([]) == ((),)


def test_the_short_way_needs_a_proof() -> None:
    plan = SegmentPlan(("a",), ((0,),))
    assert value_expressions(plan, ("a",)) == ("map_values(segment)[1]",)
    assert value_expressions(plan, None) == ("segment['a']",)
    assert value_expressions(plan, ("a", "b")) == ("segment['a']",)
