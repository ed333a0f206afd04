import json

import msgspec
import pytest

from gateway_fakes.upstream import FakeUpstream
from unit.gateway.asgi_calls import KEY, SECRET, gateway, plan_for, run


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_signals_are_kept_once_and_bad_ones_are_told_apart(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            row = {"signal_id": "s1", "decision_id": "unknown-yet", "value": 1, "comment": "private"}
            first = await g.call("POST", "/v1/feedback", row)
            assert (first.status, first.json) == (
                202,
                {"accepted": 1, "duplicates": 0, "rejected": [], "not_stored": ["comment"]},
            )
            again = await g.call("POST", "/v1/feedback", [row, {**row, "signal_id": "s2", "value": 9}])
            assert again.json["duplicates"] == 1
            assert again.json["rejected"][0]["index"] == 1
            none = await g.call("POST", "/v1/feedback", {"value": 1})
            assert (none.status, none.json["error"]["code"]) == (422, "no_signal_accepted")
            assert (await g.call("POST", "/v1/feedback", b"{")).status == 400
            outcome = {"user_id": "u", "name": "refund", "value": 12.5}
            assert (await g.call("POST", "/v1/outcomes", outcome, [("idempotency-key", "k")])).json["accepted"] == 1
            assert [(s["signal_id"], s["kind"]) for s in g.signals()] == [("s1", "thumb"), ("k", "outcome")]
            assert "private" not in json.dumps(g.signals())

    run(steps)


def test_signals_that_cannot_be_kept_are_to_be_sent_again(tmp_path, upstream, monkeypatch):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            with monkeypatch.context() as patched:
                patched.setattr(g.app.signals, "add", _full)
                got = await g.call("POST", "/v1/feedback", {"decision_id": "d", "value": 1})
            assert (got.status, got.json["error"]["code"]) == (503, "store_unwritable")
            assert got.headers["retry-after"] == "5"
            assert (await g.call("POST", "/v1/feedback", {"decision_id": "d", "value": 1})).status == 202

    run(steps)


def _full(signals):
    raise OSError(28, "No space left on device")


def test_the_key_is_the_source_and_a_handover_is_told_to_the_keeper(tmp_path, upstream):
    told = []

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, keys=(KEY,))) as g:
            g.app.turns.take_handover = lambda *what: told.append(what)
            row = {"conversation_id": "c", "name": "handover", "kind": "implicit", "value": 0}
            await g.call("POST", "/v1/feedback", row, [("authorization", f"Bearer {SECRET}")])
            assert g.signals()[0]["source"] == "key:team"

    run(steps)
    ((_, decision, conversation),) = told
    assert (decision, conversation) == (None, "c")


def test_a_key_without_budget_or_rate_left_can_still_say_what_became_of_its_answers(tmp_path, upstream):
    spent = msgspec.structs.replace(KEY, budget_usd_day=0.0, requests_per_minute=1)

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, keys=(spent,))) as g:
            assert (await g.chat(key=SECRET)).status == 429
            for number in range(3):
                row = {"decision_id": f"d{number}", "value": 1}
                got = await g.call("POST", "/v1/feedback", row, [("authorization", f"Bearer {SECRET}")])
                assert got.status == 202
            assert (await g.call("GET", "/v1/models", headers=[("authorization", f"Bearer {SECRET}")])).status == 200

    run(steps)
