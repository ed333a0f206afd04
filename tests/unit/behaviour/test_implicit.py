import pickle

import pytest

from undertow.behaviour.implicit import LATENESS_S, Bounds, ImplicitSignals
from undertow.records.serving import ImplicitPlan
from undertow.records.turn import Handover, Turn

WINDOW = 600.0
AT = 1_767_225_600.0
PLAN = ImplicitPlan(window_s=WINDOW, handover_tools=("hand_over",), human_words=("hotline",))


def turn(name, after=0.0, text="how do I cancel my order", conversation="c", **given):
    return Turn(decision_id=name, conversation_id=conversation, event_time=AT + after, text=text, **given)


def values(*messages, plan=PLAN, now=AT + 10_000):
    signals = ImplicitSignals(plan, b"k")
    for message in messages:
        signals.see(message, AT + 60)
    return {(signal.decision_id, signal.name): signal.value for signal in signals.settle(now)}


def test_every_decision_gets_every_signal_once_so_that_rates_have_their_denominator():
    found = values(turn("d1"), turn("d2", 60, "I want to talk to a human"), turn("d1"))
    assert found == {
        ("d1", "no_repeat"): 1,
        ("d1", "no_abandon"): 1,
        ("d1", "no_human_asked"): 0,
        ("d1", "no_handover"): 1,
        ("d2", "no_repeat"): 1,
        ("d2", "no_abandon"): 0,
        ("d2", "no_human_asked"): 1,
        ("d2", "no_handover"): 1,
    }


def test_own_words_and_tools_count():
    found = values(turn("d1", tool_calls=("search", "hand_over")), turn("d2", 60, "give me your hotline number"))
    assert found["d1", "no_handover"] == 0
    assert found["d1", "no_human_asked"] == 0


def test_without_tools_handovers_are_counted_only_where_some_are_posted():
    plan = ImplicitPlan(window_s=WINDOW)
    assert ("d1", "no_handover") not in values(turn("d1"), plan=plan)
    assert values(Handover(event_time=AT + 10, conversation_id="c"), turn("d1"), plan=plan)["d1", "no_handover"] == 0
    assert values(turn("d1"), Handover(event_time=AT + 10, decision_id="d1"), plan=plan)["d1", "no_handover"] == 0


def test_a_signal_is_dated_to_what_showed_it_and_named_for_its_decision():
    signals = ImplicitSignals(PLAN, b"k")
    signals.see(turn("d1"), AT)
    signals.see(turn("d2", 60), AT + 61)
    assert signals.settle(AT + 60 + LATENESS_S - 1) == ()
    first = signals.settle(AT + 60 + LATENESS_S + 1)[0]
    assert first.signal_id == "implicit:no_repeat:d1"
    assert (first.kind, first.selection, first.inclusion_probability) == ("implicit", "census", None)
    assert first.event_time == "2026-01-01T00:01:00.000Z"
    assert first.received_at == "2026-01-01T00:03:01.000Z"
    assert signals.settle(AT + 400) == ()
    assert {signal.decision_id for signal in signals.settle(AT + 10_000)} == {"d2"}


def test_conversations_do_not_mix():
    found = values(turn("d1", conversation="a"), turn("d2", 60, conversation="b"))
    assert found["d1", "no_repeat"] == 1


@pytest.mark.parametrize("after", [-WINDOW - LATENESS_S - 61, 10_000.0])
def test_turns_of_a_wrong_clock_are_counted_and_not_kept(after):
    signals = ImplicitSignals(PLAN, b"k")
    signals.see(turn("d1", after), AT + 60)
    assert signals.open_turns == 0
    assert signals.counts["turns_late"] == 1


def test_a_turn_that_comes_again_after_it_was_settled_counts_no_second_time():
    signals = ImplicitSignals(PLAN, b"k")
    signals.see(turn("d1"), AT)
    signals.see(turn("d2", 60), AT + 60)
    assert len(signals.settle(AT + 300)) == 4
    signals.see(turn("d1"), AT + 301)
    assert signals.counts["turns_duplicate"] == 1


def test_too_many_conversations_are_sampled_by_hash_and_say_so():
    signals = ImplicitSignals(PLAN, b"k", Bounds(turns=1_000, conversations=1_000))
    for i in range(20_000):
        signals.see(turn(f"d{i}", conversation=f"c{i}"), AT)
        assert signals.open_turns <= 1_000
    found = [signal for signal in signals.settle(AT + 10_000) if signal.name == "no_repeat"]
    assert {signal.selection for signal in found} == {"sampled"}
    estimate = sum(1 / signal.inclusion_probability for signal in found)
    assert estimate == pytest.approx(20_000, rel=0.15)
    assert signals.counts["turns_unfollowed"] == 20_000 - len(found)


def test_sampling_does_not_change_the_rate():
    """Conversations that go on quickly must not stay in memory more likely than those that are silent."""
    signals = ImplicitSignals(PLAN, b"k", Bounds(turns=2_000, conversations=2_000))
    found = []
    for i in range(20_000):
        now = AT + i * 0.02
        signals.see(Turn(decision_id=f"d{i}", conversation_id=f"c{i}", event_time=now, text="cancel order now"), now)
        if i % 4 == 0:  # a quarter asks again
            signals.see(
                Turn(decision_id=f"e{i}", conversation_id=f"c{i}", event_time=now + 5, text="cancel order now"), now + 5
            )
        if i % 100 == 0:
            found += signals.settle(now)
    found += signals.settle(AT + 10_000)
    first = [signal for signal in found if signal.name == "no_repeat" and signal.decision_id.startswith("d")]
    weights = [1 / (signal.inclusion_probability or 1) for signal in first]
    rate = sum(weight * signal.value for weight, signal in zip(weights, first, strict=True)) / sum(weights)
    assert len(first) > 300
    assert rate == pytest.approx(0.75, abs=0.06)


def test_the_share_grows_again_when_there_is_room():
    signals = ImplicitSignals(PLAN, b"k", Bounds(turns=100, conversations=100))
    for i in range(200):
        signals.see(turn(f"d{i}", conversation=f"c{i}"), AT)
    low = signals.share
    signals.settle(AT + 10_000)
    signals.settle(AT + 20_000)
    assert low < signals.share
    assert signals.share == 1.0 or signals.settle(AT + 30_000) == ()


def test_nothing_of_a_text_stays_in_memory():
    signals = ImplicitSignals(PLAN, b"k")
    signals.see(turn("d1", text="zebracorn umbrellafish quixotic"), AT)
    assert signals.open_turns == 1
    assert b"umbrellafish" not in pickle.dumps(vars(signals))
