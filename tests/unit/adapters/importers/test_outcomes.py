import json

import pytest

from undertow.adapters.importers import ImportOptions, import_outcomes, parse_mapping, read_outcomes
from undertow.errors import LogError


@pytest.fixture
def outcomes(fixtures, tmp_path):
    def outcomes(*names, **options):
        paths = [str(fixtures / n) if (fixtures / str(n)).exists() else str(n) for n in names]
        result = read_outcomes(paths, tmp_path / "o", ImportOptions(**options))
        return result, [json.loads(line) for line in result.signals.read_text().splitlines()]

    return outcomes


def test_tickets(outcomes):
    result, (row,) = outcomes("outcomes_zendesk_tickets.csv")
    assert (row["kind"], row["name"], row["value"], row["user_id"], row["event_time"]) == (
        "outcome",
        "ticket",
        1.0,
        "user-1",
        "2026-08-02T07:43:30Z",
    )
    assert result.reasons == {"deleted_ticket": 1}
    assert any("UTC" in note for note in result.notes)


def test_satisfaction(outcomes):
    result, rows = outcomes("outcomes_zendesk_csat.csv")
    assert [(r["user_id"], r["kind"], r["value"]) for r in rows] == [
        ("user-1", "rating", 0.0),
        ("user-3", "rating", 0.75),
    ]
    assert result.reasons == {"unanswered_survey": 1}


def test_intercom(outcomes):
    _, rows = outcomes("outcomes_intercom.jsonl")
    assert [(r["user_id"], r["name"], r["value"]) for r in rows] == [
        ("user-1", "ticket", 1.0),
        ("user-1", "csat", 0.25),
    ]


def test_churn_needs_a_date(outcomes, tmp_path):
    result, (row,) = outcomes("outcomes_churn.csv")
    assert (row["user_id"], row["name"], row["event_time"]) == ("user-1", "churn", "2026-08-10T00:00:00Z")
    assert result.reasons == {"no_event": 1}
    undated = tmp_path / "telco.csv"
    undated.write_text("customerID,tenure,Churn\nA,1,Yes\n")
    with pytest.raises(LogError, match="not when"):
        outcomes(undated)


def test_any_table_of_events(outcomes):
    result, (row,) = outcomes("outcomes_events.csv")
    assert (row["name"], row["value"], row["user_id"]) == ("refund", 12.5, "user-1")
    assert result.reasons == {"missing_id": 1}


def test_mapping_names_columns_and_the_outcome(outcomes, tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("who,am,minutes\nuser-9,03.08.2026,7\n")
    mapping = parse_mapping(
        {
            "time_format": "%d.%m.%Y",
            "timezone": "UTC",
            "columns": {"user_id": "who", "event_time": "am"},
            "signals": {"call": {"kind": "outcome", "column": "minutes"}},
        }
    )
    _, (row,) = outcomes(path, mapping=mapping)
    assert (row["user_id"], row["name"], row["value"], row["event_time"]) == (
        "user-9",
        "call",
        7.0,
        "2026-08-03T00:00:00Z",
    )


def test_a_mapping_file_meant_for_the_log_does_no_harm(outcomes):
    mapping = parse_mapping(
        {"columns": {"event_time": "ts", "user_id": "uid"}, "signals": {"csat": {"kind": "rating", "column": "stars"}}}
    )
    _, (row,) = outcomes("outcomes_events.csv", mapping=mapping)
    assert (row["name"], row["user_id"]) == ("refund", "user-1")


def test_naive_times_of_unknown_tools_need_a_zone(outcomes, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("user_id,date\nu,2026-08-01 10:00:00\n")
    with pytest.raises(LogError, match="--timezone"):
        outcomes(path)
    assert outcomes(path, timezone="+02:00")[1][0]["event_time"] == "2026-08-01T08:00:00Z"


def test_no_join_key_or_no_time_is_said(outcomes, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("colour,date\nred,2026-08-01\n")
    with pytest.raises(LogError, match="user, conversation or decision id"):
        outcomes(path)
    path.write_text("user_id,colour\nu,red\n")
    with pytest.raises(LogError, match="a time"):
        outcomes(path)


def test_the_short_form_gives_the_path(fixtures, tmp_path):
    assert import_outcomes([str(fixtures / "outcomes_churn.csv")], tmp_path).name == "outcomes.jsonl"
