import pytest

from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from undertow.records.serving import EndpointPlan
from unit.gateway.asgi_calls import gateway, plan_for, run


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_unrouted_paths_are_passed_on_where_they_may_be(tmp_path, upstream):
    plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=upstream.base_url))

    async def steps():
        async with gateway(tmp_path, plan) as g:
            got = await g.call(
                "GET", "/v1/models/small", headers=[("cookie", "secret"), ("authorization", "Bearer mine")]
            )
            assert got.is_complete
            received = upstream.requests[-1]
            assert received.path == "/v1/models/small"
            assert "cookie" not in received.headers
            assert "mine" not in str(received.headers)
            (record,) = g.records()
            assert record["reason"] == "passthrough"
            assert (await g.call("GET", "/v1/../admin")).status in {400, 404}

    run(steps)


@pytest.mark.parametrize(("model", "status"), [("fail-401", 502), ("reset", 502), ("fail-404", 404)])
def test_what_the_upstream_answers_is_passed_back_but_never_a_word_on_our_credentials(
    tmp_path, upstream, model, status
):
    plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=upstream.base_url))

    async def steps():
        async with gateway(tmp_path, plan) as g:
            upstream.script(
                {
                    "fail-401": Reply(status=401),
                    "reset": Reply(no_head=True, cut_how="reset"),
                    "fail-404": Reply(status=404),
                }[model]
            )
            got = await g.call("POST", "/v1/embeddings", {"model": model})
            assert got.status == status
            assert len(g.records()) == 1

    run(steps)
