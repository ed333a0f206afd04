"""TOML that somebody wrote, read within bounds and with one error.

The standard parser raises three kinds of errors for broken text, and takes time with the square of a dotted key's length (a key of 50,000 parts
takes a minute and a half); what it returns for one is nested more deeply than code can follow.
"""

import re
import tomllib
from typing import Any, Final

MAX_DEPTH: Final = 40
"""Deepest nesting of tables and lists; settings have six levels."""

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?:^[ \t\[]*|[{{,][ \t]*){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MAX_DEPTH}}}", re.MULTILINE)


def read_toml(text: str) -> dict[str, Any]:
    r"""The tables of a TOML text.

    Args:
        text: With line feeds as line ends.

    Raises:
        tomllib.TOMLDecodeError: It is no TOML, holds a number of thousands of digits, or is nested more deeply than `MAX_DEPTH`.

    Examples:
        >>> read_toml("[a]\nb = 1")
        {'a': {'b': 1}}
        >>> read_toml("a" + 50 * ".b" + " = 1")
        Traceback (most recent call last):
        tomllib.TOMLDecodeError: A key has more than 40 parts (at line 1, column 1)
    """
    found = _LONG_KEY.search(text)
    if found is not None:
        raise tomllib.TOMLDecodeError(
            f"A key has more than {MAX_DEPTH} parts (at line {text.count(chr(10), 0, found.start()) + 1}, column 1)"
        )
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("Nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise tomllib.TOMLDecodeError("A number has thousands of digits") from None
    if _is_deep(raw):
        raise tomllib.TOMLDecodeError(f"Nested more deeply than {MAX_DEPTH} levels")
    return raw


def _is_deep(raw: dict[str, Any]) -> bool:
    level: list[Any] = [raw]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
