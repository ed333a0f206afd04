import socket
from types import SimpleNamespace

import pytest

from undertow.gateway.turns import MAX_WAITING, TurnSender
from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord
from undertow.records.request import RequestFacts
from undertow.records.turn import Handover, Turn, decode_messages

INCOMING = SimpleNamespace(facts=RequestFacts("chat.completions", "auto", text="where is it", is_user_turn=True))


def record(conversation="c"):
    return DecisionRecord(
        decision_id="d", event_time="2026-01-01T00:00:01.500Z", conversation_id=conversation, status="ok"
    )


@pytest.fixture
def keeper(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "turns.sock"))
        listening.setblocking(False)
        yield listening


def sender(tmp_path, dropped=None, *, enabled=True):
    return TurnSender(str(tmp_path / "turns.sock"), enabled, (dropped if dropped is not None else []).append)


def test_turns_of_a_tick_go_in_one_datagram(tmp_path, keeper):
    turns = sender(tmp_path)
    turns.take(record(), INCOMING, AnswerFacts(tool_names=("transfer_to_human",)))
    turns.take_handover(5.0, None, "c")
    turns.flush()
    (turn, handover), broken = decode_messages(keeper.recv(100_000))
    assert isinstance(turn, Turn)
    assert (turn.text, turn.tool_calls, turn.event_time) == ("where is it", ("transfer_to_human",), 1_767_225_601.5)
    assert isinstance(handover, Handover)
    assert not broken
    turns.close()


def test_a_decision_without_a_conversation_says_nothing(tmp_path, keeper):
    turns = sender(tmp_path)
    turns.take(record(conversation=None), INCOMING, None)
    turns.flush()
    with pytest.raises(BlockingIOError):
        keeper.recv(1)
    turns.close()


def test_without_a_keeper_turns_are_dropped_and_counted(tmp_path):
    dropped = []
    turns = sender(tmp_path, dropped)
    turns.take(record(), INCOMING, None)
    turns.take(record(), INCOMING, None)
    turns.flush()
    assert sum(dropped) == 2


def test_a_keeper_that_was_started_anew_is_found(tmp_path):
    turns = sender(tmp_path)
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(tmp_path / "turns.sock"))
            turns.take(record(), INCOMING, None)
            turns.flush()
            assert listening.recv(100_000)
        (tmp_path / "turns.sock").unlink()
    turns.close()


def test_a_keeper_that_does_not_read_is_not_waited_for(tmp_path, keeper):
    dropped = []
    turns = sender(tmp_path, dropped)
    for _ in range(2_000):
        turns.take(record(), INCOMING, None)
        turns.flush()
    assert 0 < sum(dropped) < 2_000
    turns.close()


def test_what_waits_is_bounded(tmp_path):
    dropped = []
    turns = sender(tmp_path, dropped)
    for _ in range(MAX_WAITING + 10):
        turns.take(record(), INCOMING, None)
    assert sum(dropped) == 10


def test_switched_off_nothing_leaves_the_worker(tmp_path, keeper):
    turns = sender(tmp_path, enabled=False)
    turns.take(record(), INCOMING, None)
    turns.flush()
    with pytest.raises(BlockingIOError):
        keeper.recv(1)
