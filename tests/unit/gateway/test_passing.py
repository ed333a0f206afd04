import pytest

from gateway_fakes.upstream import FakeUpstream
from scripted_http import ScriptedServer, status
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


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (status(401, body=b"bad key sk-123"), 502),
        (b"", 502),
        (status(404, body=b"no"), 404),
        (status(302, b"location: http://10.0.0.1/"), 302),
    ],
    ids=["401", "closed", "404", "redirect"],
)
def test_what_the_upstream_answers_is_passed_back_but_never_a_word_on_our_credentials(
    tmp_path, upstream, answer, status
):
    async def answers(peer):
        await peer.request()
        await peer.send(answer)

    async def steps():
        async with ScriptedServer(answers) as server:
            plan = plan_for(tmp_path, upstream, passthrough=EndpointPlan(base_url=server.base_url))
            async with gateway(tmp_path, plan) as g:
                got = await g.call("POST", "/v1/embeddings", {"input": "x"})
                assert got.status == status
                assert b"sk-123" not in got.body
                assert len(g.records()) == 1

    run(steps)
