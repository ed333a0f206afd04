"""Checks by a function of the user's: `function(answer, case)`, which returns true, false or a score in [0, 1].

It gets the answer's text and the case as a mapping (`id`, `messages`, `segment`, `tags`). It runs in a thread of its own, and one that does
not come back in time is left alone.
"""

import asyncio
import hashlib
import importlib
import inspect
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from undertow.errors import ConfigError
from undertow.records.suite import SuiteCase

TIMEOUT_S = 30.0

CheckFunction = Callable[[str, dict[str, object]], object]


class SuiteFunction:
    """Implements `undertow.services.suite_grading.FunctionCheck`.

    Args:
        name: `package.module:function`.
        function: It.
        timeout_s: Longest wait for it.

    Examples:
        >>> from undertow.records.suite import Check
        >>> check = SuiteFunction("mine:is_short", lambda answer, case: len(answer) < 10)
        >>> case = SuiteCase(case_id="a", messages=(), check=Check(kind="function", function="mine:is_short"))
        >>> asyncio.run(check.call("brief", case))
        True
    """

    def __init__(self, name: str, function: CheckFunction, timeout_s: float = TIMEOUT_S) -> None:
        self._function, self._timeout_s = function, timeout_s
        try:
            source = inspect.getsource(function)
        except (OSError, TypeError):
            source = ""
        self.grader = f"function:{name}#{hashlib.sha256(source.encode()).hexdigest()[:8]}"

    async def call(self, answer: str, case: SuiteCase) -> object:
        """Call it once."""
        loop = asyncio.get_running_loop()
        returned: asyncio.Future[object] = loop.create_future()
        told: dict[str, object] = {
            "id": case.case_id,
            "messages": list(case.messages),
            "segment": dict(case.segment),
            "tags": list(case.tags),
        }

        def settle(value: object, error: BaseException | None) -> None:
            if returned.done():
                return
            if error is None:
                returned.set_result(value)
            else:
                returned.set_exception(error)

        def work() -> None:
            value, failed = None, None
            try:
                value = self._function(answer, told)
            except Exception as error:  # noqa: BLE001 (handed on to who waits)
                # StopIteration cannot be set on a future.
                failed = RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
            with suppress(RuntimeError):  # the loop is over: nobody waits any more
                loop.call_soon_threadsafe(settle, value, failed)

        Thread(target=work, name="undertow-suite-check", daemon=True).start()
        return await asyncio.wait_for(returned, self._timeout_s)


def load_check(name: str) -> SuiteFunction:
    """A check by its name.

    Raises:
        ConfigError: It cannot be imported, or is no function.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise ConfigError(
            f"check.function {name[:120]!r} cannot be imported; is its module on the Python path?"
        ) from None
    if not callable(function):
        raise ConfigError(f"check.function {name[:120]!r} is no function")
    return SuiteFunction(name, function)
