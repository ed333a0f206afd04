import pytest

from gateway_fakes.upstream import FakeUpstream
from undertow.records.serving import TelemetryPlan
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
