"""Rows beside the log: written whole, read in order, removed by age."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from undertow.adapters.store.row_log import CALLS, SEGMENT_S, RowLog, read_rows, remove_older
from undertow.records.watched import WatchingCall


def call(number: int) -> WatchingCall:
    return WatchingCall(decision_id=f"d{number}", at="2026-03-01T12:00:00.000Z", purpose="judge", tier="judge")


def test_rows_come_back_in_order_from_open_and_sealed_segments(tmp_path):
    first = RowLog(tmp_path, CALLS, "w0", clock=lambda: 1_000.0)
    first.append(call(1), call(2))
    first.close()
    second = RowLog(tmp_path, CALLS, "w0", clock=lambda: 2_000.0)
    second.append(call(3))
    assert [row.decision_id for row in read_rows(tmp_path, CALLS, WatchingCall).rows] == ["d1", "d2", "d3"]
    second.close()


def test_a_line_that_is_no_row_is_counted_and_one_without_an_end_is_not(tmp_path):
    log = RowLog(tmp_path, CALLS, "w0")
    log.append(call(1))
    path = next((tmp_path / CALLS).iterdir())
    with path.open("ab") as file:
        file.write(b"{broken\n" + b'{"decision_id": "half')
    found = read_rows(tmp_path, CALLS, WatchingCall)
    assert ([row.decision_id for row in found.rows], found.broken) == (["d1"], 1)
    log.close()


def test_old_segments_go_and_the_one_that_is_written_stays(tmp_path):
    old, new = RowLog(tmp_path, CALLS, "w0"), RowLog(tmp_path, CALLS, "w1")
    old.append(call(1))
    old.close()
    new.append(call(2))
    for path in (tmp_path / CALLS).iterdir():
        os.utime(path, (0, 0))
    now = datetime.now(UTC)
    assert [row.decision_id for row in read_rows(tmp_path, CALLS, WatchingCall, now - timedelta(days=1)).rows] == []
    assert remove_older(tmp_path, CALLS, now) == 1
    assert [row.decision_id for row in read_rows(tmp_path, CALLS, WatchingCall).rows] == ["d2"]
    new.close()


def test_a_store_without_the_folder_has_no_rows(tmp_path):
    assert read_rows(tmp_path, CALLS, WatchingCall).rows == []


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / CALLS).write_text("a file where the folder should be")
    log = RowLog(tmp_path, CALLS, "w0")
    with pytest.raises(OSError, match=r"."):
        log.append(call(1))
    log.close()


def test_a_log_to_which_nothing_is_added_closes_its_segment_after_a_day(tmp_path):
    now = [1_000.0]
    log = RowLog(tmp_path, CALLS, "w0", monotonic=lambda: now[0])
    log.append(call(1))
    log.tick()
    assert not list((tmp_path / CALLS).glob("*.jsonl"))
    now[0] += SEGMENT_S
    log.tick()
    assert len(list((tmp_path / CALLS).glob("*.jsonl"))) == 1
    log.close()
    assert [row.decision_id for row in read_rows(tmp_path, CALLS, WatchingCall).rows] == ["d1"]
