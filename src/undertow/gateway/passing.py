"""Paths that are not routed, passed on to the upstream of `[passthrough]` as they are."""

from collections.abc import Iterable

from undertow.adapters.upstreams.passthrough import HOP_HEADERS, PassthroughUpstream
from undertow.gateway.asgi_reply import Send
from undertow.gateway.refusal import RefusedError
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
    decision_id: str,
) -> str:
    """Ask the upstream and stream its answer back, whatever its status.

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
    await send({"type": "http.response.start", "status": answer.status, "headers": kept})
    try:
        async for chunk in answer.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except UpstreamFailedError as error:
        # Without its last chunk the message is visibly incomplete: the caller's client reports it.
        return error.call_status
    await send({"type": "http.response.body", "body": b""})
    return ""
