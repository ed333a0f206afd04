import asyncio
import json
import time

import pytest

from judge_factory import completion, judge_server, plan, says_good
from undertow.adapters.judges.model import ModelJudge
from undertow.errors import ConfigError
from undertow.judging.prompts import grade_prompt, pair_prompt
from undertow.records.serving import EndpointPlan

PROMPT = pair_prompt("Which is better?", "2 + 2?", "good", "bad", nonce="n7c7e", max_chars=500)


def ask(base_url, *prompts, parameters=None, timeout_s=5.0, env=None, key=None):
    judge = ModelJudge(
        "judge-1", EndpointPlan(base_url=base_url, api_key_env=key), parameters or {}, timeout_s, env or {}
    )

    async def run():
        try:
            return [await judge.ask(prompt) for prompt in prompts or (PROMPT,)]
        finally:
            await judge.aclose()

    return asyncio.run(run())


def error(status, text, code="x"):
    return status, json.dumps({"error": {"message": text, "code": code}}).encode()


def test_a_verdict_comes_back_with_model_and_usage():
    with judge_server(says_good) as (url, bodies):
        (reply,) = ask(url, parameters={"temperature": 0, "model": "not this", "stream": True, "n": 3})
    assert (reply.status, reply.text, reply.model) == ("ok", '{"verdict": "A"}', "judge-1-0301")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (100, 5)
    assert reply.latency_ms > 0
    (body,) = bodies
    assert body["model"] == "judge-1"
    assert body["temperature"] == 0
    assert "stream" not in body
    assert "n" not in body
    assert body["max_tokens"] > 0
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["A", "B", "tie"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_a_grade_is_asked_for_by_a_schema_of_its_own():
    prompt = grade_prompt("How right?", "2 + 2?", "4", nonce="n7c7e", max_chars=500)
    with judge_server(lambda _: '{"score": 1}') as (url, bodies):
        ask(url, prompt)
    assert list(bodies[0]["response_format"]["json_schema"]["schema"]["properties"]) == ["score"]


def test_a_form_that_the_server_refuses_is_dropped_and_not_tried_again():
    def picky(body):
        if "max_tokens" in body:
            return error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        kind = body.get("response_format", {}).get("type")
        return says_good(body) if kind is None else error(422, f"response_format {kind} is not supported")

    with judge_server(picky) as (url, bodies):
        replies = ask(url, PROMPT, PROMPT)
    assert [reply.status for reply in replies] == ["ok", "ok"]
    assert len(bodies) == 5
    assert "response_format" not in bodies[-1]
    assert "max_completion_tokens" in bodies[-1]


def test_a_request_that_is_refused_in_every_form_fails_and_is_no_outage():
    with judge_server(lambda _: error(400, "no")) as (url, bodies):
        (reply,) = ask(url)
    assert (reply.status, reply.call_status, reply.is_outage) == ("failed", "http_400", False)
    assert len(bodies) == 3


def test_own_limits_of_the_answer_hold():
    with judge_server(says_good) as (url, bodies):
        ask(url, parameters={"max_completion_tokens": 77})
    assert "max_tokens" not in bodies[0]
    assert bodies[0]["max_completion_tokens"] == 77


@pytest.mark.parametrize(
    ("said", "status", "call_status", "is_outage"),
    [
        ((200, completion("", refusal="I cannot judge this.")), "refused", "ok", False),
        (error(400, "filtered", code="content_filter"), "refused", "http_400", False),
        ((200, b"not json"), "failed", "garbage", False),
        ((200, b'{"choices": []}'), "failed", "garbage", False),
        ((200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'), "failed", "garbage", False),
        ((200, completion("x" * 3_000_000)), "failed", "too_large", False),
        (error(401, "no key"), "failed", "http_401", True),
        (error(404, "no such model"), "failed", "http_404", True),
        (error(500, "down"), "failed", "http_500", True),
    ],
)
def test_what_goes_wrong_is_told_by_its_kind(said, status, call_status, is_outage):
    with judge_server(lambda _: said) as (url, _):
        (reply,) = ask(url)
    assert (reply.status, reply.call_status, reply.is_outage, reply.text) == (status, call_status, is_outage, "")


def test_a_judge_that_hangs_is_left_at_its_deadline():
    def slow(_):
        time.sleep(3)
        return "late"

    with judge_server(slow) as (url, _):
        began = time.monotonic()
        (reply,) = ask(url, timeout_s=0.3)
        took = time.monotonic() - began
    assert (reply.status, reply.call_status) == ("timeout", "timeout")
    assert took < 2.5


def test_nobody_at_the_address_is_an_outage():
    (reply,) = ask("http://127.0.0.1:9/v1")
    assert (reply.status, reply.is_outage) == ("failed", True)


def test_an_unset_key_is_refused_at_once():
    with pytest.raises(ConfigError, match="JUDGE_KEY"):
        ask("http://127.0.0.1:9/v1", key="JUDGE_KEY")


def test_usage_that_is_not_told_is_estimated():
    def silent(body):
        document = json.loads(completion(says_good(body)))
        del document["usage"]
        return 200, json.dumps(document).encode()

    with judge_server(silent) as (url, _):
        (reply,) = ask(url)
    assert reply.usage.is_estimated
    assert reply.usage.input_tokens > 50


def test_the_plan_of_the_tests_is_one_for_a_model():
    assert plan().model == "judge-1"
