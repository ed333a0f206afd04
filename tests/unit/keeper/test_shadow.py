import json
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from shadow_requests import ASK, serving_plan, shadow_request
from undertow.adapters.store.row_log import CALLS, PAIRS, read_rows
from undertow.bootstrap.shadow import build_shadow
from undertow.errors import ConfigError
from undertow.keeper.shadow import Shadowing
from undertow.records.shadow_frame import encode_frame
from undertow.records.watched import AnswerPair, WatchingCall


class Running:
    """Second answers of a store under way."""

    def __init__(self, folder, plan):
        self.folder, self.counts = folder, Counter()
        self.shadowing = Shadowing(build_shadow(plan, {}), folder / "s")

    def __enter__(self):
        self.shadowing.start()
        return self

    def __exit__(self, *_):
        self.shadowing.close()
        self.counts.update(self.shadowing.run())

    def send(self, *requests):
        import socket

        with socket.socket(socket.AF_UNIX) as to:
            to.connect(str(self.folder / "s"))
            for request in requests:
                to.sendall(encode_frame(request))
            to.shutdown(socket.SHUT_WR)
            assert to.recv(1) == b""  # all of it was read

    def wait_for(self, **counts):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            self.counts.update(self.shadowing.run())
            if all(self.counts[name] >= count for name, count in counts.items()):
                return
            time.sleep(0.01)
        raise AssertionError(f"not in time: {self.counts}")

    @property
    def calls(self):
        return read_rows(self.folder / "store", CALLS, WatchingCall).rows

    @property
    def pairs(self):
        return read_rows(self.folder / "store", PAIRS, AnswerPair).rows


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_answers_become_pairs_and_calls(tmp_path, upstream):
    upstream.answer("large", Reply(text="Last Monday."))
    with Running(tmp_path, serving_plan(tmp_path / "store", upstream.base_url)) as running:
        running.send(*(shadow_request(number) for number in range(12)))
        running.wait_for(shadow_answered=12)
        assert {pair.decision_id for pair in running.pairs} == {f"d{number}" for number in range(12)}
        assert {pair.reference_answer for pair in running.pairs} == {"Last Monday."}
        total = sum(call.cost_usd for call in running.calls)
    assert running.counts["shadow_usd_millionths"] == pytest.approx(total * 1e6)
    assert running.counts["shadow_asked"] == running.counts["shadow_received"] == 12
    spent = json.loads((tmp_path / "store/state/watching-spend.json").read_bytes())["purposes"]["shadow"]["usd"]
    assert spent == pytest.approx(total)


@pytest.mark.parametrize(
    ("endpoint", "kind", "body"),
    [
        ("messages", "anthropic", {"model": "auto", "max_tokens": 50, "messages": ASK["messages"], "stream": True}),
        ("responses", "openai", {"model": "auto", "input": "Where is it?", "stream": True}),
    ],
)
def test_every_format_is_answered(tmp_path, upstream, endpoint, kind, body):
    with Running(tmp_path, serving_plan(tmp_path / "store", upstream.base_url, kind=kind)) as running:
        running.send(shadow_request(endpoint=endpoint, body=body))
        running.wait_for(shadow_answered=1)
        assert running.pairs[0].reference_answer == "The invoice was sent on Monday."
    assert upstream.requests[0].json["model"] == "large"
    assert "stream" not in upstream.requests[0].json


def test_no_more_are_asked_at_a_time_than_is_allowed_and_the_queue_is_bounded(tmp_path, upstream):
    upstream.answer("large", Reply(delay_s=0.3))
    plan = serving_plan(tmp_path / "store", upstream.base_url, concurrency=2, max_waiting=3)
    with Running(tmp_path, plan) as running:
        running.send(shadow_request(0), shadow_request(1))
        upstream.wait_until(lambda it: len(it.requests) == 2)
        running.send(*(shadow_request(number) for number in range(2, 12)))
        running.wait_for(shadow_shed=7)
        assert len(upstream.requests) == 2
        running.wait_for(shadow_answered=5)
    statuses = Counter(call.status for call in running.calls)
    assert statuses == {"ok": 5, "shed": 7}
    assert upstream.connections <= 2


def test_failures_are_told_and_counted(tmp_path, upstream):
    upstream.script(Reply(status=400), Reply(body=b"<html>"), Reply(cut_after=20))
    plan = serving_plan(tmp_path / "store", upstream.base_url, concurrency=1)
    with Running(tmp_path, plan) as running:
        running.send(shadow_request(1), shadow_request(2), shadow_request(3))
        running.wait_for(shadow_failed=3)
        assert running.pairs == []
    assert [(call.decision_id, call.status) for call in running.calls] == [
        ("d1", "http_400"),
        ("d2", "garbage"),
        ("d3", "cut"),
    ]


def test_an_upstream_in_trouble_is_asked_once_more_at_most(tmp_path, upstream):
    upstream.answer("large", Reply(status=503, headers={"retry-after": "0"}))
    with Running(tmp_path, serving_plan(tmp_path / "store", upstream.base_url)) as running:
        running.send(shadow_request(1))
        running.wait_for(shadow_failed=1)
        assert running.calls[0].status == "http_503"
    assert len(upstream.requests) == 2


def test_texts_are_on_the_disk_redacted_only(tmp_path, upstream):
    upstream.answer("large", Reply(text="answer-of-large"))
    plan = serving_plan(tmp_path / "store", upstream.base_url, redact="shadow_requests:shout")
    with Running(tmp_path, plan) as running:
        body = {"model": "auto", "messages": [{"role": "user", "content": "body-text"}]}
        running.send(shadow_request(prompt="PROMPT-TEXT", answer="ANSWER-TEXT", body=body))
        running.wait_for(shadow_answered=1)
    on_disk = b"".join(path.read_bytes() for path in Path(tmp_path / "store").rglob("*") if path.is_file())
    assert b"ANSWER-OF-LARGE" in on_disk
    assert b"PROMPT-TEXT" in on_disk
    for text in (b"body-text", b"answer-of-large"):
        assert text not in on_disk


def test_a_hook_that_cuts_a_character_in_two_costs_its_pairs_and_stops_nothing(tmp_path, upstream):
    plan = serving_plan(tmp_path / "store", upstream.base_url, redact="shadow_requests:cut_in_two")
    with Running(tmp_path, plan) as running:
        running.send(*(shadow_request(number) for number in range(6)))
        running.wait_for(shadow_unredacted=6)
        assert running.pairs == []
        assert len(running.calls) == 6


def test_the_budget_is_remembered_by_the_next_keeper(tmp_path, upstream):
    upstream.answer("large", Reply(input_tokens=100, output_tokens=100))  # 0.003 USD each
    body = {**ASK, "max_tokens": 100}
    plan = serving_plan(tmp_path / "store", upstream.base_url, budget_usd_day=0.01)
    with Running(tmp_path, plan) as first:
        first.send(*(shadow_request(number, body=body) for number in range(10)))
        first.wait_for(shadow_over_budget=1)
        first.wait_for(shadow_received=10)
        until = time.monotonic() + 10
        while len(first.calls) < 10 and time.monotonic() < until:
            time.sleep(0.01)
    spent = sum(call.cost_usd or 0.0 for call in first.calls)
    assert 0.006 < spent <= 0.01 + 0.003
    asked = len(upstream.requests)
    with Running(tmp_path, plan) as second:
        second.send(*(shadow_request(number, body=body) for number in range(10, 13)))
        second.wait_for(shadow_over_budget=3)
    assert len(upstream.requests) <= asked + 1
    assert Counter(call.status for call in second.calls)["budget"] >= 9


def test_calls_under_way_at_the_end_leave_a_row(tmp_path, upstream, monkeypatch):
    monkeypatch.setattr("undertow.keeper.shadow.STOP_S", 0.1)
    upstream.answer("large", Reply(delay_s=30))
    plan = serving_plan(tmp_path / "store", upstream.base_url, concurrency=1)
    with Running(tmp_path, plan) as running:
        running.send(shadow_request(1), shadow_request(2))
        upstream.wait_until(lambda it: len(it.requests) == 1)
    assert [(call.decision_id, call.status) for call in running.calls] == [("d1", "aborted"), ("d2", "shed")]


def test_a_socket_that_cannot_be_bound_is_told_at_the_start(tmp_path):
    side = build_shadow(serving_plan(tmp_path / "store", "http://127.0.0.1:1/v1"), {})
    shadowing = Shadowing(side, tmp_path / ("x" * 200))
    with pytest.raises(ConfigError):
        shadowing.start()
    shadowing.close()


def test_a_model_without_a_price_is_said_so(tmp_path, caplog):
    plan = serving_plan(tmp_path / "store", "http://127.0.0.1:1/v1", prices=())
    with Running(tmp_path, plan):
        pass
    assert "shadow_without_prices" in caplog.text
