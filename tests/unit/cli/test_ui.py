"""`undertow ui`: a real server on loopback over a real log."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from click.testing import CliRunner

from conftest import PROJECT
from undertow.cli.main import main


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log") / "store"
    made = CliRunner().invoke(
        main, ["simulate", "support", "--out", str(folder), "--weeks", "5", "--queries-per-day", "400"]
    )
    assert made.exit_code == 0, made.output
    return folder


@contextlib.contextmanager
def running(folder, *arguments):
    """The command as a user starts it; gives the address that it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "undertow.cli.main", "ui", str(folder), "--port", "0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=PROJECT,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        yield re.search(r"http://\S+", line).group(), process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()
        process.stderr.close()


def page(address):
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 (loopback)
        return answer.read().decode()


def test_the_dashboard_is_there_at_once_and_full_once_the_log_was_read(log):
    with running(log) as (address, process):
        until = time.monotonic() + 60
        while "What the average shows" not in (text := page(address)):
            assert "Reading the log" in text
            assert time.monotonic() < until
            time.sleep(0.2)
        assert "capable" in text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is nothing"),
        ([".", "--host", "0.0.0.0"], "listens on this machine alone"),  # noqa: S104 (refused)
    ],
)
def test_wrong_use_is_one_line(arguments, said):
    done = CliRunner().invoke(main, ["ui", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
