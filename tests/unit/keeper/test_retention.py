"""Texts go in time, and nothing else does."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from undertow.adapters.store.row_log import CALLS, PAIRS, SAMPLED, SEGMENT_S, VOTES, RowLog
from undertow.keeper.retention import Retention
from undertow.records.runtime_files import WATCH_REPORT
from undertow.records.watched import SampledText

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def text(number: int) -> SampledText:
    return SampledText(
        decision_id=f"d{number}",
        event_time="2026-03-01T12:00:00.000Z",
        tier="cheap",
        inclusion_probability=0.1,
        stratum="tail",
        prompt="p",
        answer="a",
    )


def write(root: Path, folder: str, days_ago: float) -> Path:
    """A sealed segment that was last written to so many days ago."""
    log = RowLog(root, folder, "w0")
    log.append(text(1))
    log.close()
    path = max((root / folder).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (at, at))
    return path


def run(root: Path, days: float) -> int:
    return Retention(root, days, lambda: NOW).run()["text_files_removed"]


@pytest.mark.parametrize("folder", [SAMPLED, PAIRS])
def test_no_row_is_older_than_was_said(tmp_path: Path, folder: str):
    """A segment's first row may be a day older than its last."""
    old, fresh = write(tmp_path, folder, 13.01), write(tmp_path, folder, 12.99)
    assert SEGMENT_S == 86_400
    assert run(tmp_path, 14.0) == 1
    assert not old.exists()
    assert fresh.exists()


def test_what_holds_no_text_stays(tmp_path: Path):
    kept = [write(tmp_path, folder, 1000.0) for folder in (CALLS, VOTES)]
    assert run(tmp_path, 14.0) == 0
    assert all(path.exists() for path in kept)


def test_a_segment_that_is_written_stays_until_it_is_closed(tmp_path: Path):
    log = RowLog(tmp_path, SAMPLED, "w0")
    log.append(text(1))
    (path,) = (tmp_path / SAMPLED).iterdir()
    os.utime(path, (0.0, 0.0))
    assert run(tmp_path, 0.0) == 0
    log.close()
    (path,) = (tmp_path / SAMPLED).iterdir()
    os.utime(path, (0.0, 0.0))
    assert run(tmp_path, 0.0) == 1


@pytest.mark.parametrize(
    ("days_ago", "text_days", "removed"), [(14.1, 14.0, 1), (13.9, 14.0, 0), (0.9, 0.0, 0), (1.1, 0.0, 1)]
)
def test_a_report_that_quotes_texts_goes_when_nobody_makes_it_anew(tmp_path: Path, days_ago, text_days, removed):
    report = tmp_path / WATCH_REPORT
    report.parent.mkdir()
    report.write_text("{}")
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(report, (at, at))
    assert run(tmp_path, text_days) == removed
    assert report.exists() == (not removed)


def test_a_store_without_texts_is_none_the_worse(tmp_path: Path):
    assert run(tmp_path / "none", 14.0) == 0
