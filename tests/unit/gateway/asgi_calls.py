"""Calls the application as its server does, without sockets; upstreams are real ones on loopback."""

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from undertow.gateway.app import build_app
from undertow.gateway.runtime import Runtime
from undertow.records.serving import (
    EndpointPlan,
    HoldoutPlan,
    KeyPlan,
    PolicyPlan,
    ServingPlan,
    StorePlan,
    TierPlan,
    TokenPrices,
)

SECRET = "ut_abcdefgh_" + "s" * 43
KEY = KeyPlan(name="team", key_id="abcdefgh", sha256=hashlib.sha256(SECRET.encode()).hexdigest())
OTHER_SECRET = "ut_zyxwvuts_" + "t" * 43
OTHER_KEY = KeyPlan(name="other", key_id="zyxwvuts", sha256=hashlib.sha256(OTHER_SECRET.encode()).hexdigest())
PRICE = TokenPrices(
    input_usd=1e-6, cached_usd=1e-6, cache_write_usd=1e-6, audio_input_usd=1e-6, output_usd=2e-6, audio_output_usd=2e-6
)


def plan_for(tmp_path, upstream, **changes):
    here = (EndpointPlan(base_url=upstream.base_url),)
    plan = ServingPlan(
        tiers=(
            TierPlan(name="cheap", model="small", endpoints=here, prices=(PRICE,)),
            TierPlan(name="capable", model="large", endpoints=here, prices=(PRICE,)),
        ),
        policies=(PolicyPlan(name="auto", version="v1", kind="cascade", tiers=("cheap", "capable")),),
        holdout=HoldoutPlan(share=0.0),
        store=StorePlan(path=str(tmp_path / "store")),
    )
    return msgspec.structs.replace(plan, **changes)


@dataclass
class Got:
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    is_complete: bool = False

    @property
    def json(self):
        return json.loads(self.body)


class _Exchange:
    """The server's side of a call."""

    disconnected = is_congested = False
    on_disconnect = refusal = None

    def __init__(self, got, peer):
        self.got, self.peer = got, peer

    def whole_body(self):
        return None

    def start(self, status, headers):
        assert not self.got.status
        self.got.status = status
        self.got.headers = {name.decode(): value.decode() for name, value in headers}

    def send_body(self, body, *, more):
        self.got.body += body
        self.got.is_complete = not more


class Gateway:
    def __init__(self, app, store):
        self.app, self.store = app, store

    async def call(
        self, method, path, body=b"", headers=(), *, client=("127.0.0.1", 1), query=b"", arrives=None, raw_path=None
    ):
        got = Got()
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        exchange = _Exchange(got, client[0])
        messages = iter(arrives(exchange) if arrives else [{"type": "http.request", "body": body}])

        async def receive():
            return next(messages)

        async def send(message):
            if message["type"] == "http.response.start":
                exchange.start(message["status"], message["headers"])
            else:
                exchange.send_body(message.get("body", b""), more=message.get("more_body", False))

        scope = {
            "type": "http", "method": method, "path": path, "query_string": query, "client": client,
            "headers": [(name.encode(), value.encode()) for name, value in headers],
            "extensions": {"undertow": exchange}, "raw_path": raw_path or path.encode(),
        }  # fmt: skip
        await self.app(scope, receive, send)
        return got

    async def chat(self, *, key=None, path="/v1/chat/completions", **body):
        headers = [("authorization", f"Bearer {key}")] if key else []
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **body}
        return await self.call("POST", path, body, headers)

    def records(self):
        lines = b"".join(path.read_bytes() for path in sorted((self.store / "decisions" / "open").glob("*")))
        return [json.loads(line) for line in lines.splitlines()]

    def signals(self):
        lines = b"".join(path.read_bytes() for path in sorted((self.store / "signals" / "open").glob("*.jsonl*")))
        return [json.loads(line) for line in lines.splitlines()]


@asynccontextmanager
async def gateway(tmp_path, plan, env=None):
    (tmp_path / "run").mkdir(exist_ok=True)
    runtime = Runtime.within(str(tmp_path / "run"), "", worker_number=0, workers=1, generation=1)
    app = build_app(plan, env or {}, runtime)
    await app.startup()
    try:
        yield Gateway(app, tmp_path / "store")
    finally:
        await app.shutdown()


def run(steps):
    return asyncio.run(steps())
