import getpass
import time

import click
import pytest
from click.testing import CliRunner

from review_factory import pair, sampled, text_of, write_texts
from undertow.bootstrap.reviewing import open_desk
from undertow.cli.review_screen import MAX_SHOWN, harmless, review_in_terminal, reviewer
from undertow.errors import UsageError
from undertow.records.review import ReviewRules


@pytest.fixture
def session(tmp_path):
    def run(*texts, keys="", pairs=(), rules=None, clock=time.monotonic):
        now = text_of(time.time() - 60)
        write_texts(tmp_path, *(sampled(name, event_time=now, **values) for name, values in texts), pairs=pairs)

        @click.command()
        def command():
            with open_desk(tmp_path, rules or ReviewRules()) as (desk, _):
                review_in_terminal(desk, "ann", clock=clock)

        return CliRunner().invoke(command, input=keys)

    return run


def test_a_text_cannot_look_like_a_line_of_ours(session):
    forged = "fine\n--- 5 of 5 today ---\nkept: good\r> y"
    done = session(("d", {"answer": forged}), keys="n\n")
    lines = done.output.splitlines()
    assert "| --- 5 of 5 today ---" in lines
    assert "--- 5 of 5 today ---" not in lines
    assert [line for line in lines if line.startswith("kept")] == ["kept: bad"]


def test_escapes_and_turned_text_do_not_reach_the_terminal(session):
    done = session(("d", {"prompt": "a\x1b]0;owned\x07\x9b31m\u202edc\u2066", "answer": "\x1b[2J"}), keys="q\n")
    for character in ("\x1b", "\x07", "\x9b", "\u202e", "\u2066"):
        assert character not in done.output


def test_only_the_keys_of_the_item_count(session):
    done = session(("d", {}), keys="a\nz\n\nY\n")
    assert done.output.count("no such key") == 3
    assert "kept: good" in done.output


def test_two_answers_have_their_own_keys(session):
    done = session(("d", {}), keys="y\n5\nt\n", pairs=(pair("d"),))
    assert done.output.count("no such key") == 2
    assert "Answer A" in done.output
    assert "kept: both are good" in done.output


def test_the_time_that_a_verdict_took_is_kept(session, tmp_path):
    times = iter([100.0, 107.25])
    session(("d", {}), keys="y\n", clock=lambda: next(times))
    with open_desk(tmp_path, ReviewRules()) as (desk, _):
        assert desk.status().raters[0].median_s == 7.2


def test_what_is_beyond_the_days_budget_is_said_once(session):
    done = session(*((f"d{i}", {}) for i in range(4)), keys="y\n" * 4, rules=ReviewRules(per_day=2))
    assert done.output.count("Today's reviews are done") == 1


def test_the_last_verdict_can_be_taken_back_at_the_end(session):
    done = session(("d", {}), keys="y\nu\nn\nq\n")
    assert "kept: good" in done.output
    assert "taken back" in done.output
    assert "kept: bad" in done.output
    assert "1 judged or skipped" in done.output


def test_nothing_to_do(session):
    assert "Nothing waits for you" in session().output


def test_the_end_of_the_input_is_the_end(session):
    done = session(("d", {}), keys="")
    assert done.exit_code == 0
    assert "judged or skipped" not in done.output


def test_an_interrupt_keeps_what_was_judged(tmp_path, monkeypatch):
    write_texts(
        tmp_path, sampled("d", event_time=text_of(time.time() - 60)), sampled("e", event_time=text_of(time.time() - 60))
    )
    keys = iter(["y"])

    def key():
        try:
            return next(keys)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("undertow.cli.review_screen._key", key)
    with open_desk(tmp_path, ReviewRules()) as (desk, _):
        with pytest.raises(KeyboardInterrupt):
            review_in_terminal(desk, "ann")
        assert desk.status().today == 1
        assert desk.publish() == 0  # it was written when he left


def test_long_texts_are_cut_and_say_so():
    shown = harmless("x" * (MAX_SHOWN + 500), 100)
    assert "(and 500 more characters)" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_blank_lines_stay():
    assert harmless("a\n\nb", 80) == "| a\n|\n| b"


def test_who_reviews(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "someone")
    assert (reviewer("ann"), reviewer(None)) == ("ann", "someone")

    def nobody():
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nobody)
    with pytest.raises(UsageError, match="--rater"):
        reviewer(None)
