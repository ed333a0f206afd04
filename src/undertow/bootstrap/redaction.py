"""The user's redaction function, which all text goes through before it is written."""

import importlib
from collections.abc import Callable

from undertow.errors import ConfigError


def redaction_hook(name: str | None) -> Callable[[str], str] | None:
    """The function that `retention.redact` names, or None where it names none.

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
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise ConfigError(f"retention.redact: {name} cannot be imported; is its module on the Python path?") from None
