"""Implicit signals do not depend on the order or the number of times in which turns arrive, and memory is bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.behaviour.implicit import LATENESS_S, Bounds, ImplicitSignals
from undertow.records.serving import ImplicitPlan
from undertow.records.turn import Handover, Turn

PLAN = ImplicitPlan(window_s=40.0, handover_tools=("hand_over",))
AT = 1_767_225_600.0
TEXTS = [
    "how do I cancel my order",
    "cancel my order please, how?",
    "what does shipping cost",
    "ok",
    "talk to a human",
    "",
]

turns = st.builds(
    lambda number, conversation, after, text, is_user, retry, status, calls: Turn(
        decision_id=f"d{number}",
        conversation_id=conversation,
        event_time=AT + after,
        text=text,
        is_user_turn=is_user,
        client_retry=retry,
        status=status,
        tool_calls=calls,
    ),
    st.integers(0, 30),
    st.sampled_from("ab"),
    st.integers(0, 100).map(lambda tenths: tenths / 1.0),
    st.sampled_from(TEXTS),
    st.booleans(),
    st.sampled_from([0, 0, 1]),
    st.sampled_from(["ok", "ok", "error", "abandoned"]),
    st.sampled_from([(), (), ("hand_over",)]),
)
handovers = st.builds(
    lambda after, conversation: Handover(event_time=AT + after, conversation_id=conversation),
    st.integers(0, 100),
    st.sampled_from("ab"),
)


def run(messages, now=AT + 100, bounds=None):
    signals = ImplicitSignals(PLAN, b"k", bounds or Bounds())
    for message in messages:
        signals.see(message, now)
    return signals


def shown(signals, now=AT + 10_000):
    return [(s.signal_id, s.value, s.event_time) for s in signals.settle(now)]


@settings(deadline=None)
@given(
    st.lists(turns, max_size=12, unique_by=lambda turn: turn.decision_id),
    st.lists(handovers, max_size=2, unique_by=lambda handover: (handover.event_time, handover.conversation_id)),
    st.data(),
)
def test_order_and_repetition_of_arrival_do_not_matter(messages, more, data):
    arrived = data.draw(st.permutations([*messages, *more, *messages[:4]]))
    assert sorted(shown(run(arrived))) == sorted(shown(run([*messages, *more])))


@settings(deadline=None)
@given(st.lists(turns, max_size=20), st.integers(0, 60))
def test_each_decision_gets_each_signal_once_however_often_it_is_settled(messages, step):
    signals = ImplicitSignals(PLAN, b"k")
    found = []
    for message in messages:
        signals.see(message, AT + 100)
        found += shown(signals, AT + 60 + LATENESS_S + step)
    found += shown(signals) + shown(signals)
    ids = [signal_id for signal_id, _, _ in found]
    assert len(ids) == len(set(ids))
    assert signals.open_turns == 0


@settings(deadline=None)
@given(st.lists(turns, max_size=60, unique_by=lambda turn: turn.decision_id), st.integers(1, 8))
def test_settling_often_gives_what_settling_once_gives(messages, every):
    ordered = sorted(messages, key=lambda turn: (turn.event_time, turn.decision_id))
    signals = ImplicitSignals(PLAN, b"k")
    found = []
    for i, message in enumerate(ordered):
        signals.see(message, message.event_time)
        if i % every == 0:
            found += shown(signals, message.event_time)
    found += shown(signals)
    assert sorted(found) == sorted(shown(run(messages)))


@settings(deadline=None)
@given(st.lists(st.builds(lambda i: (f"d{i}", f"c{i % 40}"), st.integers(0, 10_000)), max_size=200))
def test_memory_is_bounded(pairs):
    bounds = Bounds(turns=16, conversations=8, settled=20)
    signals = ImplicitSignals(PLAN, b"k", bounds)
    for decision, conversation in pairs:
        signals.see(Turn(decision_id=decision, conversation_id=conversation, event_time=AT), AT)
        assert signals.open_turns <= bounds.turns
        assert len(signals._conversations) <= bounds.conversations
        assert len(signals._due) <= 2 * bounds.turns + 2
    signals.settle(AT + 10_000)
    assert len(signals._settled) <= bounds.settled
