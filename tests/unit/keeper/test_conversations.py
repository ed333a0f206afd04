import pytest

from undertow.behaviour.implicit import ImplicitSignals
from undertow.keeper import conversations
from undertow.keeper.conversations import Conversations
from undertow.records.serving import ImplicitPlan
from undertow.records.turn import Turn

AT = 1_767_225_600.0


class Inbox:
    def __init__(self):
        self.messages, self.counts = [], {}

    def take(self):
        taken, self.messages = self.messages, []
        counts, self.counts = self.counts, {}
        return taken, counts


class Log:
    def __init__(self):
        self.kept, self.is_broken, self.syncs = [], False, 0

    def add(self, signals):
        if self.is_broken:
            raise OSError("no space")
        self.kept += signals
        return (True,) * len(signals)

    def sync(self):
        self.syncs += 1


@pytest.fixture
def parts():
    inbox, log, now = Inbox(), Log(), [AT]
    job = Conversations(inbox, ImplicitSignals(ImplicitPlan(), b"k"), log, lambda: now[0])
    return job, inbox, log, now


def turn(i, after=0.0, conversation="c"):
    return Turn(decision_id=f"d{i}", conversation_id=conversation, event_time=AT + after, text="cancel my order")


def test_turns_become_signals_in_the_log(parts):
    job, inbox, log, now = parts
    inbox.messages = [turn(1), turn(2, 60)]
    inbox.counts = {"turns_dropped": 7}
    assert job.run() == {"turns": 2, "turns_dropped": 7}
    now[0] = AT + 10_000
    assert job.run() == {"implicit_signals": 6}
    assert {(s.decision_id, s.name): s.value for s in log.kept}[("d1", "no_repeat")] == 0.0
    assert log.syncs == 2


def test_signals_wait_for_a_log_that_cannot_be_written(parts):
    job, inbox, log, now = parts
    inbox.messages = [turn(1)]
    job.run()
    now[0] = AT + 10_000
    log.is_broken = True
    for _ in range(2):
        with pytest.raises(OSError):
            job.run()
    log.is_broken = False
    assert job.run()["implicit_signals"] == 3
    assert len(log.kept) == len({s.signal_id for s in log.kept}) == 3


def test_what_waits_is_bounded_and_what_is_lost_counted(parts, monkeypatch):
    monkeypatch.setattr(conversations, "MAX_UNWRITTEN", 10)
    job, inbox, log, now = parts
    inbox.messages = [turn(i, conversation=f"c{i}") for i in range(10)]
    job.run()
    now[0] = AT + 10_000
    log.is_broken = True
    with pytest.raises(OSError):
        job.run()
    log.is_broken = False
    assert job.run()["implicit_signals_lost"] == 20
    assert len(log.kept) == 10


def test_when_turns_come_too_fast_fewer_conversations_are_followed_as_a_whole(parts):
    job, inbox, log, now = parts
    inbox.messages = [turn(i, conversation=f"c{i}") for i in range(200)]
    job.run()
    inbox.counts = {"turns_dropped": 1}
    job.run()
    now[0] = AT + 10_000
    job.run()
    assert {(s.selection, s.inclusion_probability) for s in log.kept} == {("sampled", 0.5)}
    assert 50 < len(log.kept) / 3 < 150


def test_a_burst_is_written_whole(parts, monkeypatch):
    monkeypatch.setattr(conversations, "MAX_UNWRITTEN", 10)
    job, inbox, log, now = parts
    inbox.messages = [turn(i, conversation=f"c{i}") for i in range(10)]
    job.run()
    now[0] = AT + 10_000
    assert "implicit_signals_lost" not in job.run()
    assert len(log.kept) == 30
