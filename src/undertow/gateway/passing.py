"""Paths that are not routed, passed on to the upstream of `[passthrough]` as they are."""

from collections.abc import Callable, Iterable
from typing import Any

from undertow.adapters.upstreams.exchange import Exchange
from undertow.adapters.upstreams.passthrough import HOP_HEADERS, PassthroughUpstream
from undertow.gateway.refusal import RefusedError
from undertow.gateway.reply import Headers, Send
from undertow.ports.upstream import UpstreamFailedError

NOT_PASSED_BACK = HOP_HEADERS | {b"set-cookie", b"server"}


async def pass_through(
    upstream: PassthroughUpstream,
    method: str,
    path: str,
    query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    send: Send,
    caller: Any,
    decision_id: str,
    *,
    on_end: Callable[[], None],
) -> str:
    """Ask the upstream and stream its answer back, whatever its status.

    Args:
        upstream: Where to.
        method: HTTP method.
        path: Path below its base URL.
        query: Query string, without its question mark.
        headers: The caller's.
        body: The caller's.
        send: ASGI's.
        caller: The server's connection: `disconnected` and `on_disconnect`. When it has gone the upstream is let go.
        decision_id: The caller is told it.
        on_end: Called once the whole answer is there, before its last byte is sent.

    Returns:
        What went wrong after the head was sent, in one word; empty: nothing did.

    Raises:
        RefusedError: Nothing has been sent yet, and nothing can be.
    """
    target = path + ("?" + query.decode("latin-1") if query else "")
    try:
        answer = await upstream.forward(method, target, headers, body)
    except ValueError:
        raise RefusedError(
            400, "the path or a header of this request cannot be passed on", code="invalid_path"
        ) from None
    except UpstreamFailedError as error:
        raise RefusedError(
            504 if error.kind == "timeout" else 502, "the upstream for unrouted paths did not answer",
            code=f"upstream_{error.kind}", type_="upstream_error",
        ) from None  # fmt: skip
    caller.on_disconnect = answer.abort
    if caller.disconnected:
        answer.abort()
        return "client_closed"
    if answer.status in (401, 403):
        answer.abort()
        raise RefusedError(
            502,
            "the upstream for unrouted paths refused our credentials",
            code="upstream_refused",
            type_="upstream_error",
        )
    kept = [(name, value) for name, value in answer.headers.items() if name not in NOT_PASSED_BACK]
    kept.append((b"x-undertow-decision-id", decision_id.encode()))
    if answer.status >= 400 and method != "HEAD":
        return await _pass_error(upstream, answer, kept, send, on_end)
    await send({"type": "http.response.start", "status": answer.status, "headers": kept})
    # Where the length was told, the last piece ends the answer; else something more does, and no piece need be held back.
    has_length = any(name == b"content-length" for name, _ in kept)
    waiting = b""
    try:
        async for chunk in answer.chunks():
            sent, waiting = (waiting, chunk) if has_length else (chunk, b"")
            if sent:
                await send({"type": "http.response.body", "body": sent, "more_body": True})
    except UpstreamFailedError as error:
        if caller.disconnected:
            return "client_closed"
        # Without its last piece the message is visibly incomplete: the caller's client reports it.
        return error.call_status
    on_end()
    await send({"type": "http.response.body", "body": waiting})
    return ""


async def _pass_error(
    upstream: PassthroughUpstream, answer: Exchange, headers: Headers, send: Send, on_end: Callable[[], None]
) -> str:
    """Pass an error on as a whole, without our key: some servers repeat what they were sent."""
    try:
        body = upstream.without_key(await answer.read())
    except UpstreamFailedError as error:
        raise RefusedError(
            502, "the upstream for unrouted paths broke off", code=f"upstream_{error.kind}", type_="upstream_error"
        ) from None
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    kept.append((b"content-length", b"%d" % len(body)))
    on_end()
    await send({"type": "http.response.start", "status": answer.status, "headers": kept})
    await send({"type": "http.response.body", "body": body})
    return ""
