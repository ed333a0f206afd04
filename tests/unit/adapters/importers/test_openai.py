import pytest

from undertow.errors import LogError


def test_stored_completions(load):
    got = load("openai_stored.json")
    assert {k: d["tier"] for k, d in got.decisions.items()} == {"chatcmpl-a": "cheap", "chatcmpl-b": "capable"}
    a = got.decisions["chatcmpl-a"]
    # `tier: gold` is the customer's plan and stays a label.
    assert (a["user_id"], a["segment"], a["event_time"], a["finish_reason"]) == (
        "user-1",
        {"intent": "billing", "tier": "gold"},
        "2025-06-15T15:06:40Z",
        "stop",
    )
    assert "latency_ms" not in a


def test_batch_output(load, write):
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": "gpt-4o",
        "choices": [],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    got = load(
        write(
            "b.jsonl",
            {"custom_id": "x", "response": {"status_code": 200, "body": body}, "error": None},
            {"custom_id": "y", "response": None, "error": {"code": "batch_expired"}},
        )
    )
    assert set(got.decisions) == {"c1"}
    assert got.result.reasons == {"batch_request_failed": 1}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"input": {}, "preferred_output": [], "non_preferred_output": []}, "do not say which model"),
        ({"messages": []}, "not traffic"),
        ({"custom_id": "x", "body": {}}, "output file"),
        ({"object": "chat.completion.chunk", "created": 1}, "pieces of one"),
    ],
)
def test_files_that_are_no_log_say_what_to_give_instead(load, write, record, words):
    with pytest.raises(LogError, match=words):
        load(write("x.jsonl", record))
