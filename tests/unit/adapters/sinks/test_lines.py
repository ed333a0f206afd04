"""Lines to a stream: whole, marked, and counted where they cannot be written."""

import io
import json
import sys
import threading

import pytest

from undertow.adapters.sinks.lines import LineSink, RecentIds, write_to_standard_output
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord

TIME = "2026-03-01T12:00:00.000Z"


def signal(name):
    return SignalRecord(signal_id=name, event_time=TIME, decision_id="d", kind="thumb", name="helpful", value=1.0)


def test_records_and_signals_are_told_apart():
    lines = []
    sink = LineSink(lines.append)
    sink.begin(Intent(decision_id="d", event_time=TIME))
    assert sink.unsettled == 1
    sink.finish(DecisionRecord(decision_id="d", event_time=TIME, tier="cheap"))
    sink.add((signal("s"),))
    assert sink.unsettled == sink.waiting == sink.lost == 0
    assert [json.loads(line)["undertow"] for line in lines] == ["decision", "signal"]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)


def test_a_signal_is_written_once():
    lines = []
    sink = LineSink(lines.append)
    assert sink.add((signal("a"), signal("a"), signal("b"))) == (True, False, True)
    assert sink.add((signal("a"),)) == (False,)
    assert len(lines) == 2


def test_what_cannot_be_written_is_counted_and_a_signal_may_be_sent_again(caplog):
    broken = True
    lines = []

    def write(line):
        if broken:
            raise BrokenPipeError
        lines.append(line)

    sink = LineSink(write)
    for n in range(2):
        sink.finish(DecisionRecord(decision_id=f"d{n}", event_time=TIME))
    assert sink.lost == 2
    assert [record.message for record in caplog.records] == ["records_lost"]
    with pytest.raises(OSError):
        sink.add((signal("s"),))
    broken = False
    assert sink.add((signal("s"),)) == (True,)
    assert len(lines) == 1


def test_lines_of_many_threads_do_not_mix():
    out = io.BytesIO()

    def write(line):
        for at in range(0, len(line), 7):
            out.write(line[at : at + 7])

    sink = LineSink(write)
    records = [DecisionRecord(decision_id=f"d{n}", event_time=TIME) for n in range(50)]
    threads = [threading.Thread(target=lambda: [sink.finish(record) for record in records]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in out.getvalue().splitlines()]) == 200


def test_standard_output_may_be_a_notebooks(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    write_to_standard_output(b"line\n")
    assert out.getvalue() == "line\n"


@pytest.mark.parametrize("how", ["closed", "none"])
def test_standard_output_that_is_gone_is_an_os_error(monkeypatch, how):
    out = io.TextIOWrapper(io.BytesIO())
    out.close()
    monkeypatch.setattr(sys, "stdout", out if how == "closed" else None)
    with pytest.raises(OSError, match="standard output"):
        write_to_standard_output(b"line\n")


def test_only_so_many_ids_are_remembered():
    ids = RecentIds(2)
    for name in "abc":
        ids.add(name)
    assert ["a" in ids, "b" in ids, "c" in ids] == [False, True, True]
