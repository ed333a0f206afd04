import asyncio

import pytest

from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, settings_for
from undertow.bootstrap.plan_file import read_plan
from undertow.client.sink import open_sink
from undertow.client.suite import EngineTargets
from undertow.records.suite import ROUTED, Check, SuiteCase


def case(**given):
    return SuiteCase(
        case_id="a", messages=({"role": "user", "content": "hi"},), check=Check(kind="exact", expected=("x",)), **given
    )


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


def ask(tmp_path, upstream, *targets, one=None, settings=None):
    path = tmp_path / "undertow.toml"
    path.write_text(settings or settings_for(upstream.base_url))
    plan = read_plan(path, ENV)
    sink = open_sink(str(tmp_path / "store"), plan.store, "suite")

    async def work():
        engine = EngineTargets(plan, ENV, sink, "auto")
        try:
            return [await engine.ask(one or case(), target) for target in targets]
        finally:
            await engine.aclose()

    try:
        return asyncio.run(work())
    finally:
        sink.close()


def test_a_tier_answers_under_its_own_name_and_the_policy_under_its(tmp_path, upstream):
    upstream.answer("small", Reply(text="cheap words", fingerprint="fp1"))
    upstream.answer("large", Reply(text="dear words"))
    routed, cheap, capable = ask(tmp_path, upstream, ROUTED, "cheap", "capable")
    assert [(a.text, a.tier) for a in (routed, cheap, capable)] == [
        ("cheap words", "cheap"), ("cheap words", "cheap"), ("dear words", "capable"),
    ]  # fmt: skip
    assert (routed.policy_version is not None, cheap.policy_version) == (True, None)
    assert (cheap.model, cheap.fingerprint) == ("small", "fp1")
    assert routed.cost_usd > 0


def test_the_holdout_answers_none_of_a_suite(tmp_path, upstream):
    settings = settings_for(upstream.base_url).replace("share = 0.0", "share = 0.5")
    upstream.answer("small", Reply(confidence=0.99))
    assert {a.tier for a in ask(tmp_path, upstream, *[ROUTED] * 20, settings=settings)} == {"cheap"}


@pytest.mark.parametrize(("status", "retry"), [(500, True), (429, True), (400, False), (404, False)])
def test_a_failure_says_whether_it_may_pass(tmp_path, upstream, status, retry):
    upstream.answer("small", Reply(status=status))
    (answer,) = ask(tmp_path, upstream, "cheap")
    assert (answer.status, answer.is_worth_a_retry) == ("failed", retry)
    assert answer.why is not None
    assert answer.decision_id is not None


def test_what_a_constraint_forbids_is_not_sent(tmp_path, upstream):
    settings = settings_for(upstream.base_url, '[constraints]\nnever_cheap = ["intent=fraud"]')
    cheap, capable = ask(
        tmp_path, upstream, "cheap", "capable", one=case(segment={"intent": "fraud"}), settings=settings
    )
    assert (cheap.status, cheap.why, capable.status) == ("not_allowed", "constraint", "ok")
    assert upstream.asked("small") == []


def test_a_refusal_and_a_call_of_a_tool_are_answers(tmp_path, upstream):
    upstream.answer("small", Reply(text=None, refusal="I cannot."))
    upstream.answer("large", Reply(text=None, tool_calls=(("look_up", '{"order": 7}'),)))
    refused, called = ask(tmp_path, upstream, "cheap", "capable")
    assert refused.text == "I cannot."
    assert called.text == '[calls look_up({"order": 7})]'
