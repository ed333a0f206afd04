import io
import sys

from undertow.cli.drawing import progress_bar
from undertow.ports.audit_source import silent


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nobody_watching_sees_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar() as progress:
        assert progress is silent
        progress("reading", 1, 2)
    assert stream.getvalue() == ""


def test_a_person_sees_the_stage_on_standard_error(monkeypatch):
    stream, out = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar() as progress:
        progress("reading rows", 10, 100)
        progress("weighing", 0, None)
    assert "weighing" in stream.getvalue()
    assert out.getvalue() == ""


def test_quiet_is_quiet_even_there(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(shown=False) as progress:
        progress("reading", 1, 2)
    assert stream.getvalue() == ""


def test_names_with_brackets_are_no_markup(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar() as progress:
        progress("reading [/nonsense] x[1].jsonl", 1, 2)
    assert "x[1].jsonl" in stream.getvalue()
