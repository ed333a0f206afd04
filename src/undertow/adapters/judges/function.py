"""A function of the user's that judges: `function(request, answer, other, rubric)`.

With two answers it returns "A" (the first one is better), "B" or "tie"; asked for a grade it gets None as `other` and returns a number in [0, 1].
It runs in a thread of its own, and one that does not come back in time is left alone; while many hang, no more are begun. What it raises or returns amiss is told by its type: the
text may hold what a caller wrote.
"""

import asyncio
import importlib
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread, current_thread

import msgspec

from undertow.errors import ConfigError
from undertow.ports.judge import JudgePrompt, JudgeReply

MOST_HANGING = 16
"""Calls that have not come back, in this process; while there are so many no further one is made, so that they cannot use up its memory."""

JudgeFunction = Callable[[str, str, str | None, str], object]


class FunctionJudge:
    """A `undertow.ports.judge.Judge` that calls a function.

    Args:
        name: `package.module:function`.
        function: It.
        timeout_s: Longest wait for it, in seconds.
        now: Clock that never goes back, seconds.

    Examples:
        >>> def shorter(request, answer, other, rubric):
        ...     return "A" if len(answer) < len(other) else "B"
        >>> judge = FunctionJudge("mine:shorter", shorter, 5.0)
        >>> asked = JudgePrompt(system="", user="", rubric="Which is shorter?", request="", answers=("no", "by no means"))
        >>> asyncio.run(judge.ask(asked)).text
        '{"verdict":"A"}'
    """

    def __init__(
        self, name: str, function: JudgeFunction, timeout_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._function, self._timeout_s, self._now = name, function, timeout_s, now
        _out.setdefault(name, set())

    @property
    def name(self) -> str:
        """Module and function."""
        return self._name

    async def ask(self, prompt: JudgePrompt) -> JudgeReply:
        """Call it once."""
        began = self._now()
        if len(_out[self._name]) >= MOST_HANGING:
            return JudgeReply(status="timeout", call_status="timeout", is_outage=True)
        loop = asyncio.get_running_loop()
        returned: asyncio.Future[object] = loop.create_future()
        # A daemon of its own and no pool: a function that hangs must hold up neither the next call nor the end of the process.
        thread = Thread(target=self._call, args=(prompt, loop, returned), name="undertow-judge", daemon=True)
        _out[self._name].add(thread)
        thread.start()
        try:
            value = await asyncio.wait_for(returned, self._timeout_s)
        except TimeoutError:
            return JudgeReply(status="timeout", call_status="timeout", latency_ms=self._elapsed_ms(began))
        latency_ms = self._elapsed_ms(began)
        if isinstance(value, _Raised):
            return JudgeReply(status="failed", call_status=value.type_name, latency_ms=latency_ms)
        is_pair = len(prompt.answers) == 2
        is_right = isinstance(value, str) if is_pair else isinstance(value, int | float) and not isinstance(value, bool)
        if not is_right:
            return JudgeReply(
                status="failed", call_status=f"returned_{type(value).__name__}"[:64], latency_ms=latency_ms
            )
        text = msgspec.json.encode({"verdict" if is_pair else "score": value}).decode()
        return JudgeReply(status="ok", text=text, model=self._name, latency_ms=latency_ms)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _elapsed_ms(self, began: float) -> float:
        return (self._now() - began) * 1000

    def _call(self, prompt: JudgePrompt, loop: asyncio.AbstractEventLoop, returned: "asyncio.Future[object]") -> None:
        first, *others = prompt.answers
        value: object
        try:
            value = self._function(prompt.request, first, others[0] if others else None, prompt.rubric)
        except BaseException as error:  # noqa: BLE001 (the edge: code of the user's, which may even exit; it is counted by its type)
            value = _Raised(type(error).__name__[:64])
        _out[self._name].discard(current_thread())
        with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
            loop.call_soon_threadsafe(_settle, returned, value)


_out: dict[str, set[Thread]] = {}
"""Threads that have not come back, by function: a judge lives for one run only, and what hangs outlives it."""


class _Raised(msgspec.Struct, frozen=True):
    """The function raised."""

    type_name: str


def _settle(returned: "asyncio.Future[object]", value: object) -> None:
    if not returned.done():
        returned.set_result(value)


def load_function(name: str) -> JudgeFunction:
    """The function `package.module:function`.

    Raises:
        ConfigError: It cannot be imported, or is no function.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # noqa: BLE001 (importing runs code of the user's)
        raise ConfigError(
            f"judge.function {name!r} cannot be loaded ({type(error).__name__}); expected package.module:function that can be imported here"
        ) from None
    if not callable(found):
        raise ConfigError(f"judge.function {name!r} is a {type(found).__name__}; expected a function")
    return found
