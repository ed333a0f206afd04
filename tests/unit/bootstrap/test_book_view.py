"""The ledger in the background: pages never wait for it."""

import threading

from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.book_view import REST, BookView
from undertow.errors import LogError
from undertow.records.money import Book

BOOK = Book(1.0, None, None, None, 0.95, ())
REQUEST = AuditRequest(("nowhere",))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_first_to_ask_begins_it_and_later_ones_see_it():
    go, asked = threading.Event(), []

    def make(request, progress):
        asked.append(request)
        progress("joining", 1, None)
        assert go.wait(10)
        return BOOK

    view = BookView(REQUEST, make)
    assert view.ask("first").is_making
    assert view.ask("first").book is None
    go.set()
    view.wait(10)
    told = view.ask("first")
    assert (told.book, told.is_making, told.problem) == (BOOK, False, "")
    assert asked == [REQUEST]


def test_a_grown_log_is_read_again_but_not_all_the_time():
    clock, made = Clock(), []

    def make(request, progress):
        clock.now += 3.0
        made.append(1)
        return BOOK

    view = BookView(REQUEST, make, clock)
    for key, after_s, expected in (("a", 0.0, 1), ("a", 100.0, 1), ("b", 0.0, 2), ("c", 1.0, 2), ("c", 3 * REST, 3)):
        clock.now += after_s
        view.ask(key)
        view.wait(10)
        assert len(made) == expected, key


def test_what_goes_wrong_is_told_and_the_last_book_stays():
    answers = [BOOK, LogError("the log is gone"), OSError(5, "Input/output error"), RuntimeError("a bug")]
    clock = Clock()

    def make(request, progress):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    view, said = BookView(REQUEST, make, clock), []
    for key in range(4):
        view.ask(key)
        view.wait(10)
        told = view.ask(key)
        assert told.book is BOOK
        said.append(told.problem)
    assert said[:3] == ["", "the log is gone", "the log cannot be read (Input/output error)"]
    assert "RuntimeError" in said[3]
    assert "a bug" not in said[3]


def test_its_end_gives_up_the_book_that_is_being_made_and_begins_no_other():
    begun, went_on = threading.Event(), []

    def make(request, progress):
        begun.set()
        for step in range(1_000):
            progress("joining", step, None)
            threading.Event().wait(0.01)
        went_on.append(1)
        return BOOK

    view = BookView(REQUEST, make)
    assert view.ask("a").is_making
    assert begun.wait(10)
    view.stop()
    view.wait(10)
    assert not went_on
    assert view.ask("b") == view.ask("c")
    assert not view.ask("b").is_making
    assert view.ask("b").problem == ""
