"""Rows of outcomes become signals, replace them, take them back, or are set aside."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcome_factory import NOW, stamp
from undertow.joins.outcomes import Rules, amount, read, settle, signal_id
from undertow.records.outcome import OutcomeRow, Refused
from undertow.records.pseudonym import pseudonym

RULES = Rules("crm", "USD", NOW, str)


def row(number=1, *, currency=None, version=None, deleted=False, **columns):
    given = {
        "signal_id": "7",
        "event_time": stamp(1),
        "user_id": "u1",
        "kind": "outcome",
        "name": "ticket",
        "value": 1.0,
    }
    return OutcomeRow(number, str(number), given | columns, currency, version, deleted)


def known_after(*rows):
    known = None
    for each in rows:
        settled = settle(each, known, RULES)
        known = settled.outcome or known
    return known


def test_the_same_row_twice_is_the_same_signal():
    first = settle(row(), None, RULES)
    assert (first.what, first.outcome.record.signal_id) == ("accepted", "crm/7")
    assert first.outcome.record.received_at == "2026-05-01T12:00:00.000Z"
    assert first.outcome.record.source == "outcomes:crm"
    assert settle(row(number=9), first.outcome, RULES).what == "duplicate"


@pytest.mark.parametrize("change", [{"value": 2}, {"user_id": "u2"}, {"event_time": stamp(2)}, {"name": "refund"}])
def test_another_value_is_the_next_revision(change):
    known = known_after(row())
    again = settle(row(**change), known, RULES)
    assert again.what == "corrected"
    assert (again.outcome.record.signal_id, again.outcome.record.revision) == ("crm/7", 1)
    third = settle(row(), again.outcome, RULES)
    assert (third.what, third.outcome.record.revision) == ("corrected", 2)


def test_a_row_that_was_changed_earlier_than_what_is_known_does_not_replace_it():
    known = known_after(row(value=5, version="2026-03-05T00:00:00Z"))
    assert settle(row(value=1, version="2026-03-04T00:00:00Z"), known, RULES).what == "duplicate"
    assert settle(row(value=1, version="2026-03-06T00:00:00Z"), known, RULES).what == "corrected"


@pytest.mark.parametrize("how", [{"deleted": True}, {"value": 0}, {"value": "0.00"}])
def test_an_outcome_that_did_not_happen_after_all_is_taken_back(how):
    known = known_after(row())
    taken = settle(row(**how), known, RULES)
    assert (taken.what, taken.outcome.record.deleted, taken.outcome.record.revision) == ("deleted", True, 1)
    assert settle(row(**how), taken.outcome, RULES).what == "duplicate"
    back = settle(row(), taken.outcome, RULES)
    assert (back.what, back.outcome.record.deleted, back.outcome.record.revision) == ("corrected", None, 2)


def test_a_deletion_needs_no_more_than_the_id_of_something_known():
    bare = OutcomeRow(1, "1", {"signal_id": "7"}, is_deleted=True)
    assert settle(bare, known_after(row()), RULES).outcome.record.user_id == "u1"
    assert settle(bare, None, RULES) == Refused("deleted_unknown")
    whole = settle(row(deleted=True), None, RULES)
    assert (whole.what, whole.outcome.record.deleted) == ("deleted", True)


@pytest.mark.parametrize(
    ("given", "reason", "column"),
    [
        (row(user_id=None), "missing_id", None),
        (row(user_id="u" * 10_000), "id_too_long", "user_id"),
        (row(decision_id="d" * 513), "id_too_long", "decision_id"),
        (row(signal_id="s" * 10_000), "id_too_long", "id"),
        (row(user_id="M\ufffdller"), "bad_encoding", "user_id"),
        (row(user_id="\udce9"), "bad_encoding", "user_id"),
        (row(name="Anna Meyer"), "bad_name", "name"),
        (row(name=""), "bad_name", "name"),
        (row(name="t\ufffdcket"), "bad_encoding", "name"),
        (row(value=-1), "negative_value", "value"),
        (row(value="-12.50"), "negative_value", "value"),
        (row(value=float("nan")), "not_finite", "value"),
        (row(value="inf"), "not_finite", "value"),
        (row(value=10**400), "not_finite", "value"),
        (row(value=1e13), "huge_value", "value"),
        (row(value="a lot"), "not_a_number", "value"),
        (row(value="1,200"), "not_a_number", "value"),
        (row(value="€12"), "other_currency", "value"),
        (row(value="12 EUR"), "other_currency", "value"),
        (row(value="12 kr"), "not_a_number", "value"),
        (row(currency="EUR"), "other_currency", "currency"),
        (row(value=0), "no_event", "value"),
        (row(event_time="2026-05-01T12:06:00Z"), "future_event", "event_time"),
        (row(kind="rating", value=4), "out_of_range_value", "value"),
        (row(kind="review"), "not_an_outcome", "kind"),
        (OutcomeRow(1, "1", reason="bad_csv"), "bad_csv", None),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_set_aside_with_its_column(given, reason, column):
    assert settle(given, None, RULES) == Refused(reason, column)


def test_a_clock_that_runs_a_little_fast_is_no_future():
    assert settle(row(event_time=(NOW + timedelta(minutes=4)).isoformat()), None, RULES).what == "accepted"


def test_a_name_that_the_settings_give_may_be_any():
    rules = Rules("crm", "USD", NOW, str, outcome="Support ticket")
    assert settle(row(name="Support ticket"), None, rules).what == "accepted"


def test_ids_of_users_and_rows_are_pseudonyms_under_a_key_and_decisions_are_not():
    rules = Rules("crm", "USD", NOW, lambda text: pseudonym(text, b"k") or "")
    record = settle(row(conversation_id="c1", decision_id="d1"), None, rules).outcome.record
    assert record.user_id == pseudonym("u1", b"k")
    assert record.conversation_id == pseudonym("c1", b"k")
    assert record.decision_id == "d1"
    assert record.signal_id == f"crm/{pseudonym('7', b'k')}" == signal_id(row(), rules)


def test_a_rating_of_nothing_is_a_rating():
    record = read(row(kind="rating", name="csat", value=0.0), RULES)
    assert record.value == 0.0


@given(st.text(max_size=80))
def test_an_amount_is_a_finite_number_or_a_reason_that_quotes_nothing(text):
    found = amount(text, "USD")
    if isinstance(found, Refused):
        assert found.reason in {"not_a_number", "not_finite", "other_currency"}
        assert found.column == "value"
    else:
        assert abs(found) < float("inf")


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_an_amount_reads_alike_with_and_without_its_currency(number):
    plain = amount(str(number), "USD")
    assert plain == float(number) == amount(f"${number}", "USD") == amount(f"{number} USD", "USD")
    assert amount(f"{number:,.2f}", "USD") == plain
    assert amount(f"${number}", "EUR") == Refused("other_currency", "value")


@given(st.lists(st.sampled_from([0, 1, 2, 3, "deleted"]), max_size=12))
def test_revisions_count_on_and_the_last_row_holds(steps):
    known, written = None, []
    for step in steps:
        settled = settle(row(deleted=True) if step == "deleted" else row(value=step), known, RULES)
        if isinstance(settled, Refused):
            assert step == 0
            assert known is None
            continue
        if settled.outcome is not None:
            known = settled.outcome
            written.append(known.record.revision or 0)
    assert written == list(range(len(written)))
    real = [step for step in steps if not (step == 0 and known is None)]
    if known is not None and real:
        assert bool(known.record.deleted) == (steps[-1] in {0, "deleted"})
        if not known.record.deleted:
            assert known.record.value == steps[-1]
