import pytest

from undertow.bootstrap.redaction import redaction_hook
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
