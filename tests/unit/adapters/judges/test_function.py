import asyncio
import threading
import time

import pytest

from undertow.adapters.judges import function as judges
from undertow.adapters.judges.function import FunctionJudge, load_function
from undertow.errors import ConfigError
from undertow.judging.prompts import grade_prompt, pair_prompt

PAIR = pair_prompt("Which is better?", "2 + 2?", "4", "5", nonce="n7c7e", max_chars=500)
GRADE = grade_prompt("How right?", "2 + 2?", "4", nonce="n7c7e", max_chars=500)


def ask(function, prompt=PAIR, timeout_s=5.0):
    return asyncio.run(FunctionJudge("mine:judge", function, timeout_s).ask(prompt))


def test_it_is_called_with_request_answers_and_rubric():
    seen = []
    reply = ask(lambda *given: seen.append(given) or "B")
    assert seen == [("2 + 2?", "4", "5", "Which is better?")]
    assert (reply.status, reply.text, reply.model) == ("ok", '{"verdict":"B"}', "mine:judge")
    assert reply.usage is None


def test_asked_for_a_grade_it_has_no_other_answer():
    seen = []
    reply = ask(lambda *given: seen.append(given) or 0.5, GRADE)
    assert seen == [("2 + 2?", "4", None, "How right?")]
    assert reply.text == '{"score":0.5}'


@pytest.mark.parametrize(("value", "prompt", "kind"), [(1.0, PAIR, "float"), (None, PAIR, "NoneType"), ("A", GRADE, "str"), (True, GRADE, "bool"), (b"A", PAIR, "bytes")])  # fmt: skip
def test_a_wrong_type_is_told_by_its_name(value, prompt, kind):
    reply = ask(lambda *_: value, prompt)
    assert (reply.status, reply.call_status, reply.text) == ("failed", f"returned_{kind}", "")


def test_what_it_raises_is_told_by_its_type_and_never_by_its_text():
    def fails(request, *_):
        raise KeyError(f"secret in {request}")

    reply = ask(fails)
    assert (reply.status, reply.call_status) == ("failed", "KeyError")
    assert "secret" not in repr(reply)
    assert not reply.is_outage


def test_one_that_hangs_is_left_alone():
    began = time.monotonic()
    reply = ask(lambda *_: time.sleep(2) or "A", timeout_s=0.1)
    assert reply.status == "timeout"
    assert time.monotonic() - began < 1.5


def test_one_that_hangs_again_and_again_takes_a_bounded_number_of_threads(monkeypatch):
    monkeypatch.setattr(judges, "MOST_HANGING", 3)
    go_on, calls = threading.Event(), []

    def hangs(*_):
        calls.append(1)
        go_on.wait(20)
        return "A"

    def again():  # a judge of its own each time, as each run has
        return asyncio.run(FunctionJudge("mine:hangs", hangs, 0.05).ask(PAIR))

    replies = [again() for _ in range(8)]
    assert len(calls) == 3
    assert [reply.is_outage for reply in replies] == [False] * 3 + [True] * 5
    go_on.set()
    deadline = time.monotonic() + 10
    while again().status != "ok":
        assert time.monotonic() < deadline


def test_a_function_that_cannot_be_loaded_is_refused_with_its_name():
    assert load_function("json:dumps") is not None
    for name in ("no.such.module:f", "json:no_such", "json:__name__"):
        with pytest.raises(ConfigError, match=r"judge\.function"):
            load_function(name)
