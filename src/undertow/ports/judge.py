"""A judge, as those who ask it see it: a question about answers in, the judge's words and what they cost out.

What the words mean is read elsewhere (`undertow.judging.verdicts`), so that a model and a function are held to the same rule.
"""

from typing import Literal, Protocol

import msgspec

from undertow.records.answer import Usage

ReplyStatus = Literal["ok", "refused", "timeout", "failed"]
"""What came of one question. `refused`: the provider itself said so; `failed`: there are no words to read, see `call_status`."""


class JudgePrompt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One question, as `undertow.judging.prompts` makes it. All texts are free of control characters and bounded.

    Attributes:
        system: What is asked of the judge, for a model.
        user: The request, the answers and the question, for a model.
        rubric: The rubric alone, for a function.
        request: The request alone, for a function.
        answers: The answers alone, for a function: two to compare, the first one is A; or one to grade.
    """

    system: str
    user: str
    rubric: str
    request: str
    answers: tuple[str, ...]

    def __repr__(self) -> str:
        return f"JudgePrompt({len(self.answers)} answers)"


class JudgeReply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the judge said.

    Attributes:
        status: What came of it.
        text: Its words; empty unless `ok`.
        model: Model that answered, as its provider names it, or None.
        usage: Tokens of all tries, or None where nothing was used up.
        latency_ms: From the question to the last word.
        call_status: As in `calls[].status` of a decision: `ok`, `timeout`, `http_500`, `connect`, a function's type of error.
        is_outage: The judge could not be reached at all, so that asking it about another pair now would fail as well.
    """

    status: ReplyStatus
    text: str = ""
    model: str | None = None
    usage: Usage | None = None
    latency_ms: float = 0.0
    call_status: str = "ok"
    is_outage: bool = False

    def __repr__(self) -> str:
        return f"JudgeReply({self.status!r}, {len(self.text)} characters)"


class Judge(Protocol):
    """A model or a function. Used from one event loop at a time."""

    @property
    def name(self) -> str:
        """Model or function, as it stands in the source of a signal: `judge:NAME`."""
        ...

    async def ask(self, prompt: JudgePrompt) -> JudgeReply:
        """Ask once. Never raises for what the judge does: that is in the reply."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; it can be asked again afterwards."""
        ...
