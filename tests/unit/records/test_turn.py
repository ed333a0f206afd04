import msgspec

from undertow.records.turn import (
    MAX_DATAGRAM_BYTES,
    MAX_TEXT_CHARS,
    MAX_TOOL_CALLS,
    Handover,
    Turn,
    decode_messages,
    encode_messages,
)


def turn(**given):
    return Turn(**{"decision_id": "d", "conversation_id": "c", "event_time": 1.5, **given})


def test_messages_come_back_as_they_were_sent():
    sent = [
        turn(text="naïve\nline", tool_calls=("hand_over",), status="abandoned"),
        Handover(event_time=2.0, decision_id="d"),
    ]
    (datagram,) = encode_messages(sent)
    assert decode_messages(datagram) == (sent, 0)


def test_text_and_tool_names_are_cut_to_their_limits():
    (datagram,) = encode_messages([turn(text="\x00" * 9_999, tool_calls=("n" * 999,) * 99)])
    ((got,), _) = decode_messages(datagram)
    assert len(got.text) == MAX_TEXT_CHARS
    assert len(got.tool_calls) == MAX_TOOL_CALLS
    assert len(datagram) < MAX_DATAGRAM_BYTES


def test_a_long_text_of_another_sender_is_cut_on_arrival():
    ((got,), _) = decode_messages(msgspec.json.encode(turn(text="x" * 9_999)))
    assert len(got.text) == MAX_TEXT_CHARS


def test_many_messages_share_datagrams_within_the_limit():
    datagrams = encode_messages([turn(decision_id=str(i), text="x" * 1_000) for i in range(200)])
    assert 1 < len(datagrams) < 10
    assert max(map(len, datagrams)) <= MAX_DATAGRAM_BYTES
    assert [message.decision_id for datagram in datagrams for message in decode_messages(datagram)[0]] == [
        str(i) for i in range(200)
    ]


def test_a_broken_line_costs_only_itself():
    (good,) = encode_messages([turn()])
    assert decode_messages(b"{" + b"\n" + good + b'\n{"t":"turn"}\n\xff') == ([turn()], 3)


def test_the_text_does_not_show_in_a_repr():
    assert "secret" not in repr(turn(text="secret"))
