import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.cli.main import main

UNDERTOW = Path(sys.executable).parent / "undertow"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_undertow_for_completions(shell):
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert f"_UNDERTOW_COMPLETE={shell}_complete" in done.stdout


def test_bash_accepts_the_script():
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "expected"), [("undertow co", {"config", "completion"}), ("undertow config c", {"check", "compile"})]
)
def test_words_are_completed(words, expected):
    env = os.environ | {
        "_UNDERTOW_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run([UNDERTOW], env=env, capture_output=True, text=True, check=True)
    assert {line.split(",")[1] for line in done.stdout.splitlines()} == expected
