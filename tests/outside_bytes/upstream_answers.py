"""What upstreams, and addresses that alerts are sent to, answer: HTTP framing and headers. The first byte says how it is cut."""

import asyncio
from datetime import UTC, datetime

from outside_bytes.target import Target, in_time
from scripted_http import Wire
from undertow.adapters.alerts.http import Caller, retry_after_s
from undertow.ports.upstream import UpstreamFailedError

AT = datetime(2026, 3, 1, tzinfo=UTC)
MAX_BODY = 16_384
KINDS = frozenset({"cut", "garbage", "too_large", "aborted"})


async def _receive(data: bytes, step: int, *, whole: bool) -> None:
    wire = Wire()
    exchange = wire.ask(max_body_bytes=MAX_BODY)
    wire.receive(*(data[at : at + step] for at in range(0, len(data), step)))
    wire.lose()
    if not exchange.has_ended:
        exchange.abort()
    try:
        await exchange.head()
        said = Caller()._judged(exchange.status, exchange.headers)
        assert said.outcome in {"delivered", "refused", "retry"}
        body = await exchange.read() if whole else b"".join([piece async for piece in exchange.chunks()])
        assert len(body) <= max(MAX_BODY, len(data))
    except UpstreamFailedError as failure:
        kind = failure.kind
    else:
        kind = None
    assert kind is None or kind in KINDS, kind
    assert not wire.idle or not wire.connection.is_open or len(wire.ended) == 1


def read(data: bytes) -> None:
    """An answer or a failure of a known kind."""
    cut, data = data[:1] or b"\0", data[1:]
    with in_time():
        asyncio.run(_receive(data, 1 + cut[0] * 16, whole=bool(cut[0] % 2)))
        waited = retry_after_s(data[:200], AT)
    assert waited is None or waited >= 0


SEEDS = (
    b"\x00HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    b"\xffHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
    b"\x05HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 429 Too Many\r\nretry-after: Sun, 01 Mar 2026 00:01:00 GMT\r\ncontent-length: 0\r\n\r\n",
    b"\x02HTTP/1.0 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\nbody to the end",
    b"\x07Sun, 01 Mar 2026 00:01:00 GMT",
    b"\x07120",
)
TARGET = Target("upstream_answers", read, SEEDS)
