import logging
from datetime import UTC, datetime, timedelta

import msgspec

from undertow.adapters.store.log import StoreDecisionLog
from undertow.keeper.storing import Storing
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.runtime_files import LENGTH_RATIOS, LengthRatios
from undertow.records.serving import StorePlan

TIME = "2026-03-01T12:00:00.000Z"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def write(path, count=3, *, dies=False):
    log = StoreDecisionLog(StorePlan(path=str(path)), "w0")
    for i in range(count):
        log.finish(DecisionRecord(decision_id=f"d{i}", event_time=TIME, tier="cheap"))
    if dies:
        log.begin(Intent(decision_id="orphan", event_time=TIME))
    log.close()


def test_a_dead_writers_decision_gets_its_record_and_a_warning(tmp_path, caplog):
    write(tmp_path, dies=True)
    storing = Storing(tmp_path, ())
    with caplog.at_level(logging.INFO):
        assert storing.recovery() == {"orphans": 1, "torn_lines": 0}
        assert storing.recovery() == {"orphans": 0, "torn_lines": 0}
    assert caplog.messages == ["dead_writer_recovered"]
    assert storing.compaction()["rows_converted"] == 4


def test_sealed_segments_are_converted_after_others_had_their_turn(tmp_path):
    write(tmp_path)
    seen = []
    storing = Storing(tmp_path, (), lambda: seen.append(len(list(tmp_path.glob("decisions/date=*")))))
    assert storing.compaction()["rows_converted"] == 3
    assert seen == [0]
    assert storing.compaction()["segments_converted"] == 0


def test_lines_that_cannot_be_converted_are_counted_and_told(tmp_path, caplog):
    write(tmp_path)
    (segment,) = (tmp_path / "decisions" / "open").iterdir()
    segment.write_bytes(segment.read_bytes() + b"garbage\n")
    counted = Storing(tmp_path, ()).compaction()
    assert (counted["rows_converted"], counted["lines_rejected"]) == (3, 1)
    assert "lines_not_converted" in caplog.messages


def test_length_ratios_are_written_where_there_are_tiers(tmp_path):
    assert Storing(tmp_path, ()).measure_now() is None
    assert Storing(tmp_path, ("cheap", "capable"), now=lambda: NOW).length_ratios() == {"length_ratios_measured": 1}
    written = msgspec.json.decode((tmp_path / LENGTH_RATIOS).read_bytes(), type=LengthRatios)
    assert written == LengthRatios(at="2026-03-02T00:00:00.000Z", tiers={})


def test_length_ratios_are_measured_often_at_first_and_seldom_later(tmp_path):
    now = NOW
    storing = Storing(tmp_path, ("cheap", "capable"), now=lambda: now)
    measured = []
    for second in range(0, 6_000, 15):
        now = NOW + timedelta(seconds=second)
        if storing.length_ratios():
            measured.append(second)
    assert measured[:4] == [0, 60, 180, 420]
    assert measured[-1] - measured[-2] == 900
