"""What was pulled, read back from the log, wherever a keeper has put it by now."""

import tracemalloc

from outcome_factory import write_signals
from undertow.adapters.outcomes.pulled_signals import pulled_signals
from undertow.adapters.store.compaction import compact
from undertow.adapters.store.layout import list_segments
from undertow.records.signal import SignalRecord


def signal(name, revision=None, value=1.0, source="outcomes:crm", deleted=None):
    return SignalRecord(
        signal_id=name, event_time="2026-03-01T10:00:00.250Z", user_id="u1", kind="outcome", name="ticket", value=value,
        received_at="2026-03-02T10:00:00.000Z", source=source, revision=revision, deleted=deleted,
    )  # fmt: skip


def test_each_revision_is_found_in_segments_and_in_parquet(tmp_path):
    write_signals(tmp_path, signal("a"), signal("b"), signal("c", source="key:web"))
    assert compact(tmp_path, grace_s=0.0).segments == 1
    write_signals(tmp_path, signal("b", 1, 2.0), signal("b", 2, 2.0, deleted=True), signal("d"))
    found = [outcome.record for outcome in pulled_signals(tmp_path)]
    assert sorted(found, key=lambda record: (record.signal_id, record.revision or 0)) == [
        signal("a"),
        signal("b"),
        signal("b", 1, 2.0),
        signal("b", 2, 2.0, deleted=True),
        signal("d"),
    ]


def test_as_many_as_there_are_need_no_memory(tmp_path):
    write_signals(tmp_path, *(signal(f"s{number}") for number in range(20_000)))
    tracemalloc.start()
    try:
        assert sum(1 for _ in pulled_signals(tmp_path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_store_without_signals_has_none(tmp_path):
    assert list(pulled_signals(tmp_path)) == []


def test_damage_is_passed_over(tmp_path):
    write_signals(tmp_path, signal("a"))
    (tmp_path / "signals" / "date=2026-03-01").mkdir()
    (tmp_path / "signals" / "date=2026-03-01" / "x.parquet").write_bytes(b"PAR1 nothing PAR1")
    (segment,) = (tmp_path / "signals" / "open").iterdir()
    with segment.open("a") as file:
        file.write('{"signal_id":"b","source":"outcomes:crm"\n')
    assert [outcome.record.signal_id for outcome in pulled_signals(tmp_path)] == ["a"]


def test_what_a_keeper_files_meanwhile_is_found_all_the_same(tmp_path, monkeypatch):
    write_signals(tmp_path, signal("a"))

    def listed(folder, ending):
        found = list_segments(folder, ending)
        compact(tmp_path, grace_s=0.0)
        return found

    monkeypatch.setattr("undertow.adapters.outcomes.pulled_signals.list_segments", listed)
    assert [outcome.record.signal_id for outcome in pulled_signals(tmp_path)] == ["a"]
