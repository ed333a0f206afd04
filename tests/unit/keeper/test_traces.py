import pytest

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.telemetry.segment_tail import SegmentTail
from undertow.keeper.traces import ReceiverError, Traces
from undertow.records.decision import Call, DecisionRecord
from undertow.records.serving import StorePlan

TIME = "2026-03-01T12:00:00.000Z"


class Exporter:
    def __init__(self):
        self.spans, self.is_down, self.is_closed = [], False, False

    def export(self, spans):
        if self.is_down:
            return False
        self.spans += spans
        return True

    def close(self):
        self.is_closed = True

    @property
    def decisions(self):
        return [span.attributes["undertow.decision.id"] for span in self.spans if span.kind == "server"]


@pytest.fixture
def log(tmp_path):
    log = StoreDecisionLog(StorePlan(path=str(tmp_path)), "w0")
    yield log
    log.close()


def finish(log, name, **given):
    log.finish(DecisionRecord(decision_id=name, event_time=TIME, calls=(Call(tier="cheap"),), **given))


def test_every_decision_is_exported_once_while_the_log_is_written(tmp_path, log):
    exporter = Exporter()
    traces = Traces(SegmentTail(tmp_path), lambda: exporter, {"cheap": "openai"})
    finish(log, "d1")
    assert traces.run()["spans_exported"] == 2
    finish(log, "d2")
    traces.run()
    assert exporter.decisions == ["d1", "d2"]
    assert traces.run()["spans_exported"] == 0


def test_what_a_receiver_did_not_take_comes_again_and_a_restart_repeats_nothing(tmp_path, log):
    exporter = Exporter()
    tail = SegmentTail(tmp_path)
    traces = Traces(tail, lambda: exporter, {})
    finish(log, "d1")
    exporter.is_down = True
    with pytest.raises(ReceiverError):
        traces.run()
    exporter.is_down = False
    traces.run()
    tail.close()
    finish(log, "d2")
    Traces(SegmentTail(tmp_path), lambda: exporter, {}).run()
    assert exporter.decisions == ["d1", "d2"]


def test_nothing_is_connected_before_there_is_something_to_send(tmp_path):
    def connect():
        raise AssertionError

    assert Traces(SegmentTail(tmp_path), connect, {}).run()["spans_exported"] == 0


def test_a_line_that_is_no_record_is_counted_and_passed_over(tmp_path, log):
    exporter = Exporter()
    finish(log, "d1")
    log.finish(DecisionRecord(decision_id="odd", event_time="soon"))
    log.close()
    (segment,) = (tmp_path / "decisions" / "open").iterdir()
    segment.write_bytes(b"{garbage\n\xff\n" + segment.read_bytes())
    counted = Traces(SegmentTail(tmp_path), lambda: exporter, {}).run()
    assert counted["trace_lines_unreadable"] == 3
    assert exporter.decisions == ["d1"]


def test_what_was_given_up_is_told_once(tmp_path, log, caplog):
    finish(log, "d1")
    log.close()
    tail = SegmentTail(tmp_path, kept_bytes=1)
    assert tail.own()
    tail.hold()
    traces = Traces(tail, Exporter, {})
    assert traces.run()["trace_decisions_lost"] == 1
    assert traces.run()["trace_decisions_lost"] == 0
    assert caplog.messages == ["traces_lost"]


def test_only_one_keeper_exports(tmp_path, log):
    finish(log, "d1")
    tail = SegmentTail(tmp_path)
    assert tail.own()
    exporter = Exporter()
    assert Traces(SegmentTail(tmp_path), lambda: exporter, {}).run() == {}
    assert exporter.spans == []
    tail.close()


def test_stopping_closes_the_exporter_and_sends_no_more(tmp_path, log):
    exporter = Exporter()
    traces = Traces(SegmentTail(tmp_path), lambda: exporter, {})
    finish(log, "d1")
    traces.run()
    traces.stop()
    finish(log, "d2")
    traces.run()
    assert exporter.is_closed
    assert exporter.decisions == ["d1"]
