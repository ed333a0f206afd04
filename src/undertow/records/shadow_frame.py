"""How a `ShadowRequest` goes from a worker to the keeper: over a Unix stream socket, after its length, in MessagePack.

The keeper checks what arrives as if anybody had sent it.
"""

import math
from typing import get_args

import msgspec

from undertow.records.request import Endpoint
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import ShadowRequest

LENGTH_BYTES = 4
"""A frame begins with so many bytes of its length, big-endian."""
MAX_FRAME_BYTES = 8_000_000
"""A longer request is not sent a second time: it would be dear, and nobody would read the answers to it."""
MAX_ID_CHARS = 128
MAX_HEADERS = 16
ENDPOINTS: frozenset[str] = frozenset(get_args(Endpoint))

_DECODER = msgspec.msgpack.Decoder(ShadowRequest)


class FrameError(ValueError):
    """What arrived is no request: what was seen. Never quotes it."""


def encode_frame(request: ShadowRequest) -> bytes | None:
    """The frame of a request, or None where it would be longer than a frame may be, or a text of it is no Unicode text.

    Examples:
        >>> request = ShadowRequest(
        ...     decision_id="d", event_time="2026-03-01T12:00:00.000Z", endpoint="messages", tier="cheap", inclusion_probability=0.1,
        ...     stratum="tail", body=b"{}", prompt="", answer="",
        ... )
        >>> frame = encode_frame(request)
        >>> int.from_bytes(frame[:LENGTH_BYTES], "big") == len(frame) - LENGTH_BYTES, decode_frame(frame[LENGTH_BYTES:]) == request
        (True, True)
    """
    try:
        payload = msgspec.msgpack.encode(request)
    except UnicodeEncodeError:  # half a UTF-16 pair, which only a redaction hook can bring in
        return None
    return None if len(payload) > MAX_FRAME_BYTES else len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def decode_frame(payload: bytes) -> ShadowRequest:
    """The request of a frame without its length.

    Raises:
        FrameError: It is none, or holds what no worker sends.
    """
    try:
        request = _DECODER.decode(payload)
    except UNREADABLE:
        raise FrameError("the frame holds no shadow request") from None
    if not 0 < len(request.decision_id) <= MAX_ID_CHARS:
        raise FrameError("the frame's decision_id is empty or too long")
    if request.endpoint not in ENDPOINTS:
        raise FrameError("the frame's endpoint is none that is routed")
    for probability in (request.inclusion_probability, request.review_probability):
        if probability is not None and not (math.isfinite(probability) and 0 < probability <= 1):
            raise FrameError("a probability of the frame is outside (0, 1]")
    for number in (request.confidence, request.novelty):
        if number is not None and not math.isfinite(number):
            raise FrameError("a number of the frame is not finite")
    if len(request.headers) > MAX_HEADERS:
        raise FrameError("the frame has too many headers")
    return request
