import subprocess
import sys
import time
from threading import Event

import pytest

from undertow.bootstrap.redaction import BoundedHook, redaction_hook
from undertow.errors import ConfigError


def test_no_name_is_no_hook():
    assert redaction_hook(None) is None


@pytest.mark.parametrize("name", ["no_such_module:clean", "textwrap:no_such_function"])
def test_a_hook_that_cannot_be_loaded_is_an_error_at_start(name):
    with pytest.raises(ConfigError, match=r"retention.redact: .* cannot be imported"):
        redaction_hook(name)


def module(tmp_path, monkeypatch, content):
    name = f"hook_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("content", ["def clean(text) return text", "1 / 0", "import no_such_module"])
def test_so_is_one_whose_module_fails_and_its_words_are_not_told(tmp_path, monkeypatch, content):
    with pytest.raises(ConfigError, match="cannot be imported"):
        redaction_hook(f"{module(tmp_path, monkeypatch, content)}:clean")


def test_so_is_what_is_no_function(tmp_path, monkeypatch):
    name = module(tmp_path, monkeypatch, "clean = 'x'")
    with pytest.raises(ConfigError, match="is a str; expected a function"):
        redaction_hook(f"{name}:clean")


@pytest.mark.parametrize("returned", ["None", "7", "b'text'", "'half \\ud83d'"])
def test_what_is_no_text_raises_and_is_not_quoted(tmp_path, monkeypatch, returned):
    hook = redaction_hook(f"{module(tmp_path, monkeypatch, f'def clean(text): return {returned}')}:clean")
    with pytest.raises((TypeError, ValueError), match=r"returned no text|half a character") as raised:
        hook("4711")
    assert "4711" not in str(raised.value)


def test_a_function_that_hangs_is_given_up_and_after_some_not_called_again():
    release, called = Event(), []

    def hang(text):
        called.append(text)
        release.wait(30)
        return text

    hook = BoundedHook(hang, seconds=0.05, most_stuck=2)
    for _ in range(4):
        with pytest.raises(TimeoutError, match=r"took longer than|has not come back"):
            hook("4711")
    assert called == ["4711", "4711"]
    release.set()
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            assert hook("again") == "again"
            break
        except TimeoutError:  # those that were given up are about to come back
            time.sleep(0.01)
    assert called[2:] == ["again"]


def test_its_own_failure_is_raised_and_it_cannot_end_the_process(tmp_path, monkeypatch):
    name = module(tmp_path, monkeypatch, "import sys\ndef fail(text): 1 / 0\ndef leave(text): sys.exit(3)")
    with pytest.raises(ZeroDivisionError):
        redaction_hook(f"{name}:fail")("4711")
    with pytest.raises(RuntimeError, match="tried to end the process"):
        redaction_hook(f"{name}:leave")("4711")


def test_a_process_ends_while_its_function_hangs(tmp_path):
    (tmp_path / "hanging.py").write_text("import time\ndef clean(text): time.sleep(600)")
    program = (
        "from undertow.bootstrap import redaction\n"
        "hook = redaction.BoundedHook(__import__('hanging').clean, seconds=0.05)\n"
        "try: hook('x')\n"
        "except TimeoutError: print('given up')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "given up\n"
