"""The user's redaction function, which all text goes through before it is written.

It is called in a thread of its own, which whoever waits for it gives up after a while: a function that hangs costs a text, and holds up
neither requests for longer nor the end of a process. Python cannot end such a thread; after a few of them the function is called no
more until one comes back. A function that never lets go of the interpreter (a regular expression that runs away) stops all threads
of its process and no limit of this kind: then the supervisor kills the process.
"""

import importlib
import re
from collections.abc import Callable
from threading import Lock, Thread

from undertow.errors import ConfigError

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of UTF-16 pairs, which no file takes."""

HOOK_S = 5.0
"""Seconds that the function may take for one text."""
MOST_STUCK = 3
"""Calls that have not come back, from which on no more are made."""


class _Call:
    """One call under way."""

    __slots__ = ("error", "is_done", "is_given_up", "result")

    def __init__(self) -> None:
        self.result: object = None
        self.error: Exception | None = None
        self.is_done = self.is_given_up = False


class BoundedHook:
    """A function that nobody waits for beyond a limit; may be called from several threads.

    Args:
        function: The user's.
        seconds: Most that one call may take.
        most_stuck: Calls that have not come back, from which on no more are made.

    Examples:
        >>> BoundedHook(str.upper)("a")
        'A'
        >>> import time
        >>> BoundedHook(lambda _: time.sleep(60), seconds=0.01)("a")
        Traceback (most recent call last):
            ...
        TimeoutError: the redaction function took longer than 0.01 s
    """

    def __init__(
        self, function: Callable[[str], object], seconds: float = HOOK_S, most_stuck: int = MOST_STUCK
    ) -> None:  # fmt: skip
        self._function, self._seconds, self._most_stuck = function, seconds, most_stuck
        self._stuck = 0
        self._lock = Lock()

    def __call__(self, text: str) -> object:
        """What the function makes of a text.

        Raises:
            TimeoutError: It took too long, or earlier calls still do.
            Exception: Whatever the function raised.
        """
        if self._stuck >= self._most_stuck:
            raise TimeoutError("the redaction function has not come back from earlier texts")
        call = _Call()
        thread = Thread(target=self._run, args=(text, call), name="undertow-redaction", daemon=True)
        thread.start()
        thread.join(self._seconds)
        with self._lock:
            if not call.is_done:
                call.is_given_up = True
                self._stuck += 1
                raise TimeoutError(f"the redaction function took longer than {self._seconds:g} s")
        if call.error is not None:
            raise call.error
        return call.result

    def _run(self, text: str, call: _Call) -> None:
        try:
            call.result = self._function(text)
        except Exception as error:  # noqa: BLE001 (the user's code; raised where it was asked for)
            call.error = error
        except BaseException:  # noqa: BLE001 (it wants to end the process, which is not its business)
            call.error = RuntimeError("the redaction function tried to end the process")
        with self._lock:
            call.is_done = True
            if call.is_given_up:
                self._stuck -= 1


def redaction_hook(name: str | None) -> Callable[[str], str] | None:
    """The function that `retention.redact` names, or None where it names none.

    What it returns is looked at: anything but text that can be written raises (TypeError, ValueError), as its own failures do and as too
    long a wait does (TimeoutError), so that whoever calls it keeps nothing.

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

    bounded = BoundedHook(found)

    def redact(text: str) -> str:
        cleaned = bounded(text)
        if not isinstance(cleaned, str):
            raise TypeError("the redaction function returned no text")
        if not cleaned.isascii() and _HALVES.search(cleaned):
            raise ValueError("the redaction function returned half a character")
        return cleaned

    return redact
