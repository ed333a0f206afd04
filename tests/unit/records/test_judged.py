import msgspec
import pytest

from undertow.records.judged import Anchor, AnchorResult, JudgeState


def result(**more):
    return AnchorResult(anchor_id="a", at="2026-03-01T12:00:00.000Z", judge="j", version="v", human="A", **more)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"verdict": "A"}, True),
        ({"verdict": "tie"}, False),
        ({"outcome": "refused"}, False),
        ({"outcome": "unparsable"}, False),
        ({"outcome": "injected"}, False),
        ({"outcome": "timeout"}, None),
        ({"outcome": "over_budget"}, None),
    ],
)
def test_words_that_are_no_verdict_are_not_right_and_a_judge_that_was_not_asked_is_neither(more, expected):
    assert result(**more).is_right is expected


def test_an_anchor_needs_a_verdict_of_people():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"request": "", "answer_a": "", "answer_b": "", "human": "C"}', type=Anchor)


def test_the_state_comes_back_as_it_was_written():
    state = JudgeState(until="2026-03-01T12:00:00.000Z", done={"d1": "2026-03-01T12:00:00.000Z"}, counts={"wins": 1})
    assert msgspec.json.decode(msgspec.json.encode(state), type=JudgeState) == state
