"""A sink from what a user writes."""

import json
import sys
import time

import pytest

from client_plan import Recorder
from undertow.adapters.sinks.lines import LineSink
from undertow.adapters.sinks.objects import ObjectSink
from undertow.client.sink import open_sink
from undertow.errors import ConfigError
from undertow.records.decision import DecisionRecord
from undertow.records.serving import StorePlan
from undertow.records.signal import SignalRecord

RECORD = DecisionRecord(decision_id="d1", event_time="2026-03-01T12:00:00.000Z", tier="cheap")
SIGNAL = SignalRecord(
    signal_id="s1", event_time="2026-03-01T12:00:00.000Z", decision_id="d1", kind="thumb", name="helpful", value=1.0
)


def rows(folder):
    return [json.loads(line) for path in folder.rglob("*.jsonl*") for line in path.read_text().splitlines()]


def test_nothing_given_is_the_store_of_the_settings(tmp_path):
    sink = open_sink(None, StorePlan(path=str(tmp_path / "store")), "client")
    sink.decisions.finish(RECORD)
    assert [row["decision_id"] for row in rows(tmp_path / "store" / "decisions")] == ["d1"]
    sink.close()


def test_a_folder_holds_both_and_a_flush_makes_them_durable(tmp_path):
    sink = open_sink(tmp_path, StorePlan(), "client")
    sink.decisions.finish(RECORD)
    sink.signals.add((SIGNAL,))
    assert sink.decisions.is_dirty
    sink.flush()
    assert not sink.decisions.is_dirty
    assert not sink.signals.is_dirty
    assert len(rows(tmp_path)) == 2
    sink.close()
    assert not list(tmp_path.rglob("*.open"))


def test_a_folder_that_cannot_be_written_is_told_at_the_flush_and_tried_again(tmp_path):
    (tmp_path / "store").write_text("in the way")
    sink = open_sink(tmp_path / "store", StorePlan(), "client")
    sink.decisions.finish(RECORD)
    with pytest.raises(OSError, match="1 records could not be written"):
        sink.flush()
    (tmp_path / "store").unlink()
    time.sleep(0.06)  # a store that cannot be written is not asked with every record
    sink.tick()
    sink.flush()
    assert [row["decision_id"] for row in rows(tmp_path / "store" / "decisions")] == ["d1"]
    sink.close()


def test_a_dash_is_standard_output(tmp_path, capsysbinary):
    sink = open_sink("-", StorePlan(), "client")
    sink.decisions.finish(RECORD)
    assert json.loads(capsysbinary.readouterr().out)["undertow"] == "decision"
    assert isinstance(sink.decisions, LineSink)


def test_a_url_is_object_storage():
    sink = open_sink("memory://undertow-sink-test", StorePlan(), "client")
    assert isinstance(sink.decisions, ObjectSink)
    sink.close()


def test_a_sink_of_ones_own_is_taken_as_it_is():
    own = Recorder().sink
    assert open_sink(own, StorePlan(), "client") is own


@pytest.mark.parametrize("given", ["-", "folder"])
def test_options_are_for_object_storage_alone(given):
    with pytest.raises(ConfigError, match="object storage"):
        open_sink(given, StorePlan(), "client", {"key": "k"})


def test_a_folder_is_refused_in_plain_words_where_files_cannot_be_locked(tmp_path, monkeypatch):
    for name in ("log", "append_file"):
        monkeypatch.delitem(sys.modules, f"undertow.adapters.store.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(ConfigError, match="sink='-'"):
        open_sink(tmp_path, StorePlan(), "client")
    open_sink("-", StorePlan(), "client").close()
