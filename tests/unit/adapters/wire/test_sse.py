import pytest

from undertow.adapters.wire import sse
from undertow.adapters.wire.sse import EventSplitter, event_bytes, parse_event

MIXED = b"\n: hello\n\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\ndata: \xf0\x9f\x98\x80\r\rid: 5\nretry: 1\ndata\n\ndata: end\n\r\ndata: [DONE]\n\n"


def names_and_data(chunks):
    splitter = EventSplitter()
    return [(event.name, event.data) for chunk in chunks for event in splitter.feed(chunk)]


def test_all_line_ends_wherever_the_chunks_are_cut():
    expected = [
        (b"", None),
        (b"a", b"1\n2"),
        (b"", "😀".encode()),
        (b"", b""),
        (b"", b"end"),
        (b"", b"[DONE]"),
    ]
    assert names_and_data([MIXED]) == expected
    assert names_and_data([MIXED[n : n + 1] for n in range(len(MIXED))]) == expected
    for place in range(len(MIXED)):
        assert names_and_data([MIXED[:place], MIXED[place:]]) == expected, place


def test_events_keep_their_bytes():
    splitter = EventSplitter()
    assert b"".join(event.raw for n in range(len(MIXED)) for event in splitter.feed(MIXED[n : n + 1])) == MIXED


def test_an_event_is_given_as_soon_as_it_is_whole():
    splitter = EventSplitter()
    assert splitter.feed(b"data: 1\n") == []
    assert [event.data for event in splitter.feed(b"\ndata: 2")] == [b"1"]
    assert [event.data for event in splitter.feed(b"\r\r")] == [b"2"]


def test_a_byte_order_mark_is_no_part_of_the_first_field():
    assert parse_event(b"\xef\xbb\xbfdata: 1\n\n").data == b"1"


@pytest.mark.parametrize(
    "garbage", [b"<html>", b'{"error": 1}', b"data: 1\n\n<p>", b"Bad gateway\n\n", b"data: 1\n\nno field: x\n\n"]
)
def test_pages_and_documents_are_no_event_streams(garbage):
    with pytest.raises(ValueError, match="no event stream"):
        EventSplitter().feed(garbage)


def test_unknown_fields_are_passed_over():
    assert parse_event(b"trace-id: 5\ndata: 1\n\n").data == b"1"


def test_an_event_beyond_the_bound_is_refused_however_it_comes(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1_000)
    fits, too_long = (b"data: " + b"x" * size + b"\n\n" for size in (992, 993))
    assert len(EventSplitter().feed(fits)) == 1
    for chunks in ([too_long], [too_long[:500], too_long[500:]], [too_long[:999], too_long[999:]]):
        with pytest.raises(ValueError, match="longer than 1000"):
            names_and_data(chunks)
    with pytest.raises(ValueError, match="longer than 1000"):
        names_and_data([b"x"] * 1_001)


def test_an_event_is_written_as_it_is_read():
    event = parse_event(event_bytes(b"{}", "ping"))
    assert (event.name, event.data) == (b"ping", b"{}")
    assert event_bytes(b"{}") == b"data: {}\n\n"
