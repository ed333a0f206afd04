"""The user's redaction function, which all text goes through before it is written."""

import importlib
import re
from collections.abc import Callable

from undertow.errors import ConfigError

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of UTF-16 pairs, which no file takes."""


def redaction_hook(name: str | None) -> Callable[[str], str] | None:
    """The function that `retention.redact` names, or None where it names none.

    What it returns is looked at: anything but text that can be written raises (TypeError, ValueError), as its own failures do, so that
    whoever calls it keeps nothing.

    Raises:
        ConfigError: It cannot be loaded. That is an error at start: text must not be kept unredacted.

    Examples:
        >>> redaction_hook("textwrap:dedent")("  a")
        'a'
    """
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise ConfigError(f"retention.redact: {name} cannot be imported; is its module on the Python path?") from None
    except Exception as error:  # noqa: BLE001 (importing runs code of the user's)
        raise ConfigError(
            f"retention.redact: {name} cannot be imported ({type(error).__name__} in its module); try `python -c 'import {module}'`"
        ) from None
    if not callable(found):
        raise ConfigError(f"retention.redact: {name} is a {type(found).__name__}; expected a function")

    def redact(text: str) -> str:
        cleaned = found(text)
        if not isinstance(cleaned, str):
            raise TypeError("the redaction function returned no text")
        if not cleaned.isascii() and _HALVES.search(cleaned):
            raise ValueError("the redaction function returned half a character")
        return cleaned

    return redact
