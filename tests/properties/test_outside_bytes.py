"""Whatever bytes come from outside: a result or the documented error, in bounded time and memory, and no text of the input in a message.

What is read, and what is asserted of it, stands in `tests/outside_bytes`; `make fuzz` runs the same under a fuzzer that is guided by coverage.
"""

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from outside_bytes import target as rules
from outside_bytes.every import NAMES, target
from outside_bytes.inputs import GROWN, inputs
from undertow.errors import LogError

SLOW = {"log_files": 6, "dashboard": 25, "importers": 40, "outcome_files": 80, "store_files": 60}
"""Examples of targets that take more than a few milliseconds each."""
EXAMPLES = 200
GROWN_CPU_S = 15.0
"""Most take a tenth of a second; the bound is for a busy machine, and against what grows with a square."""
GROWN_BYTES = 500_000_000
"""Inputs have half a megabyte, or thirty when they are unpacked; DuckDB alone may use 512 MB, and does not."""


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_have_a_result_or_the_documented_error(name):
    found = target(name)

    @settings(
        max_examples=SLOW.get(name, EXAMPLES), derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(inputs(found))
    def held(data):
        found.read(data)

    for seed in found.seeds:
        found.read(seed)
    held()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dashboard"])
def test_what_grows_is_read_in_bounded_time_and_memory(name, project_dir):
    # In a process of its own, whose greatest memory is that of this alone, the engine's and the decompressors' too.
    done = subprocess.run(
        [sys.executable, "-m", "outside_bytes.growing", name],
        cwd=project_dir / "tests", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    measured = json.loads(done.stdout)
    assert len(measured) == len(GROWN)
    for what, cpu_s, more_bytes in measured:
        assert cpu_s <= GROWN_CPU_S, what
        assert more_bytes <= GROWN_BYTES, what


def test_every_target_is_fuzzed_too(project_dir):
    fuzzed = {path.stem.removeprefix("fuzz_") for path in (project_dir / "fuzz").glob("fuzz_*.py")}
    assert fuzzed == set(NAMES)
    for name in NAMES:
        assert f'fuzz("{name}")' in (project_dir / "fuzz" / f"fuzz_{name}.py").read_text()


# --- the rules themselves see what they are for


def test_another_error_is_seen():
    with pytest.raises(ZeroDivisionError), rules.only(LogError):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "message", ["", "two\nlines", "\x1b[31mred", "x" * 5_000, f"not {rules.CANARY!r}", "right\u202eto left"]
)
def test_a_message_that_breaks_the_rules_is_seen(message):
    with pytest.raises(AssertionError), rules.only(LogError):
        raise LogError(message)


def test_what_takes_long_is_seen():
    with pytest.raises(AssertionError, match="processor time"), rules.in_time(0.01):
        sum(range(3_000_000))
