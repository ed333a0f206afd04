"""Foreign records become rows of outcomes."""

import pytest

from outcome_factory import files_plan
from undertow.adapters.importers.files import Undecodable
from undertow.adapters.outcomes.rows import BATCH, RowReader, row_hash
from undertow.errors import LogError

TICKET = {
    "id": 35436,
    "status": "open",
    "created_at": "2026-03-01T10:00:00Z",
    "requester_id": 77,
    "via": {"channel": "web"},
}
EVENT = {"id": "1", "created_at": "2026-03-01T10:00:00Z", "user_id": "u1", "value": "2"}


def rows(*records, **plan):
    reader = RowReader(files_plan("/drops", **plan), "drop.csv")
    return [row for batch in reader.batches(records) for row in batch]


def test_a_table_of_events_keeps_its_values_as_they_stand():
    (row,) = rows(EVENT | {"value": "€12,50"})
    assert row.columns["signal_id"] == "outcomes.ticket/1"
    assert row.columns["value"] == "€12,50"
    assert (row.columns["name"], row.columns["user_id"], row.columns["kind"]) == ("ticket", "u1", "outcome")
    assert (row.number, row.key, row.reason) == (1, "1", None)


def test_a_table_without_values_counts_events():
    (row,) = rows({name: cell for name, cell in EVENT.items() if name != "value"})
    assert row.columns["value"] == 1.0


def test_an_outcome_that_nobody_names_is_called_as_its_source():
    (row,) = rows(EVENT, outcome=None)
    assert row.columns["name"] == "crm"
    (named,) = rows(EVENT | {"name": "refund"})
    assert named.columns["name"] == "refund"


def test_columns_of_the_settings_stand_for_others():
    record = {"ref": "9", "when": "2026-03-01T10:00:00Z", "customer": "u1", "sum": "5", "cur": "EUR", "gone": "yes"}
    columns = {
        "id": "ref",
        "event_time": "when",
        "user_id": "customer",
        "value": "sum",
        "currency": "cur",
        "deleted": "gone",
    }
    (row,) = rows(record, columns=columns)
    assert row.columns["signal_id"] == "outcomes.ticket/9"
    assert (row.columns["value"], row.currency, row.is_deleted) == ("5", "EUR", True)


def test_a_row_without_an_id_is_told_by_its_content_but_not_by_what_changes_of_it():
    bare = {name: cell for name, cell in EVENT.items() if name != "id"}
    (one,), (again,), (other,) = (
        rows(bare),
        rows(bare | {"deleted": "true", "updated_at": "2026-03-09T00:00:00Z"}),
        rows(bare | {"value": "3"}),
    )
    assert one.columns["signal_id"] == again.columns["signal_id"] != other.columns["signal_id"]
    assert (again.is_deleted, again.version) == (True, "2026-03-09T00:00:00Z")
    assert row_hash(bare)[:24] in one.columns["signal_id"]


def test_a_table_of_churn_tells_customers_apart_by_who_and_when():
    one = {"customer_id": "u1", "churn_date": "2026-03-01T00:00:00Z", "tenure": 4}
    (first,), (later,) = rows(one), rows(one | {"tenure": 5})
    assert first.columns["signal_id"] == later.columns["signal_id"]
    assert first.columns["name"] == "churn"


def test_times_without_a_zone_are_read_in_that_of_the_source_or_not_at_all():
    naive = EVENT | {"created_at": "2026-07-01 10:00"}
    assert rows(naive)[0].reason == "naive_time"
    assert rows(naive, timezone="Europe/Berlin")[0].columns["event_time"] == "2026-07-01T08:00:00Z"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Undecodable("bad_csv"), "bad_csv"),
        ([1, 2], "not_an_object"),
        ({str(n): n for n in range(1001)}, "not_an_object"),
        (EVENT | {"created_at": "soon"}, "bad_time"),
        (EVENT | {"created_at": ""}, "missing_time"),
        (EVENT | {"user_id": None}, "missing_id"),
        (EVENT | {"value": None}, "missing_value"),
    ],
)
def test_what_cannot_be_read_says_why(record, reason):
    assert [row.reason for row in rows(EVENT, record)] == [None, reason]


def test_zendesk_tickets_keep_their_deletions():
    whole, deleted = rows(TICKET, TICKET | {"status": "deleted", "updated_at": "2026-03-02T00:00:00Z"}, kind="zendesk")
    assert whole.columns["signal_id"] == deleted.columns["signal_id"] == "zendesk.ticket/35436"
    assert (whole.is_deleted, deleted.is_deleted) == (False, True)
    assert deleted.version == "2026-03-02T00:00:00Z"
    assert rows(TICKET, TICKET | {"id": None}, kind="zendesk")[1].reason == "missing_row_id"


def test_a_page_of_an_api_holds_its_tickets():
    assert len(rows({"tickets": [TICKET, TICKET | {"id": 2}], "next_page": None}, kind="zendesk")) == 2


def test_intercom_gives_a_ticket_and_a_rating_with_keys_of_their_own():
    record = {
        "id": "c9",
        "state": "closed",
        "created_at": 1772359200,
        "source_author_id": "u5",
        "conversation_rating_value": 4,
    }
    ticket, rating = rows(record, kind="intercom")
    assert (ticket.columns["kind"], rating.columns["kind"], rating.columns["value"]) == ("outcome", "rating", 0.75)
    assert (ticket.key, rating.key) == ("1", "1/1")


def test_another_product_than_the_source_says_is_refused():
    with pytest.raises(LogError, match="no export of zendesk"):
        rows(EVENT, kind="zendesk")


def test_a_table_without_a_header_is_refused_without_a_word_of_it():
    with pytest.raises(LogError) as caught:
        rows({"alice@example.com": "bob@example.com", "2026-03-01": "2026-03-02"})
    assert "alice" not in str(caught.value)
    assert "[sources.crm] columns" in str(caught.value)


def test_many_rows_come_in_batches():
    reader = RowReader(files_plan("/drops"), "drop.csv")
    sizes = [len(batch) for batch in reader.batches(EVENT | {"id": str(n)} for n in range(BATCH + 5))]
    assert sizes == [BATCH, 5]


def test_a_hash_of_anything_can_be_had():
    deep = {"a": float("inf"), "b": "\ud800", "c": object}
    assert len(row_hash(deep)) == 64
