import socket
import time
from collections import Counter

import pytest

from undertow.keeper.turns import TurnInbox
from undertow.records.turn import Turn, encode_messages


def turn(i):
    return Turn(decision_id=f"d{i}", conversation_id="c", event_time=1.0)


@pytest.fixture
def send(tmp_path):
    def to(datagram):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, str(tmp_path / "t"))

    return to


def take(inbox, most):
    """What arrived once that many things were counted or kept."""
    messages, counts = [], Counter()
    deadline = time.monotonic() + 10
    while len(messages) + counts.total() < most and time.monotonic() < deadline:
        more, counted = inbox.take()
        messages += more
        counts.update(counted)
        time.sleep(0.005)
    return messages, counts


def test_messages_arrive_in_order(tmp_path, send):
    inbox = TurnInbox(tmp_path / "t")
    for datagram in encode_messages([turn(1), turn(2)]) + encode_messages([turn(3)]):
        send(datagram)
    messages, counts = take(inbox, 3)
    inbox.close()
    assert messages == [turn(1), turn(2), turn(3)]
    assert not counts.total()
    assert not (tmp_path / "t").exists()


def test_what_is_no_turn_is_counted_and_stops_nothing(tmp_path, send):
    inbox = TurnInbox(tmp_path / "t")
    for datagram in (b"", b"\xff{", b"x" * 100_000, *encode_messages([turn(1)])):
        send(datagram)
    messages, counts = take(inbox, 4)
    inbox.close()
    assert messages == [turn(1)]
    assert counts["turns_broken"] == 3


def test_what_nobody_takes_is_bounded_and_counted(tmp_path, send):
    inbox = TurnInbox(tmp_path / "t", most=2)
    (datagram,) = encode_messages([turn(i) for i in range(5)])
    send(datagram)
    inbox.close()  # waits for the thread, not for what is under way
    messages, counts = inbox.take()
    assert len(messages) in (0, 2)
    assert counts["turns_dropped"] in (0, 3)
