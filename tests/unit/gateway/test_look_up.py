import asyncio

import pytest

from gateway_fakes.upstream import FakeUpstream
from undertow.records.runtime_files import LOOKUP_SOCKET
from unit.gateway.asgi_calls import KEY, OTHER_KEY, OTHER_SECRET, SECRET, gateway, plan_for, run


@pytest.fixture
def upstream():
    with FakeUpstream() as fake:
        yield fake


def test_a_decision_is_seen_by_the_key_that_made_it_alone(tmp_path, upstream):
    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream, keys=(KEY, OTHER_KEY))) as g:
            decision = (await g.chat(key=SECRET)).headers["x-undertow-decision-id"]
            path = f"/v1/undertow/decisions/{decision}"
            mine = await g.call("GET", path, headers=[("authorization", f"Bearer {SECRET}")])
            assert mine.json["tier"] == "cheap"
            theirs = await g.call("GET", path, headers=[("authorization", f"Bearer {OTHER_SECRET}")])
            assert theirs.status == 404
            nowhere = await g.call(
                "GET", "/v1/undertow/decisions/../../etc", headers=[("authorization", f"Bearer {SECRET}")]
            )
            assert nowhere.status == 404

    run(steps)


def test_a_decision_of_another_worker_is_found_in_its_segment(tmp_path, upstream):
    async def steps():
        plan = plan_for(tmp_path, upstream)
        async with gateway(tmp_path, plan) as one, gateway(tmp_path, plan) as other:
            decision = (await one.chat()).headers["x-undertow-decision-id"]
            found = await other.call("GET", f"/v1/undertow/decisions/{decision}")
            assert found.json["decision_id"] == decision

    run(steps)


def test_an_old_decision_is_asked_of_the_keeper_and_kept_text_is_not_shown(tmp_path, upstream):
    decision = "0" * 32

    async def keeper(reader, writer):
        assert await reader.readline() == decision.encode() + b"\n"
        writer.write(b'{"decision_id": "old", "prompt": "private", "tier": "cheap"}\n')
        await writer.drain()
        writer.close()

    async def steps():
        async with gateway(tmp_path, plan_for(tmp_path, upstream)) as g:
            assert (await g.call("GET", f"/v1/undertow/decisions/{decision}")).status == 404, "the keeper is away"
            server = await asyncio.start_unix_server(keeper, str(tmp_path / "run" / LOOKUP_SOCKET))
            found = await g.call("GET", f"/v1/undertow/decisions/{decision}")
            assert found.json == {"decision_id": "old", "tier": "cheap"}
            server.close()
            await server.wait_closed()

    run(steps)
