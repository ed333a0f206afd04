import asyncio
import json

import msgspec
import pytest

from gateway_fakes.upstream import FakeUpstream
from undertow.adapters.store.row_log import SAMPLED, SKETCHES, read_rows
from undertow.records.runtime_files import SAMPLING
from undertow.records.sampling import SampleRate, SamplingRates
from undertow.records.serving import ReviewPlan, ShadowPlan, TelemetryPlan
from undertow.records.shadow_frame import LENGTH_BYTES, decode_frame
from undertow.records.watched import SampledText, TextSketch
from unit.gateway.asgi_calls import KEY, SECRET, gateway, plan_for, run


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_a_request_is_answered_recorded_and_counted(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            got = await g.chat(metadata={"intent": "faq"}, user="u")
            assert got.status == 200
            assert got.headers["x-undertow-tier"] == "cheap"
            (record,) = g.records()
            assert record["decision_id"] == got.headers["x-undertow-decision-id"]
            assert record["segment"] == {"intent": "faq"}
            metrics = await g.call("GET", "/metrics")
            assert (
                b'undertow_requests_total{policy="auto",reason="confident",status="ok",tier="cheap"} 1.0'
                in metrics.body
            )

    run(steps)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid"),
        (b"[]", "invalid"),
        (b'{"model": 3, "messages": []}', "invalid"),
        (b'{"model": "auto"}', "missing"),
        (b'{"model": "nosuch", "messages": [{"role": "user", "content": "x"}]}', "model_not_found"),
        (b"\xff\xfe", "invalid"),
        (b'{"model": "auto", "messages": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nesting_too_deep"),
    ],
)
def test_a_body_that_cannot_be_meant_gets_an_error_and_a_record(tmp_path, upstream, body, code):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            got = await g.call("POST", "/v1/chat/completions", body)
            assert got.status in {400, 404}
            error = got.json["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert code in error["code"]
            (record,) = g.records()
            assert (record["status"], record["reason"], record["error"]) == ("refused", "refused", error["code"])
            assert record["decision_id"] == got.headers["x-undertow-decision-id"]
            assert not upstream.requests

    run(steps)


def test_errors_have_the_shape_of_the_path_they_came_on(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            got = await g.call("POST", "/v1/messages", b"{")
            assert got.json["type"] == "error"
            assert "message" in got.json["error"]

    run(steps)


def test_metrics_are_for_this_machine_and_for_keys(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, keys=(KEY,))) as g:
            assert (await g.call("GET", "/metrics")).status == 200
            assert (await g.call("GET", "/metrics", client=("10.0.0.9", 1))).status == 401
            key = [("authorization", f"Bearer {SECRET}")]
            assert (await g.call("GET", "/metrics", headers=key, client=("10.0.0.9", 1))).status == 200

    run(steps)


def test_other_paths_say_what_they_are(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            assert (await g.call("GET", "/v1/chat/completions")).headers["allow"] == "POST"
            assert (await g.call("POST", "/v1/models")).status == 405
            assert (await g.call("GET", "/nothing")).status == 404
            embeddings = await g.call("POST", "/v1/embeddings", {"model": "e"})
            assert "[passthrough]" in embeddings.json["error"]["message"]
            assert [record["endpoint"] for record in g.records()] == ["/v1/embeddings"]
            models = (await g.call("GET", "/v1/models")).json["data"]
            assert [model["id"] for model in models][:1] == ["auto"]

    run(steps)


def test_traces_go_on_to_the_upstream_with_our_own_span(tmp_path, upstream):
    plan = plan_for(tmp_path, upstream, telemetry=TelemetryPlan(traces=True))
    parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}

    async def steps():
        async with gateway(tmp_path, plan) as g:
            await g.call("POST", "/v1/chat/completions", body, [("traceparent", parent)])
            (record,) = g.records()
            sent = upstream.requests[-1].headers["traceparent"]
            assert record["trace_id"] == "a" * 32
            assert record["parent_span_id"] == "b" * 16
            assert sent == f"00-{record['trace_id']}-{record['span_id']}-01"

    run(steps)


def test_readiness_tells_of_draining_and_of_a_log_that_cannot_be_written(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            assert (await g.call("GET", "/readyz")).json["status"] == "ok"
            g.app.is_draining = True
            assert (await g.call("GET", "/readyz")).status == 503

    run(steps)


def test_a_request_that_never_became_one_leaves_a_record(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            decision_id = g.app.record_refused(431, "headers_too_large")
            g.app.record_refused(499, "caller_left")
            first, second = g.records()
            assert (first["decision_id"], first["status"], first["error"]) == (
                decision_id,
                "refused",
                "headers_too_large",
            )
            assert second["status"] == "abandoned"

    run(steps)


def drawing(tmp_path, upstream, **rates):
    """A plan by which everything is drawn for what `rates` name."""
    plan = plan_for(tmp_path, upstream, review=ReviewPlan(per_day=100), shadow=ShadowPlan(share=0.5))
    file = tmp_path / "store" / SAMPLING
    file.parent.mkdir(parents=True)
    file.write_bytes(msgspec.json.encode(SamplingRates(rates=(SampleRate(tier="cheap", **rates),))))
    return plan


def test_what_is_drawn_goes_to_reviewers_and_to_the_keeper(tmp_path, upstream):
    frames, came = [], asyncio.Event()

    async def take(reader, writer):
        while length := await reader.read(LENGTH_BYTES):
            frames.append(decode_frame(await reader.readexactly(int.from_bytes(length))))
            came.set()
        writer.close()

    async def steps():
        plan = drawing(tmp_path, upstream, review=1.0, shadow=1.0)
        async with gateway(tmp_path, plan) as g:
            keeper = await asyncio.start_unix_server(take, g.app.runtime.keeper_shadow_socket)
            got = await g.chat(metadata={"intent": "faq"})
            assert got.status == 200
            async with asyncio.timeout(10):
                await came.wait()
            keeper.close()
            metrics = await g.call("GET", "/metrics")
            assert b'undertow_draws_total{chosen="yes",purpose="review"} 1.0' in metrics.body
        (record,) = g.records()
        assert [(draw["purpose"], draw["chosen"]) for draw in record["draws"]] == [("review", True), ("shadow", True)]
        (text,) = read_rows(tmp_path / "store", SAMPLED, SampledText).rows
        (request,) = frames
        assert text.decision_id == request.decision_id == record["decision_id"]
        assert text.prompt == request.prompt == "user: hi"
        assert text.answer == request.answer == got.json["choices"][0]["message"]["content"]
        assert json.loads(request.body)["messages"] == [{"role": "user", "content": "hi"}]
        assert "response" not in record

    run(steps)


def test_without_a_keeper_second_answers_are_shed_and_counted_at_the_end(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, drawing(tmp_path, upstream, shadow=1.0)) as g:
            assert (await g.chat()).status == 200
        assert g.app.tallies.snapshot().shadows_shed == 1
        assert read_rows(tmp_path / "store", SAMPLED, SampledText).rows == []

    run(steps)


def test_where_nothing_is_to_be_drawn_nothing_is(tmp_path, upstream):
    async def steps():
        plan = msgspec.structs.replace(
            drawing(tmp_path, upstream, review=1.0), review=ReviewPlan(), shadow=ShadowPlan()
        )
        async with gateway(tmp_path, plan) as g:
            assert (await g.chat()).status == 200
            assert g.app.drawn is None
        assert "draws" not in g.records()[0]
        assert not (tmp_path / "store" / SAMPLED).exists()

    run(steps)


def test_with_retention_of_nothing_no_text_is_written(tmp_path, upstream):
    async def steps():
        plan = drawing(tmp_path, upstream, review=1.0)
        plan = msgspec.structs.replace(plan, review=ReviewPlan(per_day=100, text_days=0.0))
        async with gateway(tmp_path, plan) as g:
            assert (await g.chat()).status == 200
        assert g.records()[0]["draws"][0]["chosen"]
        assert not (tmp_path / "store" / SAMPLED).exists()

    run(steps)


def test_a_sketch_is_kept_where_it_is_wanted_though_no_text_is(tmp_path, upstream):
    async def steps():
        plan = drawing(tmp_path, upstream, review=1.0)
        store = msgspec.structs.replace(plan.store, text_sketch=True, id_key_env="ID_KEY")
        plan = msgspec.structs.replace(plan, store=store, review=ReviewPlan(per_day=100, text_days=0.0))
        async with gateway(tmp_path, plan, {"ID_KEY": "secret"}) as g:
            assert (await g.chat()).status == 200
        (row,) = read_rows(tmp_path / "store", SKETCHES, TextSketch).rows
        assert row.decision_id == g.records()[0]["decision_id"]
        assert row.hidden
        assert not (tmp_path / "store" / SAMPLED).exists()

    run(steps)
