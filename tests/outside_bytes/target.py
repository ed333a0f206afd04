"""What every reader of outside bytes is held to, whether Hypothesis or a fuzzer makes the bytes.

A target reads bytes and either has a result or raises the one error that its documentation names. Its message is one line that a terminal can be
shown, bounded, and without the text that was read: bytes that hold `CANARY` must not bring it into a message.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CANARY = "canary4711"
"""A word that stands for somebody's text in seeds and drawn inputs."""

MAX_MESSAGE = 4_000
"""Longest message in characters."""

MAX_INPUT = 1 << 16
"""Fuzzers make no longer input; what grows is tested with inputs that are made to grow."""

CPU_S = 4.0
"""Processor seconds that reading `MAX_INPUT` bytes may take: some hundred times what it takes, for machines that are busy and instrumented."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: Of its file here and in `fuzz/`.
        read: Reads bytes; raises nothing at all unless the reader is wrong.
        seeds: Whole, valid inputs that fuzzing starts from.
    """

    name: str
    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def check_message(message: str, *, lines: int = 1, canary: str = CANARY) -> None:
    """Hold an error's message to the rules.

    Args:
        message: The message.
        lines: How many lines it may have.
        canary: Must not stand in it; empty: names that were read may be quoted.
    """
    assert message.strip(), "an error says something"
    assert len(message) <= MAX_MESSAGE * lines, f"a message of {len(message):,} characters"
    shown = message.split("\n") if lines > 1 else [message]
    assert len(shown) <= lines, f"a message of {len(shown)} lines"
    for line in shown:
        assert not _CONTROL.search(line), f"a message with control characters: {line!r}"
    assert not canary or canary not in message, f"a message with the text that was read: {message!r}"


@contextmanager
def only(*errors: type[Exception], lines: int = 1, canary: str = CANARY) -> Iterator[None]:
    """What may be raised inside, and nothing else.

    Args:
        errors: The documented errors.
        lines: How many lines a message may have.
        canary: As of `check_message`.
    """
    try:
        yield
    except errors as error:
        check_message(str(error), lines=lines, canary=canary)


@contextmanager
def in_time(limit_s: float | None = None) -> Iterator[None]:
    """Holds what runs inside to a bound of processor time, `CPU_S` unless another is given."""
    limit_s = CPU_S if limit_s is None else limit_s
    began = time.process_time()
    yield
    took_s = time.process_time() - began
    assert took_s < limit_s, f"took {took_s:.1f} s of processor time"


@cache
def scratch() -> Path:
    """A folder of this process for files that are read; gone with the process."""
    keeper = tempfile.TemporaryDirectory(prefix="undertow-bytes-")
    _KEPT.append(keeper)
    return Path(keeper.name)


_KEPT: list[tempfile.TemporaryDirectory] = []


def written(name: str, data: bytes) -> Path:
    """A file with these bytes; the next of that name replaces it."""
    path = scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
