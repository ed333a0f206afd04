"""What a store says beside its log: read once, and the same whether it is read again for each audit or not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from undertow.adapters.judges.book import JudgeBook
from undertow.bootstrap import store_notes as module
from undertow.bootstrap.store_notes import StoreNotes, store_notes, with_store_notes
from undertow.records.judged import AnchorResult
from undertow.sampling.audit import DrawCounts
from unit.dashboard.conftest import small_cells
from unit.reports.factory import EVERY

REPORT = EVERY["pareto_trap"]()
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


def results(change=20, days=40):
    """A judge that says what people said of anchors, and from a day on no more."""
    return [
        AnchorResult(
            anchor_id=f"a{(day * 20 + i) % 100}", at=f"{(BEGAN + timedelta(days=day)).date()}T00:00:00.000Z", judge="m", version="v", human="A",
            verdict="A" if day < change or i % 3 else "B",
        )
        for day in range(days) for i in range(20)
    ]  # fmt: skip


@pytest.fixture
def store(tmp_path):
    (tmp_path / "decisions").mkdir()
    (tmp_path / "state").mkdir()
    return tmp_path


def test_nothing_is_said_of_a_log_that_is_no_store(tmp_path):
    assert store_notes((str(tmp_path),)) == StoreNotes()
    assert with_store_notes(REPORT, StoreNotes(), small_cells()) is REPORT


def test_a_note_on_draws_comes_first(store, monkeypatch):
    off = DrawCounts("review", "cheap", 0.1, 0.1, 10_000, 3_000, 1_000.0)
    monkeypatch.setattr(module, "draw_counts", lambda _: (off,))
    notes = store_notes((str(store),))
    assert len(notes.draws) == 1
    told = with_store_notes(REPORT, notes, small_cells())
    assert told.coverage.notes == (*notes.draws, *REPORT.coverage.notes)


def test_what_a_judge_said_of_anchors_is_read_with_it(store):
    JudgeBook(store).add_results(results())
    assert [len(each) for each in store_notes((str(store),)).anchors] == [800]


def test_no_warning_of_a_judge_stands_before_it_could_be_given(store):
    JudgeBook(store).add_results(results())
    notes, bare, cells = store_notes((str(store),)), replace(REPORT, warnings=()), small_cells()
    (warning,) = with_store_notes(bare, notes, cells).warnings
    assert warning.monitor == "judge"
    assert with_store_notes(bare, notes, cells, warning.detected_at - timedelta(seconds=1)).warnings == ()
    assert with_store_notes(bare, notes, cells, warning.detected_at).warnings == (warning,)
