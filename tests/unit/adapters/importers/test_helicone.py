def test_query_rows(load):
    got = load("helicone_requests.jsonl")
    assert set(got.decisions) == {"h1", "h2", "h3"}
    h1 = got.decisions["h1"]
    assert (h1["conversation_id"], h1["user_id"], h1["segment"], h1["latency_ms"], h1["ttft_ms"], h1["tier"]) == (
        "session-1",
        "user-1",
        {"intent": "billing"},
        900.0,
        200.0,
        "cheap",
    )
    assert got.decisions["h3"]["status"] == "error"
    assert got.result.reasons == {"not_a_model_call": 1}


def test_a_rating_counts_only_where_somebody_gave_one(load):
    got = load("helicone_requests.jsonl")
    thumbs = [s for s in got.signals.values() if s["kind"] == "thumb"]
    assert [(s["decision_id"], s["value"], s["event_time"]) for s in thumbs] == [("h2", 0.0, "2026-08-01T11:00:00Z")]
    assert [s["name"] for s in got.signals.values() if s["kind"] == "judge"] == ["helpfulness"]


def test_csv_with_quotes_doubled_twice(load):
    x1 = load("helicone_export.csv").decisions["x1"]
    assert x1["segment"] == {"intent": "billing"}
    assert x1["conversation_id"] == "s1"
    assert x1["latency_ms"] == 2000.0  # from the two times: the export leaves the column empty
    assert x1["cost_usd"] == 3.2e-06
