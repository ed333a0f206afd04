"""How outcomes meet decisions, told a source at a time."""

import random

import pytest

from outcome_factory import NOW, decision, stamp, write_decisions, write_signals
from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from undertow.adapters.outcomes.joined import outcome_joins, unjoined_outcomes
from undertow.adapters.store.compaction import compact
from undertow.errors import LogError
from undertow.ports.audit_source import CellOptions, OutcomeWindow
from undertow.records.signal import SignalRecord

WINDOWS = (OutcomeWindow("ticket", 2.0, 10.0),)


def outcome(identity, hours=1.0, *, source="outcomes:crm", **values):
    given = {"kind": "outcome", "name": "ticket", "value": 1.0, "received_at": stamp(hours + 1)}
    return SignalRecord(signal_id=identity, event_time=stamp(hours), source=source, **(given | values))


def joins(store, priced=frozenset({"ticket"})):
    return outcome_joins(store, WINDOWS, priced, NOW)


def test_each_key_joins_and_each_reason_counts(tmp_path):
    write_decisions(
        tmp_path,
        [decision(1, 0), decision(2, 0, eligible=False), decision(3, 0, origin="suite"), decision(4, 24 * 55)],
    )
    write_signals(
        tmp_path,
        outcome("a", decision_id="d1"),
        outcome("b", conversation_id="c1"),
        outcome("c", user_id="u1", hours=47),
        outcome("d", user_id="u2"),
        outcome("e", user_id="u4", hours=24 * 55 + 1),
        outcome("f", decision_id="d9", user_id="u1"),
        outcome("g", conversation_id="c9"),
        outcome("h", user_id="u9"),
        outcome("i", user_id="u1", hours=-1),
        outcome("j", user_id="u1", hours=49),
        outcome("k", decision_id="d3"),
        outcome("l", decision_id="d1", hours=24 * 30),
        outcome("m", user_id="u3"),
    )
    (found,) = joins(tmp_path)
    assert found.joined == {"decision": 2, "conversation": 1, "user": 3}
    assert found.unjoined == {
        "unknown_decision": 1, "unknown_conversation": 1, "unknown_user": 2, "signal_before_decision": 1,
        "outside_attribution_window": 1, "not_live": 1,
    }  # fmt: skip
    assert (found.outcomes, found.waiting, found.ineligible, found.is_priced) == (13, 4, 1, True)
    assert found.mature == 5, "the decision of day 55 is younger than ten days on day 61.5"
    assert found.last_event == stamp(24 * 55 + 1)


def test_revisions_and_deletions_count_once(tmp_path):
    write_decisions(tmp_path, [decision(1, 0)])
    write_signals(
        tmp_path,
        outcome("a", user_id="u9"),
        outcome("a", user_id="u1", revision=1),
        outcome("b", user_id="u1"),
        outcome("b", user_id="u1", revision=1, deleted=True),
    )
    (found,) = joins(tmp_path, frozenset())
    assert (found.outcomes, found.deleted, found.corrected) == (1, 1, 2)
    assert (sum(found.joined.values()), dict(found.unjoined), found.is_priced) == (1, {}, False)


def test_sources_and_names_are_told_apart(tmp_path):
    write_decisions(tmp_path, [decision(1, 0)])
    write_signals(
        tmp_path,
        outcome("a", user_id="u1"),
        outcome("b", user_id="u1", name="refund"),
        outcome("c", user_id="u1", source=None),
        SignalRecord(signal_id="t", event_time=stamp(1), user_id="u1", kind="rating", name="csat", value=1.0),
    )
    assert [(found.source, found.name, found.attribution_days) for found in joins(tmp_path)] == [
        ("", "ticket", 2.0), ("outcomes:crm", "refund", 14.0), ("outcomes:crm", "ticket", 2.0),
    ]  # fmt: skip


def test_an_outcome_that_waits_is_joined_once_its_decision_turns_up(tmp_path):
    write_decisions(tmp_path, [decision(1, 0)])
    write_signals(tmp_path, outcome("a", user_id="u2"))
    assert joins(tmp_path)[0].unjoined == {"unknown_user": 1}
    write_decisions(tmp_path, [decision(2, 0)])
    compact(tmp_path, grace_s=0.0)
    assert joins(tmp_path)[0].joined["user"] == 1


def test_the_list_is_the_latest_first_with_key_and_reason(tmp_path):
    write_decisions(tmp_path, [decision(1, 0)])
    write_signals(
        tmp_path, outcome("a", user_id="u9"), outcome("b", conversation_id="c9", hours=3), outcome("c", user_id="u1")
    )
    found = unjoined_outcomes(tmp_path, WINDOWS, 10)
    assert [(row.signal_id, row.key, row.id, row.reason) for row in found] == [
        ("b", "conversation", "c9", "unknown_conversation"), ("a", "user", "u9", "unknown_user"),
    ]  # fmt: skip
    assert len(unjoined_outcomes(tmp_path, WINDOWS, 1)) == 1


def test_a_store_without_signals_or_decisions(tmp_path):
    with pytest.raises(LogError):
        joins(tmp_path)
    write_decisions(tmp_path, [decision(1, 0)])
    assert joins(tmp_path) == ()
    assert unjoined_outcomes(tmp_path, WINDOWS, 5) == ()


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_the_audit_on_what_is_joined(tmp_path, seed):
    draw = random.Random(seed)
    write_decisions(
        tmp_path,
        [
            decision(n, draw.uniform(0, 200), user=f"u{draw.randrange(12)}", conversation_id=f"c{draw.randrange(20)}")
            for n in range(40)
        ],
    )
    signals = []
    for n in range(300):
        key = draw.choice(["decision_id", "conversation_id", "user_id"])
        many = {"decision_id": 60, "conversation_id": 30, "user_id": 18}[key]
        ids = {key: f"{key[0]}{draw.randrange(many)}"}
        revisions = draw.choice([(None,), (None, 1), (None, 1, 2)])
        for revision in revisions:
            deleted = draw.random() < 0.2 or None
            signals.append(outcome(f"s{n}", draw.uniform(-20, 320), revision=revision, deleted=deleted, **ids))
    write_signals(tmp_path, *signals)
    cells = DuckDbAuditSource(LogInputs((str(tmp_path),)), threads=1).cells(CellOptions(outcomes=WINDOWS))
    (found,) = joins(tmp_path)
    assert sum(found.joined.values()) == cells.coverage.joined == cells.outcomes.events.sum()
    assert found.unjoined["outside_attribution_window"] == cells.coverage.reasons["outside_attribution_window"]
    assert found.unjoined["signal_before_decision"] == cells.coverage.reasons["signal_before_decision"]
    assert found.corrected == cells.coverage.reasons["corrected_outcome"]
    assert found.deleted == cells.coverage.reasons["deleted_outcome"]
