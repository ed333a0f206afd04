from undertow.behaviour.conversation import MAX_TURNS, Conversation, OpenTurn
from undertow.behaviour.similarity import sketch

WINDOW, LATENESS = 100.0, 10.0


def turn(at, text="how do I cancel my order", **given):
    return OpenTurn(event_time=at, decision_id=f"d{at:g}", words=sketch(text, b"k"), **given)


def settle(*turns, now=1_000.0, handovers=()):
    conversation = Conversation()
    assert all(conversation.add(each) for each in turns)
    for at, decision in handovers:
        conversation.hand_over(at, decision)
    results, closed = conversation.settle(now, WINDOW, LATENESS, 0.8)
    assert len(conversation.turns) == len(turns) - len(closed)
    return {result.decision_id: result for result in results}


def test_a_turn_waits_for_its_next_message_and_for_stragglers():
    assert settle(turn(0), now=109.9) == {}
    assert set(settle(turn(0), now=110)) == {"d0"}
    assert set(settle(turn(0), turn(20), now=29.9)) == set()
    assert set(settle(turn(0), turn(20), now=30)) == {"d0"}


def test_asking_again_is_a_repeat_of_the_answer_before():
    found = settle(turn(0), turn(20), turn(40, "what does shipping to Norway cost"))
    assert [found[name].is_repeated for name in ("d0", "d20", "d40")] == [True, False, False]
    assert [found[name].at for name in ("d0", "d20", "d40")] == [20, 40, 140]


def test_after_the_window_nothing_is_a_repeat():
    assert not settle(turn(0), turn(101))["d0"].is_repeated


def test_a_tool_result_and_a_retry_are_no_message():
    found = settle(turn(0), turn(5, is_message=False), turn(20, "something else entirely different"))
    assert not found["d0"].is_repeated
    assert not found["d5"].is_repeated
    again = settle(turn(0), turn(5, is_message=False), turn(20))
    assert again["d0"].is_repeated
    assert again["d5"].is_repeated


def test_ending_on_a_repeat_or_on_a_wish_for_a_person_is_giving_up():
    assert settle(turn(0), turn(20))["d20"].is_abandoned
    assert settle(turn(0, "talk to a human", asks_human=True))["d0"].is_abandoned
    assert not settle(turn(0))["d0"].is_abandoned
    assert not settle(turn(0), turn(20), turn(40, "what does shipping cost"))["d20"].is_abandoned


def test_giving_up_falls_to_the_last_decision_of_a_loop_of_tools():
    found = settle(turn(0), turn(20), turn(25, is_message=False), turn(27, is_message=False))
    assert [found[f"d{at}"].is_abandoned for at in (0, 20, 25, 27)] == [False, False, False, True]


def test_a_caller_who_hangs_up_abandons():
    found = settle(turn(0, is_cut=True), turn(20, "what does shipping cost"))
    assert found["d0"].is_abandoned
    assert not found["d0"].is_repeated


def test_what_was_not_served_shows_nothing_and_asking_it_again_is_no_complaint():
    found = settle(turn(0, has_answer=False), turn(20))
    assert set(found) == {"d20"}
    assert not found["d20"].is_abandoned
    assert settle(turn(0), turn(10, has_answer=False), turn(20))["d20"].is_abandoned


def test_a_wish_for_a_person_counts_against_the_answer_before_it():
    found = settle(turn(0), turn(20, "talk to a human", asks_human=True))
    assert found["d0"].is_human_asked
    assert not found["d20"].is_human_asked


def test_a_handover_falls_to_the_decision_named_or_the_last_before_it():
    turns = (turn(0), turn(20, "what does shipping to Norway cost"))
    for handovers, expected in [
        ([(30, None)], {"d20"}),
        ([(15, None)], {"d0"}),
        ([(30, "d0")], {"d0"}),
        ([(500, None)], set()),
        ([], set()),
    ]:
        found = settle(*turns, handovers=handovers, now=900)
        assert {name for name, result in found.items() if result.is_handed_over} == expected
    assert settle(turn(0, calls_handover=True))["d0"].is_handed_over


def test_a_turn_that_comes_after_a_later_one_was_settled_is_refused():
    conversation = Conversation()
    assert conversation.add(turn(50))
    conversation.settle(1_000, WINDOW, LATENESS, 0.8)
    assert not conversation.add(turn(40))
    assert conversation.add(turn(60))


def test_one_conversation_cannot_fill_the_memory():
    conversation = Conversation()
    assert sum(conversation.add(turn(float(i), is_message=False)) for i in range(2 * MAX_TURNS)) == MAX_TURNS
