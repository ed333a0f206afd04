import msgspec
import pytest

from undertow.adapters.wire.stream import error_word
from undertow.records.answer import Evidence
from wire_samples import CHAT, STREAMS, asked, chunk, fed, sse


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ({"type": "server_error", "message": "secret"}, "server_error"),
        ({"type": None, "code": 502}, "502"),
        ({"message": "secret"}, "error"),
        ({"type": "a b\r\nc" + "d" * 99}, "a_b_c" + "d" * 59),
        ("secret", "error"),
        ({"type": ["secret"]}, "error"),
    ],
)
def test_of_an_error_only_a_bounded_word_is_told(error, word):
    assert error_word(msgspec.Raw(msgspec.json.encode(error))) == word


@pytest.mark.parametrize(("dialect", "stream"), STREAMS.values(), ids=STREAMS)
def test_nothing_after_the_end_is_passed_on(dialect, stream):
    reader = dialect.stream_reader(asked(dialect, stream=True))
    alone = fed(dialect.stream_reader(asked(dialect, stream=True)), [stream])
    piece = fed(reader, [stream + stream, b"data: more\n\n", b"<html>"])
    assert reader.is_complete
    assert (piece.forward, piece.last) == (alone.forward, alone.last)


@pytest.mark.parametrize(("dialect", "stream"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_complete_only_at_its_end(dialect, stream):
    reader = dialect.stream_reader(asked(dialect, stream=True))
    piece = fed(reader, [stream[:-1]])
    assert not reader.is_complete
    assert piece.last == b""
    assert reader.feed(stream[-1:]).last
    assert reader.is_complete


@pytest.mark.parametrize(("dialect", "stream"), STREAMS.values(), ids=STREAMS)
def test_what_a_cut_stream_used_is_estimated(dialect, stream):
    request = asked(dialect, stream=True)
    reader = dialect.stream_reader(request)
    assert reader.facts().usage.input_tokens == request.facts.input_tokens
    fed(reader, [stream[: stream.index(b"den Knopf") - 60]])
    usage = reader.facts().usage
    assert usage.is_estimated
    assert usage.output_tokens == 2  # six characters
    assert usage.input_tokens == (125 if dialect.kind == "anthropic" else request.facts.input_tokens)


def test_the_line_feed_after_the_end_is_neither_waited_for_nor_lost():
    stream = sse(chunk({"content": "a"}), done=True, end="\r\n")
    ends = set()
    for place in range(len(stream) - 4, len(stream)):
        reader = CHAT.stream_reader(asked(CHAT, stream=True))
        piece = fed(reader, [stream[:place], stream[place:]])
        assert reader.is_complete
        ends.add(piece.last)
    assert ends == {b"data: [DONE]\r\n\r\n"}


@pytest.mark.parametrize(
    "garbage", [b"<html>", b'{"error": {}}', b"data: {\n\n", b"data: [1]\n\n", b'data: "\xff"\n\n', b"data: \n\n"]
)
@pytest.mark.parametrize("dialect", [dialect for dialect, _ in STREAMS.values()], ids=STREAMS)
def test_garbage_is_refused(dialect, garbage):
    with pytest.raises(ValueError):
        dialect.stream_reader(asked(dialect, stream=True)).feed(garbage)


@pytest.mark.parametrize(("dialect", "stream"), STREAMS.values(), ids=STREAMS)
def test_text_is_kept_when_asked(dialect, stream):
    request = asked(dialect, stream=True)
    for keeps, text in ((True, "Drück den Knopf 🔘"), (False, None)):
        reader = dialect.stream_reader(request, evidence=Evidence(text=keeps))
        fed(reader, [stream])
        facts = reader.facts()
        assert facts.text == text
        assert facts.chars == 17
        assert facts.model == "small-2026"
