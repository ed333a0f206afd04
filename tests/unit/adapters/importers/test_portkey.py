import pytest


def test_cost_is_in_cents(load):
    got = load("portkey_logs.jsonl").decisions
    assert got["p1"]["cost_usd"] == pytest.approx(0.000045)
    assert got["p2"]["cost_usd"] == pytest.approx(0.00075)


def test_other_currencies_are_left_out_and_said(load):
    got = load("portkey_logs.jsonl")
    assert got.decisions["p3"]["status"] == "error"
    assert "cost_usd" not in got.decisions["p3"]
    assert any("EUR" in note for note in got.result.notes)


def test_names_of_both_documents(load):
    got = load("portkey_logs.jsonl").decisions
    assert (got["p4"]["input_tokens"], got["p4"]["output_tokens"], got["p4"]["tier"]) == (10, 5, "capable")
    assert (got["p1"]["user_id"], got["p1"]["segment"], got["p1"]["policy"]) == (
        "user-1",
        {"intent": "billing"},
        "pc-router",
    )


def test_feedback_from_minus_ten_to_ten(load):
    (found,) = load("portkey_logs.jsonl").signals.values()
    assert (found["decision_id"], found["value"], found["kind"]) == ("p2", 0.75, "rating")
