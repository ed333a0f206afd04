import pytest

from undertow.adapters.importers import parse_mapping, read_mapping
from undertow.errors import LogError


def test_mapping_file(load, fixtures):
    got = load("plain.csv", format="csv", mapping=read_mapping(fixtures / "plain.toml"))
    c1, c2 = got.decisions["c1"], got.decisions["c2"]
    assert c1["event_time"] == "2026-08-01T08:00:00Z"  # Berlin
    assert (c1["tier"], c2["tier"], got.result.tier_source) == ("cheap", "capable", "mapped")
    assert (c1["segment"], c2["segment"]) == (
        {"intent": "billing"},
        {"intent": "7"},
    )  # named by the user, so numbers too
    assert c1["cost_usd"] == pytest.approx(0.005)
    assert (c1["user_id"], c1["input_tokens"]) == ("user-1", 100)  # by their usual names
    assert got.result.reasons == {"bad_time": 1, "bad_number:inclusion_probability": 1}
    assert got.signals["c1/csat"]["value"] == 1.0
    assert got.signals["c1/csat"]["inclusion_probability"] == 0.5
    assert "inclusion_probability" not in got.signals["c2/csat"]


def test_explanation_names_the_columns_of_the_file(load, fixtures):
    explanation = load("plain.csv", format="csv", mapping=read_mapping(fixtures / "plain.toml")).result.explanation
    sources = {c.column: c.source for c in explanation.columns}
    assert (sources["event_time"], sources["model"], sources["user_id"]) == ("ts", "served_by", "user")
    assert {c.column: c.share for c in explanation.columns}["input_tokens"] == 1.0
    assert "propensity" in {m.column for m in explanation.missing}


def test_synonyms_without_a_mapping_file(load, write):
    got = load(
        write(
            "x.jsonl",
            {
                "Request ID": "a",
                "createdAt": 1785585600,
                "chosen_model": "gpt-4o",
                "prompt_tokens": 5,
                "completion_tokens": 6,
                "segment.intent": "billing",
                "free text": "hello",
            },
        )
    )
    found = got.decisions["a"]
    assert (found["event_time"], found["model"], found["segment"]) == (
        "2026-08-01T12:00:00Z",
        "gpt-4o",
        {"intent": "billing"},
    )
    assert "hello" not in got.result.decisions.read_text()


def test_nested_columns_by_dots(load, write):
    mapping = parse_mapping(
        {"columns": {"event_time": "meta.at", "tier": "meta.route.tier"}, "segments": {"intent": "labels.intent"}}
    )
    got = load(
        write(
            "x.jsonl",
            {"id": "a", "meta": {"at": "2026-08-01T12:00:00Z", "route": {"tier": "cheap"}}, "labels": {"intent": "x"}},
        ),
        format="csv",
        mapping=mapping,
    )
    assert (got.decisions["a"]["tier"], got.decisions["a"]["segment"], got.result.tier_source) == (
        "cheap",
        {"intent": "x"},
        "logged",
    )


def test_rows_without_id_get_one_from_their_content(load, write):
    record = {"ts": "2026-08-01T12:00:00Z", "model": "gpt-4o"}
    first, second = load(write("x.jsonl", record)), load(write("y.jsonl", record))
    assert list(first.decisions) == list(second.decisions)
    assert any("no id" in note for note in first.result.notes)


def test_all_times_naive_is_an_error_that_says_what_to_do(load, write):
    path = write("x.jsonl", {"ts": "2026-08-01 12:00:00", "model": "gpt-4o", "id": "a"})
    with pytest.raises(LogError, match="--timezone"):
        load(path)
    assert load(path, timezone="UTC").decisions["a"]["event_time"] == "2026-08-01T12:00:00Z"


def test_unknown_status_is_counted_not_guessed(load, write):
    got = load(
        write(
            "x.jsonl",
            {"ts": 1785585600, "model": "gpt-4o", "id": "a", "status": "weird"},
            {"ts": 1785585600, "model": "gpt-4o", "id": "b", "status": "Failed"},
        )
    )
    assert "status" not in got.decisions["a"]
    assert got.decisions["b"]["status"] == "error"
    assert "tier" not in got.decisions["b"]
    assert got.result.reasons == {"unknown_status": 1}


def test_values_out_of_range_pass_on_to_the_engine_which_checks_them(load, write):
    assert (
        load(write("x.jsonl", {"ts": 1785585600, "model": "gpt-4o", "id": "a", "cost": -1})).decisions["a"]["cost_usd"]
        == -1
    )
