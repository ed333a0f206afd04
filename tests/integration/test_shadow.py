"""Second answers under a real `undertow serve`: callers notice nothing, the capable tier is asked the same, and what is kept is bounded."""

import http.client
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import RunningGateway, running_gateway, settings_for
from undertow.adapters.store.row_log import CALLS, PAIRS, read_rows
from undertow.bootstrap.audit import AuditRequest, read_cells
from undertow.records.runtime_files import WATCHING_SPEND
from undertow.records.watched import AnswerPair, WatchingCall

ASK = {"model": "auto", "messages": [{"role": "user", "content": "Where is my invoice, canary-7?"}]}
TOOLS = [{"type": "function", "function": {"name": "refund", "parameters": {"type": "object", "properties": {}}}}]
REVIEW_OFF = "[review]\nper_day = 0\n"


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def settings(upstream, shadow="share = 1.0", further=""):
    return settings_for(upstream.base_url, f"{REVIEW_OFF}[shadow]\n{shadow}\n{further}")


def post(gateway: RunningGateway, body, **headers):
    """Status, the headers that do not differ from one request to the next, body and seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    began = time.perf_counter()
    try:
        named = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection.request("POST", "/v1/chat/completions", json.dumps(body), named)
        answer = connection.getresponse()
        said = answer.read()
        kept = {name.lower(): value for name, value in answer.getheaders()}
        for name in ("date", "x-undertow-decision-id"):
            kept.pop(name, None)
        return answer.status, kept, said, time.perf_counter() - began
    finally:
        connection.close()


def rows(gateway, folder, type_):
    return read_rows(gateway.store, folder, type_).rows


def wait_for(condition, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def metric(gateway, name):
    """Sum of a metric over its labels."""
    _, text = gateway.get("/metrics")
    lines = [line for line in text.decode().splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_caller_notices_nothing_and_the_pair_is_kept(upstream, tmp_path, is_streamed):
    body = {**ASK, "stream": is_streamed}
    upstream.answer("large", Reply(text="It is in your inbox."))
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    with running_gateway(tmp_path / "without", settings(upstream, "share = 0.0")) as plain:
        expected = post(plain, body)[:3]
    assert not upstream.asked("large")
    with running_gateway(tmp_path / "with", settings(upstream)) as gateway:
        assert post(gateway, body, x_undertow_segment_intent="billing")[:3] == expected
        (pair,) = wait_for(lambda: rows(gateway, PAIRS, AnswerPair))
        (call,) = wait_for(lambda: rows(gateway, CALLS, WatchingCall))
        (record,) = wait_for(lambda: list(gateway.records().values()))
        wait_for(lambda: metric(gateway, "undertow_watching_usd_total") > 0)
    assert (pair.answer, pair.reference_answer) == ("The invoice was sent on Monday.", "It is in your inbox.")
    assert (pair.decision_id, pair.segment, pair.tier) == (record["decision_id"], {"intent": "billing"}, "cheap")
    (draw,) = [draw for draw in record["draws"] if draw["purpose"] == "shadow"]
    assert (draw["chosen"], draw["inclusion_probability"], draw["stratum"]) == (
        True,
        pair.inclusion_probability,
        pair.stratum,
    )
    # Never billed to the caller: neither the record's calls nor its cost know of it.
    assert [each["tier"] for each in record["calls"]] == ["cheap"]
    assert call.cost_usd == pytest.approx(12 * 10e-6 + 5 * 20e-6)
    assert record["cost_usd"] < call.cost_usd


def test_the_capable_tier_is_asked_the_same_with_all_tools_and_runs_none(upstream, tmp_path):
    upstream.answer("large", Reply(text=None, tool_calls=(("refund", '{"order": 7}'),)))
    body = {**ASK, "tools": TOOLS, "temperature": 0.25, "max_tokens": 64, "stream": True, "user": "u1"}
    with running_gateway(tmp_path, settings(upstream)) as gateway:
        post(gateway, body)
        (pair,) = wait_for(lambda: rows(gateway, PAIRS, AnswerPair))
    (asked,) = upstream.asked("large")
    expected = {name: value for name, value in body.items() if name != "stream"} | {"model": "large"}
    assert asked.json == expected
    assert pair.reference_answer == '[calls refund({"order": 7})]'
    assert "traceparent" not in asked.headers


def test_a_segment_that_forbids_it_is_never_sent(upstream, tmp_path):
    with running_gateway(tmp_path, settings(upstream, 'share = 1.0\nnever = ["intent=fraud"]')) as gateway:
        for intent in ("fraud", "billing", "fraud"):
            post(gateway, ASK, x_undertow_segment_intent=intent)
        (pair,) = wait_for(lambda: rows(gateway, PAIRS, AnswerPair))
        time.sleep(0.3)
    assert pair.segment == {"intent": "billing"}
    assert len(upstream.asked("large")) == 1


def test_the_budget_stops_it_and_a_restart_remembers(upstream, tmp_path):
    upstream.answer("large", Reply(input_tokens=1000, output_tokens=1000))  # 0.03 USD
    given = settings(upstream, "share = 1.0\nbudget_usd_day = 0.1\nconcurrency = 4")
    body = {**ASK, "max_tokens": 1000}
    with running_gateway(tmp_path, given) as gateway:
        for _ in range(12):
            assert post(gateway, body)[0] == 200
        wait_for(lambda: len(rows(gateway, CALLS, WatchingCall)) == 12)
        calls = rows(gateway, CALLS, WatchingCall)
        spent = sum(call.cost_usd or 0.0 for call in calls)
        assert 0.1 - 0.03 < spent <= 0.1 + 0.03
        assert Counter(call.status for call in calls)["budget"] == 12 - round(spent / 0.03)
    asked = len(upstream.asked("large"))
    (tmp_path / "undertow-data" / WATCHING_SPEND).unlink()  # it is made again from the calls
    with running_gateway(tmp_path, given) as gateway:
        for _ in range(3):
            post(gateway, body)
        wait_for(lambda: len(rows(gateway, CALLS, WatchingCall)) == 15)
    assert len(upstream.asked("large")) <= asked + 1


def test_a_killed_keeper_leaves_serving_intact_and_requests_are_counted(upstream, tmp_path):
    with running_gateway(tmp_path, settings(upstream, "share = 1.0\nmax_waiting = 5"), "--workers", "1") as gateway:
        post(gateway, ASK)
        wait_for(lambda: rows(gateway, PAIRS, AnswerPair))
        (keeper,) = gateway.inner.children("undertow.keeper.main")
        os.kill(keeper, signal.SIGSTOP)  # it takes nothing, and is not started anew
        try:
            large = {**ASK, "messages": [{"role": "user", "content": "x" * 100_000}]}
            answers = [post(gateway, large) for _ in range(40)]
            wait_for(lambda: metric(gateway, "undertow_shadows_shed_total") >= 30)
        finally:
            os.kill(keeper, signal.SIGKILL)
        statuses = [post(gateway, ASK)[0] for _ in range(5)]
        wait_for(lambda: [pid for pid in gateway.inner.children("undertow.keeper.main") if pid != keeper])
        before = len(rows(gateway, PAIRS, AnswerPair))
        post(gateway, ASK)
        wait_for(lambda: len(rows(gateway, PAIRS, AnswerPair)) > before)
    assert statuses == [200] * 5
    assert {status for status, *_ in answers} == {200}
    assert max(seconds for *_, seconds in answers) < 2.0


def test_a_slow_capable_tier_slows_nobody_and_the_queue_stays_bounded(upstream, tmp_path):
    upstream.answer("large", Reply(delay_s=60))
    given = settings(upstream, "share = 1.0\nmax_waiting = 5\nconcurrency = 2")
    with running_gateway(tmp_path, given) as gateway:
        slowest = max(post(gateway, ASK)[3] for _ in range(60))

        def shed():
            at_keeper = Counter(call.status for call in rows(gateway, CALLS, WatchingCall))["shed"]
            return at_keeper + metric(gateway, "undertow_shadows_shed_total")

        # Two are under way and five wait at the most; all others are told to be shed, by the worker or by the keeper.
        wait_for(lambda: shed() >= 60 - 2 - 5)
        wait_for(lambda: len(upstream.asked("large")) == 2)
    assert slowest < 2.0
    assert len(upstream.asked("large")) == 2


def write_hook(folder: Path):
    (folder / "cleaning.py").write_text("def redact(text):\n    return text.replace('canary-7', '[redacted]')\n")


def test_text_is_on_the_disk_redacted_only(upstream, tmp_path):
    write_hook(tmp_path)
    upstream.answer("large", Reply(text="Dear canary-7, it is in your inbox."))
    further = '[retention]\nredact = "cleaning:redact"\n'
    env = {"UPSTREAM_KEY": "sk-upstream-canary", "PYTHONPATH": str(tmp_path)}
    with running_gateway(tmp_path, settings(upstream, further=further), env=env) as gateway:
        post(gateway, ASK)
        (pair,) = wait_for(lambda: rows(gateway, PAIRS, AnswerPair))
        said = "\n".join(gateway.log_lines)
    assert pair.reference_answer == "Dear [redacted], it is in your inbox."
    assert "[redacted]" in pair.prompt
    on_disk = b"".join(path.read_bytes() for path in gateway.store.rglob("*") if path.is_file())
    for secret in (b"canary-7", b"sk-upstream-canary"):
        assert secret not in on_disk
        assert secret.decode() not in said


def test_what_it_costs_is_in_the_audits_ledger(upstream, tmp_path):
    with running_gateway(tmp_path, settings(upstream)) as gateway:
        for _ in range(3):
            post(gateway, ASK)
        wait_for(lambda: len(rows(gateway, CALLS, WatchingCall)) == 3)
        total = sum(call.cost_usd for call in rows(gateway, CALLS, WatchingCall))
    cells = read_cells(AuditRequest((str(gateway.store),)))
    assert cells.watching.calls.sum() == 3
    assert cells.watching.cost_usd.sum() == pytest.approx(total)
