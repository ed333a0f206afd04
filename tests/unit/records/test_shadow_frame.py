import msgspec
import pytest

from shadow_requests import shadow_request
from undertow.records.shadow_frame import LENGTH_BYTES, MAX_FRAME_BYTES, FrameError, decode_frame, encode_frame


def test_a_request_comes_out_as_it_went_in():
    request = shadow_request(headers=(("anthropic-beta", "x"),), review_probability=0.5, review_stratum="tail+")
    frame = encode_frame(request)
    assert int.from_bytes(frame[:LENGTH_BYTES], "big") == len(frame) - LENGTH_BYTES
    assert decode_frame(frame[LENGTH_BYTES:]) == request


def test_a_request_that_is_too_long_has_no_frame():
    assert encode_frame(shadow_request(prompt="x" * MAX_FRAME_BYTES)) is None


def test_nor_has_one_with_half_a_character():
    assert encode_frame(shadow_request(prompt="cut \ud83d")) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"decision_id": ""},
        {"decision_id": "x" * 129},
        {"endpoint": "embeddings"},
        {"inclusion_probability": 0.0},
        {"inclusion_probability": float("nan")},
        {"inclusion_probability": 1.5},
        {"review_probability": float("inf")},
        {"confidence": float("nan")},
        {"headers": (("a", "b"),) * 17},
    ],
)
def test_what_no_worker_sends_is_refused(changes):
    with pytest.raises(FrameError):
        decode_frame(msgspec.msgpack.encode(shadow_request(**changes)))


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"{}", b"\x80", b"\x91" * 5000 + b"\x90", b"\xa1\xff"])
def test_bytes_that_are_no_request_are_refused_without_being_quoted(payload):
    with pytest.raises(FrameError) as raised:
        decode_frame(payload)
    assert str(raised.value) == "the frame holds no shadow request"
