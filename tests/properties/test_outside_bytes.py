"""Whatever bytes come from outside: a result or the documented error, in bounded time and memory, and no text of the input in a message.

What is read, and what is asserted of it, stands in `tests/outside_bytes`; `make fuzz` runs the same under a fuzzer that is guided by coverage.
"""

import logging
import tracemalloc

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from outside_bytes import target as rules
from outside_bytes.every import NAMES, target
from outside_bytes.inputs import GROWN, inputs
from undertow.errors import LogError

SLOW = {"log_files": 6, "dashboard": 25, "importers": 40, "outcome_files": 80, "store_files": 60}
"""Examples of targets that take more than a few milliseconds each."""
EXAMPLES = 200
BASE_BYTES = 64_000_000
BYTES_PER_BYTE = 60
GROWN_CPU_S = 15.0
"""Most take a tenth of a second; the bound is for a busy machine, and against what grows with a square."""


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
def test_what_grows_is_read_in_bounded_time_and_memory(name, monkeypatch):
    found = target(name)
    monkeypatch.setattr(rules, "CPU_S", GROWN_CPU_S)
    kinds = sorted({seed[:1] for seed in found.seeds}) if name not in {"mappings", "settings", "signals"} else [b""]
    grown = {what: make() for what, make in GROWN.items()}
    for number, (what, data) in enumerate(grown.items()):
        first = kinds[number % len(kinds)]
        tracemalloc.start()
        try:
            with rules.in_time(GROWN_CPU_S):
                found.read(first + data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= BASE_BYTES + BYTES_PER_BYTE * len(data), f"{what}: {peak:,} bytes for {len(data):,}"


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
