"""Which decision a signal belongs to."""

from datetime import timedelta
from pathlib import Path

import pytest

from undertow.adapters.duckdb.joins import basis_sql
from undertow.ports.audit_source import CellOptions
from undertow.records.cells import BASIS_CODES, AuditCells
from unit.adapters.duckdb.logs import START, at, decision, read, signal, write_jsonl

DAY0 = int(START.timestamp()) // 86_400


def joined(tmp_path: Path, decisions: list[dict[str, object]], *signals: dict[str, object]) -> AuditCells:
    log = write_jsonl(tmp_path / "d.jsonl", decisions)
    return read(log, signals=(str(write_jsonl(tmp_path / "s.jsonl", list(signals))),))


def test_an_unknown_decision_does_not_fall_through_to_its_conversation(tmp_path: Path) -> None:
    cells = joined(tmp_path, [decision(1)], signal(9, conversation_id="c1", user_id="u1"))
    assert (cells.coverage.joined, cells.coverage.unjoined, cells.coverage.rejected) == (0, 1, 0)


def test_a_conversation_means_its_last_decision_before_the_signal(tmp_path: Path) -> None:
    decisions = [
        decision(i, hours, conversation_id="c", tier=tier)
        for i, (hours, tier) in enumerate([(0, "cheap"), (24, "capable"), (48, "cheap")])
    ]
    cells = joined(tmp_path, decisions, signal(1, 30, decision_id=None, conversation_id="c"))
    whole = cells.labels.take(cells.labels.segment == 0)
    assert whole.tier.tolist() == [cells.tiers.index("capable")]
    assert (whole.decided.tolist(), whole.available.tolist()) == ([DAY0 + 1], [DAY0 + 1])


def test_conversation_before_user(tmp_path: Path) -> None:
    decisions = [decision(1, 0, tier="cheap"), decision(2, 1, tier="capable", user_id="u1")]
    cells = joined(tmp_path, decisions, signal(1, 2, decision_id=None, conversation_id="c1", user_id="u1"))
    assert cells.labels.tier.tolist() == [0, 0]


def test_decisions_that_are_no_traffic_take_no_signal_of_a_user(tmp_path: Path) -> None:
    decisions = [decision(1, 0, user_id="u"), decision(2, 1, user_id="u", origin="replay", tier="capable")]
    cells = joined(tmp_path, decisions, signal(1, 5, decision_id=None, user_id="u"))
    assert cells.labels.tier.tolist() == [0, 0]


def test_suite_signals_count_on_suite_decisions_and_others_do_not(tmp_path: Path) -> None:
    decisions = [decision(1), decision(2, origin="suite")]
    suite = signal(2, kind="suite", source="exact")
    review = signal(3) | {"decision_id": "d2"}
    cells = joined(tmp_path, decisions, suite, review)
    assert cells.coverage.joined == 2
    assert [cells.signals[code] for code in cells.labels.signal] == ["suite.accuracy", "suite.accuracy"]
    assert int(cells.exposure.decisions.sum()) == 1


def test_clock_skew_is_forgiven_up_to_five_minutes(tmp_path: Path) -> None:
    decisions = [decision(1, 1), decision(2, 1, conversation_id="c")]
    kept = signal(1, 1 - 4.9 / 60)
    kept_key = signal(2, 1 - 4.9 / 60, decision_id=None, conversation_id="c")
    early = signal(3, 1 - 5.1 / 60) | {"decision_id": "d1"}
    early_key = signal(4, 1 - 5.1 / 60, decision_id=None, conversation_id="c")
    cells = joined(tmp_path, decisions, kept, kept_key, early, early_key)
    assert (cells.coverage.joined, cells.coverage.unjoined) == (2, 0)
    assert cells.coverage.reasons == {"signal_before_decision": 2, "signal_clock_skew": 2}
    assert any("clocks of two machines differ" in note for note in cells.coverage.notes)
    # A signal is never available before its decision.
    assert cells.labels.available.tolist() == [DAY0] * len(cells.labels)


def test_an_observer_whose_clock_runs_ahead_is_told(tmp_path: Path) -> None:
    rows = [signal(1, 24, received_at=at(2)), signal(2, 3, received_at=at(2.95))]
    cells = joined(tmp_path, [decision(1, 1), decision(2, 1)], *rows)
    assert cells.coverage.joined == 2
    assert cells.coverage.reasons == {"received_before_event": 1}
    # It counts from when it was observed, not from when it is said to have arrived.
    assert sorted(set(cells.labels.available.tolist())) == [DAY0, DAY0 + 1]


def test_rows_from_the_future_are_counted_and_used(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1, 1), decision(2, 24 * 30)])
    signals = str(write_jsonl(tmp_path / "s.jsonl", [signal(1, 2), signal(2, 24 * 31)]))
    present = START + timedelta(hours=24 * 30 - 1)
    cells = read(log, signals=(signals,), options=CellOptions(now=present))
    assert cells.coverage.reasons == {"dated_in_future": 2}
    assert cells.coverage.decisions == 2
    assert any("clock of the machine that wrote them" in note for note in cells.coverage.notes)
    later = CellOptions(now=present + timedelta(days=3))
    assert read(log, signals=(signals,), options=later).coverage.reasons == {}


def test_a_late_arrival_is_available_when_it_arrived(tmp_path: Path) -> None:
    cells = joined(tmp_path, [decision(1)], signal(1, 3, received_at=at(24 * 9)))
    assert set(cells.labels.available.tolist()) == {DAY0 + 9}
    assert set(cells.labels.decided.tolist()) == {DAY0}
    assert cells.last_available == START.timestamp() + 9 * 86_400


@pytest.mark.parametrize(
    ("kind", "source", "basis"),
    [
        ("review", None, "human"),
        ("review", "LLM:gpt", "judge"),
        ("judge", "human:bo", "human"),
        ("judge", None, "judge"),
        ("shadow", "exact_match", "exact"),
        ("suite", None, "exact"),
        ("thumb", "app", "human"),
        ("implicit", None, "behaviour"),
        ("implicit", "Regex:v2", "exact"),
    ],
)
def test_basis(tmp_path: Path, kind: str, source: str | None, basis: str) -> None:
    cells = joined(tmp_path, [decision(1)], signal(1, kind=kind, source=source))
    assert {BASIS_CODES[code] for code in cells.labels.basis} == {basis}
    assert "source" in basis_sql()
