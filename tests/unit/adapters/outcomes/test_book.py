"""The index of pulled outcomes."""

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from outcome_factory import write_signals
from undertow.adapters.outcomes.book import StoreOutcomes
from undertow.adapters.store.compaction import compact
from undertow.records.outcome import INDEX, KnownOutcome, SetAside, SourceState
from undertow.records.signal import SignalRecord


def outcome(name="crm/1", *, revision=None, value=1.0, source="outcomes:crm"):
    record = SignalRecord(
        signal_id=name, event_time="2026-03-01T10:00:00.000Z", user_id="u1", kind="outcome", name="ticket", value=value,
        received_at="2026-03-02T10:00:00.000Z", source=source, revision=revision,
    )  # fmt: skip
    return KnownOutcome(record=record, version="2026-03-01T11:00:00Z")


def aside(place, number, reason="naive_time"):
    return SetAside(place, str(number), number, reason, "event_time")


@pytest.fixture
def book(tmp_path):
    with StoreOutcomes(tmp_path, lambda: 1_000.0) as found:
        yield found


def test_what_is_noted_is_known(book):
    book.note([outcome(), outcome("crm/2")], [], "crm")
    book.note([outcome(revision=1, value=3.0)], [], "crm")
    found = book.known(["crm/1", "crm/3", *(f"x{n}" for n in range(2_000))])
    assert found == {"crm/1": outcome(revision=1, value=3.0)}


def test_the_states_of_sources_last(tmp_path):
    with StoreOutcomes(tmp_path) as book:
        assert book.state("crm") == SourceState()
        book.close_pull("crm", SourceState(pulls=2, cursor="2026-03-01T00:00:00.000Z"))
        book.finish("crm", "a.csv", "print")
    with StoreOutcomes(tmp_path) as again:
        assert again.states() == {"crm": SourceState(pulls=2, cursor="2026-03-01T00:00:00.000Z")}
        assert again.seen("crm", "a.csv") == "print"
        assert again.seen("other", "a.csv") is None


def test_rows_set_aside_stand_in_a_file_with_place_and_reason(book):
    book.note([], [aside("a.csv", 3), aside("a.csv", 4, "missing_id"), aside("b.csv", 1)], "crm")
    path = book.close_pull("crm", SourceState())
    lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {
        "source": "crm",
        "file": "a.csv",
        "row": 3,
        "reason": "naive_time",
        "column": "event_time",
        "at": 1000,
    }
    assert book.set_aside("crm") == {"missing_id": 1, "naive_time": 2}
    book.begin("crm", "a.csv")
    book.note([], [aside("a.csv", 4, "missing_id")], "crm")
    assert book.set_aside("crm") == {"missing_id": 1, "naive_time": 1}
    assert Path(book.close_pull("crm", SourceState())).read_text(encoding="utf-8").count("\n") == 2
    book.begin("crm", "a.csv")
    book.begin("crm", "b.csv")
    assert book.close_pull("crm", SourceState()) is None


def test_a_source_of_any_name_writes_below_the_store(tmp_path, book):
    book.note([], [aside("a.csv", 1)], "../../etc/x")
    path = book.close_pull("../../etc/x", SourceState())
    assert path.startswith(str(tmp_path / "state" / "outcomes" / "rejects"))
    assert "/etc/" not in path


def test_one_pulls_at_a_time(tmp_path, book):
    with book.locked() as first, StoreOutcomes(tmp_path).locked() as second:
        assert (first, second) == (True, False)


def test_a_lost_index_is_made_again_from_the_log(tmp_path):
    write_signals(
        tmp_path, outcome().record, outcome(revision=2, value=5.0).record, outcome("web", source="key:web").record
    )
    with StoreOutcomes(tmp_path) as book:
        assert book.known(["crm/1", "web"]) == {
            "crm/1": msgspec.structs.replace(outcome(revision=2, value=5.0), version=None)
        }


def test_a_lost_index_takes_the_latest_revision_wherever_it_stands(tmp_path):
    records = [outcome(revision=n or None, value=float(n)).record for n in range(12)]
    write_signals(tmp_path, *records[:9])
    assert compact(tmp_path, grace_s=0.0).segments == 1
    # The Parquet file, which holds the older ones, is read after the segments. As text, 9 would come after 11.
    write_signals(tmp_path, *records[9:])
    with StoreOutcomes(tmp_path) as book:
        assert book.known(["crm/1"])["crm/1"].record == records[11]


def test_a_damaged_index_is_put_aside_and_made_again(tmp_path):
    write_signals(tmp_path, outcome().record)
    path = tmp_path / INDEX
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all, whatever its name says" * 99)
    with StoreOutcomes(tmp_path, lambda: 7.0) as book:
        assert set(book.known(["crm/1"])) == {"crm/1"}
    assert path.with_name("index.sqlite.damaged-7").exists()


def test_an_index_that_is_busy_is_an_error_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr("undertow.adapters.outcomes.book.BUSY_S", 0.05)
    with StoreOutcomes(tmp_path) as book:
        book.state("crm")
        other = sqlite3.connect(tmp_path / INDEX, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match=r"index\.sqlite"):
            book.note([outcome()], [], "crm")
        other.close()
        book.note([outcome()], [], "crm")


def test_the_index_is_not_for_everybody(tmp_path, book):
    book.note([outcome()], [aside("a.csv", 1)], "crm")
    rejects = book.close_pull("crm", SourceState())
    assert (tmp_path / INDEX).stat().st_mode & 0o007 == 0
    assert (tmp_path / rejects).stat().st_mode & 0o007 == 0
