"""The real `undertow serve` before a fake upstream, and what it wrote down: its store's records and its standard error.

with running_gateway(folder, settings_for(upstream), env=ENV) as gateway:
    with gateway.new_records() as records:
        post(gateway.port, "/v1/chat/completions", ASK)
    assert records[0]["status"] == "ok"
"""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_stub.gateway_process import Gateway, gateway

UPSTREAM_KEY = "sk-upstream-canary-93f1"
ENV = {"UPSTREAM_KEY": UPSTREAM_KEY}


@dataclass
class RunningGateway:
    """A running gateway.

    Attributes:
        inner: The process.
        store: Its store's folder.
        key: A gateway key that it knows, or None where it is open.
    """

    inner: Gateway
    store: Path
    key: str | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.inner.port

    @property
    def base_url(self) -> str:
        """Address up to and including /v1."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def log_lines(self) -> list[str]:
        """Standard error so far, without what the supervisor says to its operator."""
        return [line for line in list(self.inner.said) if not line.startswith("undertow: ")]

    def records(self) -> dict[str, dict[str, Any]]:
        """All decision records in the store's segments, by id; more than one of an id fails."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted((self.store / "decisions" / "open").glob("*.jsonl*")):
            for line in path.read_bytes().split(b"\n")[:-1]:
                record = json.loads(line)
                assert record["decision_id"] not in found, "two records of one decision"
                found[record["decision_id"]] = record
        return found

    @contextlib.contextmanager
    def new_records(self, count: int = 1, timeout_s: float = 10.0) -> Iterator[list[dict[str, Any]]]:
        """What is done in the block leaves exactly `count` records; they are in the list once it has ended."""
        before = self.records().keys()
        found: list[dict[str, Any]] = []
        yield found
        until = time.monotonic() + timeout_s
        while len(fresh := self.records().keys() - before) < count and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.05)  # one too many would come now
        records = self.records()
        fresh = records.keys() - before
        found += [records[decision_id] for decision_id in sorted(fresh)]
        assert len(found) == count, f"{len(found)} records instead of {count}: {found}"

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """GET a path, with the key unless another is given."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None and "authorization" not in named:
            named["authorization"] = f"Bearer {self.key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def decision(self, decision_id: str) -> dict[str, Any]:
        """One decision, as the gateway shows it."""
        status, body = self.get(f"/v1/undertow/decisions/{decision_id}")
        assert status == 200, body
        return json.loads(body)


def settings_for(base_url: str, further: str = "", *, upstream: str = "", policy: str = "") -> str:
    """Settings with a cheap and a capable tier at one address, prices, no holdout, no retries and a patient breaker.

    Nothing is drawn for review or second answers unless `further` has a section for it: one request in fifty would be asked twice.

    Args:
        base_url: Of the fake upstream.
        further: Further sections.
        upstream: Lines of `[upstream]` beside or instead of those.
        policy: Lines of `[policy]`.
    """
    tier = f'base_url = "{base_url}"\napi_key_env = "UPSTREAM_KEY"'
    given = {line.partition("=")[0].strip() for line in upstream.splitlines()}
    usual = [
        f"{name} = {value}"
        for name, value in {"max_retries": 0, "breaker_failures": 10_000}.items()
        if name not in given
    ]
    drawn = "".join(
        f"[{name}]\n{nothing}\n"
        for name, nothing in {"review": "per_day = 0", "shadow": "share = 0.0"}.items()
        if f"[{name}]" not in further
    )
    return f"""
[tiers.cheap]
model = "small"
rank = 0
{tier}
prices = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}
[tiers.capable]
model = "large"
rank = 1
{tier}
prices = {{ input_usd_per_mtok = 10.0, output_usd_per_mtok = 20.0 }}
[policy]
tiers = ["cheap", "capable"]
{policy}
[holdout]
share = 0.0
[upstream]
{chr(10).join((*usual, upstream))}
{drawn}
{further}
"""


@contextlib.contextmanager
def running_gateway(
    folder: Path, settings: str, *arguments: str, env: Mapping[str, str] = ENV, key: str | None = None
) -> Iterator[RunningGateway]:
    """`undertow serve` on a free loopback port; stopped at the end.

    Args:
        folder: Where it runs; gets `undertow.toml` and the store.
        settings: The settings.
        arguments: Further arguments of the command.
        env: Added to the environment.
        key: A gateway key for `RunningGateway.get`.
    """
    with gateway(folder, settings, *arguments, env=dict(env)) as inner:
        yield RunningGateway(inner, folder / "undertow-data", key)
