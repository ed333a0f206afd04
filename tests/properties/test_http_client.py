"""However an answer's bytes are cut into packets, the client makes the same of them; and no bytes at all upset it."""

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from scripted_http import Wire
from undertow.ports.upstream import UpstreamFailedError

KINDS = {"cut", "garbage", "too_large", "aborted"}

bodies = st.binary(max_size=60)


@st.composite
def answers(draw):
    """Bytes of a valid answer, its body, and whether it needs the peer to close."""
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    pieces = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=5))
    body = b"".join(pieces)
    interim = b"HTTP/1.1 103 Hints\r\nlink: </x>\r\n\r\n" * draw(st.integers(0, 2))
    padding = draw(st.sampled_from([b"", b"x-empty:\r\n", b"x-long: " + b"y" * 40 + b"\r\n"]))
    head = interim + b"HTTP/1.1 200 Fine\r\nContent-Type: application/json\r\n" + padding
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), body, False
    if framing == "close":
        return head + b"\r\n" + body, body, True
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    trailer = draw(st.sampled_from([b"", b"x-sum: 1\r\n"]))
    return head + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n", body, False


def cut_up(data, cuts):
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


def receive(parts, *, closes, error=None, whole=True):
    """Body or kind of failure, the exchange and its wire."""

    async def main():
        wire = Wire()
        exchange = wire.ask(max_body_bytes=1_000)
        wire.receive(*parts)
        if closes:
            wire.lose(error)
        if not exchange.has_ended:
            exchange.abort()
        try:
            await exchange.head()
            body = await exchange.read() if whole else b"".join([piece async for piece in exchange.chunks()])
        except UpstreamFailedError as failure:
            body = failure.kind
        return body, exchange, wire

    return asyncio.run(main())


@given(answers(), st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_the_body_does_not_depend_on_the_packets(answer, cuts, whole):
    data, body, closes = answer
    read, exchange, wire = receive(cut_up(data, cuts), closes=closes, whole=whole)
    assert read == body
    assert exchange.headers[b"content-type"] == b"application/json"
    assert bool(wire.idle) is not closes


@given(answers())
def test_one_byte_at_a_time_will_do(answer):
    data, body, closes = answer
    assert receive([bytes([byte]) for byte in data], closes=closes)[0] == body


@given(answers(), st.integers(1, 10_000), st.booleans())
def test_an_answer_that_stops_early_is_never_taken_for_whole(answer, missing, is_reset):
    data, body, closes = answer
    kept = data[: len(data) - 1 - missing % len(data)]
    read, _, wire = receive([kept] if kept else [], closes=True, error=ConnectionResetError() if is_reset else None)
    if closes and not is_reset and len(kept) >= len(data) - len(body):
        assert body.startswith(read)  # without a frame, nobody can tell
    else:
        assert read == "cut"
    assert not wire.idle


@given(answers(), st.integers(0, 10_000), st.binary(min_size=1, max_size=8), st.booleans())
def test_bytes_that_are_changed_give_an_answer_or_a_failure_and_nothing_else(answer, at, patch, closes):
    data, _, _ = answer
    at %= len(data)
    read, exchange, wire = receive([data[:at] + patch + data[at + len(patch) :]], closes=closes)
    assert isinstance(read, bytes) or read in KINDS
    assert wire.ended == [exchange]


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_noise_is_never_an_answer(parts):
    read, _, wire = receive(parts, closes=True)
    assert read in {"cut", "garbage"}
    assert not wire.idle
    assert not wire.connection.is_open


@given(answers(), answers(), st.lists(st.integers(0, 10_000), max_size=6))
def test_what_comes_after_an_answer_never_reaches_the_next_request(first, second, cuts):
    data, body, closes = first
    if closes:
        return
    read, _, wire = receive(cut_up(data + second[0], cuts), closes=False)
    assert read == body
    assert not wire.connection.is_open
