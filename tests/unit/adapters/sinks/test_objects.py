"""Object storage: whole objects, nothing lost while it cannot be reached as long as it fits, the rest counted."""

import json
import threading

import fsspec
import pytest

from undertow.adapters.sinks.objects import ObjectSink, _flush_all
from undertow.errors import ConfigError
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.signal import SignalRecord

TIME = "2026-03-01T12:00:00.000Z"


class Storage:
    """A file system that can fail."""

    def __init__(self):
        self.objects, self.fails, self.calls = {}, False, 0
        self.changed = threading.Condition()

    def pipe_file(self, path, content):
        self.calls += 1
        if self.fails:
            raise RuntimeError("a message with credentials")
        with self.changed:
            self.objects[path] = content
            self.changed.notify_all()

    def rows(self):
        return [json.loads(line) for content in self.objects.values() for line in content.splitlines()]


@pytest.fixture
def storage():
    return Storage()


def sink_of(storage, **limits):
    return ObjectSink("s3://bucket/x", open_file_system=lambda *_: (storage, "bucket/x"), **limits)


def record(name="d", time=TIME):
    return DecisionRecord(decision_id=name, event_time=time)


def signal(name):
    return SignalRecord(signal_id=name, event_time=TIME, decision_id="d", kind="thumb", name="helpful", value=1.0)


def test_a_flush_writes_one_object_a_kind_and_day(storage):
    sink = sink_of(storage)
    sink.begin(Intent(decision_id="a", event_time=TIME))
    assert sink.unsettled == 1
    for name, day in (("a", "01"), ("b", "01"), ("c", "02")):
        sink.finish(record(name, f"2026-03-{day}T12:00:00.000Z"))
    assert (sink.unsettled, sink.waiting, storage.objects) == (0, 3, {})
    sink.flush()
    assert sink.waiting == 0
    assert sorted(path.rpartition("/")[0] for path in storage.objects) == [
        "bucket/x/decisions/date=2026-03-01",
        "bucket/x/decisions/date=2026-03-02",
    ]
    assert {row["decision_id"] for row in storage.rows()} == {"a", "b", "c"}
    sink.finish(record("d"))
    sink.flush()
    assert len(storage.objects) == 3, "an object is never written over"


def test_signals_are_written_at_once_each_once(storage):
    sink = sink_of(storage)
    assert sink.add((signal("a"), signal("a"))) == (True, False)
    assert sink.add((signal("a"),)) == (False,)
    assert [row["signal_id"] for row in storage.rows()] == ["a"]


def test_what_could_not_be_written_stays_and_is_written_later_under_the_same_name(storage):
    sink = sink_of(storage)
    sink.finish(record("a"))
    storage.fails = True
    with pytest.raises(OSError, match=r"did not take 1 lines \(RuntimeError\)"):
        sink.flush()
    with pytest.raises(OSError):
        sink.add((signal("s"),))
    assert (sink.waiting, sink.lost) == (2, 0)
    storage.fails = False
    sink.finish(record("b"))
    sink.flush()
    assert sink.waiting == 0
    assert len(storage.objects) == 2
    assert {row.get("signal_id") or row["decision_id"] for row in storage.rows()} == {"a", "b", "s"}


def test_one_kind_that_fails_does_not_hold_back_the_other(storage):
    sink = sink_of(storage)
    sink.finish(record("a", "2026-03-01T12:00:00.000Z"))
    sink.finish(record("b", "2026-03-02T12:00:00.000Z"))
    write = storage.pipe_file
    storage.pipe_file = lambda path, content: write(path, content) if "03-02" in path else 1 / 0
    with pytest.raises(OSError):
        sink.flush()
    assert [row["decision_id"] for row in storage.rows()] == ["b"]
    assert sink.waiting == 1


def test_memory_is_bounded_and_what_does_not_fit_is_counted(storage, caplog):
    storage.fails = True
    sink = sink_of(storage, most_bytes=2_000, flush_bytes=10**9)
    for n in range(100):
        sink.finish(record(f"d{n}"))
    assert sink.waiting + sink.lost == 100
    assert 0 < sink.lost < 100
    assert [r.message for r in caplog.records] == ["records_lost"]
    storage.fails = False
    sink.flush()
    assert storage.rows()[-1]["decision_id"] == "d99", "the oldest went"


def test_much_is_written_in_the_background_without_being_asked(storage):
    sink = sink_of(storage, flush_bytes=500)
    for n in range(20):
        sink.finish(record(f"d{n}"))
    with storage.changed:
        assert storage.changed.wait_for(lambda: storage.objects, 5)


def test_a_storage_that_fails_is_not_asked_with_every_record(storage):
    storage.fails = True
    sink = sink_of(storage, flush_bytes=2_000)
    for n in range(60):
        sink.finish(record(f"d{n}"))
        if sink._background is not None:
            sink._background.join(5)
    assert 1 <= storage.calls < 12
    assert sink.waiting == 60


def test_threads_lose_nothing_while_it_is_flushed(storage):
    sink = sink_of(storage, flush_bytes=1_000)
    threads = [
        threading.Thread(target=lambda t=t: [sink.finish(record(f"{t}-{n}")) for n in range(200)]) for t in range(4)
    ]
    for thread in threads:
        thread.start()
    for _ in range(20):
        sink.flush()
    for thread in threads:
        thread.join()
    sink.close()
    assert sorted(row["decision_id"] for row in storage.rows()) == sorted(
        f"{t}-{n}" for t in range(4) for n in range(200)
    )


def test_a_process_that_ends_flushes_what_was_forgotten(storage):
    sink = sink_of(storage)
    sink.finish(record("a"))
    _flush_all()
    assert [row["decision_id"] for row in storage.rows()] == ["a"]
    assert sink.waiting == 0


def test_fsspec_finds_the_file_system():
    sink = ObjectSink("memory://undertow-objects-test/a")
    sink.finish(record("m"))
    sink.close()
    files = fsspec.filesystem("memory")
    [path] = files.find("/undertow-objects-test")
    assert path.startswith("/undertow-objects-test/a/decisions/date=2026-03-01/")
    assert json.loads(files.cat_file(path))["decision_id"] == "m"


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "nosuch+://x"])
def test_a_kind_of_url_that_is_not_known_is_a_config_error(url):
    with pytest.raises(ConfigError, match="cannot be used"):
        ObjectSink(url)
