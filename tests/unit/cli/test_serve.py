"""What `undertow serve` says and refuses before it runs; tests/integration/test_serve_processes.py has it running."""

from pathlib import Path

import pytest

from gateway_stub.plans import plan
from undertow.cli import serve
from undertow.cli.main import main
from undertow.gateway.host import Compiled

SETTINGS = """
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:9/v1"
[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:9/v1"
[gateway]
workers = 3
drain_timeout_s = 7
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "undertow.toml").write_text(SETTINGS)
    return tmp_path / "undertow.toml"


def test_the_number_of_workers_is_that_of_the_command_line_else_of_the_settings(settings):
    assert serve._compile(None, "127.0.0.1", None, is_public_allowed=False).workers == 3
    compiled = serve._compile(settings, "127.0.0.1", 5, is_public_allowed=False)
    assert (compiled.workers, compiled.drain_timeout_s) == (5, 7.0)


def exit_status(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["serve", *arguments])
    return caught.value.code


def test_wrong_settings_are_refused_with_status_2(settings, capsys):
    settings.write_text(SETTINGS.replace("workers = 3", "workers = 0"))
    assert exit_status() == 2
    assert "gateway.workers" in capsys.readouterr().err


def test_an_unset_key_variable_is_refused_by_name(settings, capsys, monkeypatch):
    monkeypatch.delenv("UNDERTOW_TEST_ABSENT", raising=False)
    settings.write_text(SETTINGS.replace('"large"\n', '"large"\napi_key_env = "UNDERTOW_TEST_ABSENT"\n'))
    assert exit_status() == 2
    assert "UNDERTOW_TEST_ABSENT" in capsys.readouterr().err


def test_a_public_address_without_keys_is_refused(settings, capsys):
    assert exit_status("--host", "::") == 2
    assert "anybody could spend your money" in capsys.readouterr().err


def test_the_greeting_names_what_serves_and_no_secret(capsys):
    serve._greet("http://127.0.0.1:4040", Compiled(plan("v7"), workers=2))
    said = capsys.readouterr().err
    for expected in ("http://127.0.0.1:4040/v1 (2 workers", "cheap (cheap), capable", "threshold 0.7", "version v7",
                     "5% holdout", "callers need no key", "undertow audit undertow-data"):  # fmt: skip
        assert expected in said


def test_a_long_temporary_folder_is_not_used(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    folder = serve._make_runtime_folder()
    assert len(folder) <= serve.MAX_FOLDER
    assert not list(deep.iterdir())
    Path(folder).rmdir()
