import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from undertow import __version__
from undertow.cli import exit_status
from undertow.cli import main as main_module
from undertow.cli.main import COMMANDS, LazyCommand, main
from undertow.errors import ConfigError

UNDERTOW = Path(sys.executable).parent / "undertow"


@pytest.fixture
def ending(monkeypatch):
    """Runs a command whose body is the given function."""

    def run(body, *arguments: str):
        monkeypatch.setitem(COMMANDS, "ends", LazyCommand("tests.ends", "Ends."))
        module = type(sys)("tests.ends")
        module.command = click.command("ends")(body)
        monkeypatch.setitem(sys.modules, "tests.ends", module)
        return CliRunner().invoke(main, [*arguments, "ends"])

    return run


def raising(error: BaseException):
    def body():
        raise error

    return body


def test_an_error_of_ours_is_one_line_on_standard_error(ending):
    done = ending(raising(ConfigError("the margin is 2; it must be less than 1")))
    assert done.exit_code == exit_status.BAD_USAGE == 2
    assert done.stderr == "undertow: error: the margin is 2; it must be less than 1\n"
    assert done.stdout == ""


def test_each_line_of_a_longer_error_bears_the_prefix(ending):
    done = ending(raising(ConfigError("one\ntwo")))
    assert done.stderr == "undertow: error: one\nundertow: error: two\n"


def test_a_bug_asks_for_a_report_and_shows_no_traceback_nor_message(ending):
    done = ending(raising(ZeroDivisionError("prompt of a user")))
    assert done.exit_code == exit_status.BUG == 70
    assert "this is a bug in undertow" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "prompt of a user" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("by_option", [True, False])
def test_a_bug_shows_its_traceback_on_request(ending, monkeypatch, by_option):
    if not by_option:
        monkeypatch.setenv("UNDERTOW_DEBUG", "1")
    done = ending(raising(ZeroDivisionError("x")), *(["--debug"] if by_option else []))
    assert done.exit_code == 70
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: None, exit_status.HEALTHY),
        (lambda: exit_status.INCONCLUSIVE, exit_status.INCONCLUSIVE),
        (lambda: click.get_current_context().exit(1), exit_status.LOSS),
        (raising(SystemExit(3)), 3),
        (raising(KeyboardInterrupt()), exit_status.INTERRUPTED),
        (raising(BrokenPipeError()), exit_status.PIPE_CLOSED),
        (raising(OSError(28, "No space left on device")), exit_status.BAD_USAGE),
        (raising(OSError(9, "Bad file descriptor")), exit_status.BUG),
        (raising(MemoryError()), exit_status.BAD_USAGE),
        (raising(click.UsageError("no")), exit_status.BAD_USAGE),
        (raising(click.FileError("x")), exit_status.BAD_USAGE),
    ],
)
def test_the_exit_status_tells_the_ending(ending, body, status):
    assert ending(body).exit_code == status


def test_an_interrupt_is_quiet(ending):
    assert ending(raising(KeyboardInterrupt())).stderr.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["audti"], "no such command 'audti'; did you mean 'audit'?"),
        (["zzz"], f"no such command 'zzz'; commands: {', '.join(COMMANDS)}."),
        (["--versn"], "--version"),
        (["init", "--forc"], "--force"),
        (["config", "chek"], "check"),
        (["completion", "basj"], "bash"),
    ],
)
def test_a_mistyped_name_is_refused_with_the_nearest_one(arguments, hint):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert hint in done.stderr
    assert done.stderr.startswith("undertow: error: ")
    assert done.stderr.count("\n") == 1
    assert "--help`)" in done.stderr


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command(flag):
    done = CliRunner().invoke(main, [flag])
    assert done.exit_code == 0
    assert all(name in done.stdout for name in COMMANDS)
    assert done.stderr == ""


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version_is_data(flag):
    assert CliRunner().invoke(main, [flag]).stdout == f"undertow {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_has_help_with_examples(name):
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0, done.output
    if not isinstance(main.get_command(main.make_context("undertow", [], resilient_parsing=True), name), click.Group):
        assert "Examples:\n  undertow " in done.stdout or "Examples:\n  # " in done.stdout


def test_a_reader_that_goes_away_is_no_verdict():
    script = f"set -o pipefail; {UNDERTOW} --help | true"
    for _ in range(3):
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode in {0, exit_status.PIPE_CLOSED}
        assert done.stderr == ""


def test_the_program_and_the_module_are_the_same():
    done = subprocess.run(
        [sys.executable, "-m", main_module.__name__, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == subprocess.run([UNDERTOW, "--version"], capture_output=True, text=True, check=True).stdout
