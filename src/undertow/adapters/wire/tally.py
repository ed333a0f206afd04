"""What has been seen of an answer, counted up; the same for whole answers and for streams, and for all wire formats."""

import msgspec

from undertow.adapters.wire.answer_format import has_format
from undertow.adapters.wire.logprobs import choice_logprobs, token_logprobs
from undertow.adapters.wire.tokens import TokenCollector
from undertow.adapters.wire.tools import is_valid_call
from undertow.adapters.wire.written import written_answer
from undertow.ports.wire import ReadRequest
from undertow.records.answer import NO_EVIDENCE, AnswerFacts, Evidence, Usage


class AnswerTally:
    """Counts of one answer. With several choices (`n` > 1) all of them together, log-probabilities of the first only.

    Attributes:
        text_chars: Characters of text.
        hidden_chars: Characters of refusals, reasoning and tool arguments: they cost, but are no text of the answer.
        has_text: There is text other than white space.
        has_refusal: There is a refusal text.
        has_other: There is something else that answers: audio, an image.
        is_refusal: The upstream said that it refused.
        logprob_sum: Of the first choice's tokens.
        logprob_count: Over so many.
        tokens: Their evidence one by one, where it is kept.
        finish_reason: The upstream's word.
        model: The upstream's name for the model.
        fingerprint: The upstream's fingerprint of the model.
        usage: As reported; None: not.
    """

    __slots__ = (
        "_are_calls_valid",
        "_calls",
        "_format",
        "_open_calls",
        "_refusal",
        "_shows_text",
        "_text",
        "_tool_names",
        "_tools",
        "fingerprint",
        "finish_reason",
        "has_other",
        "has_refusal",
        "has_text",
        "hidden_chars",
        "is_refusal",
        "logprob_count",
        "logprob_sum",
        "model",
        "text_chars",
        "tokens",
        "usage",
    )

    def __init__(self, request: ReadRequest, evidence: Evidence = NO_EVIDENCE) -> None:
        self.text_chars = 0
        self.hidden_chars = 0
        self.has_text = False
        self.has_refusal = False
        self.has_other = False
        self.is_refusal = False
        self.logprob_sum = 0.0
        self.logprob_count = 0
        self.finish_reason: str | None = None
        self.model: str | None = None
        self.fingerprint: str | None = None
        self.usage: Usage | None = None
        self.tokens = TokenCollector() if evidence.tokens else None
        self._tools = request.tools
        self._format = request.answer_format
        self._shows_text = evidence.text
        self._text: list[str] | None = [] if evidence.text or self._format is not None else None
        self._refusal: list[str] | None = [] if evidence.text else None
        self._calls: list[tuple[str, str | msgspec.Raw | None]] | None = [] if evidence.text else None
        self._tool_names: list[str] = []
        self._are_calls_valid: bool | None = None
        self._open_calls: dict[object, tuple[str, list[str]]] | None = None

    def add_text(self, text: str, *, is_kept: bool = True) -> None:
        """Text of the answer; `is_kept` only matters where text is kept at all."""
        self.text_chars += len(text)
        if self._text is not None and is_kept:
            self._text.append(text)
        if not self.has_text:
            self.has_text = bool(text) and not text.isspace()

    def add_refusal(self, text: str) -> None:
        """Text of a refusal."""
        self.hidden_chars += len(text)
        self.has_refusal = True
        if self._refusal is not None:
            self._refusal.append(text)

    def add_choice_logprobs(self, value: msgspec.Raw) -> None:
        """The `logprobs` of a chat choice, or of a piece of it."""
        total, count = choice_logprobs(value)
        self.logprob_sum += total
        self.logprob_count += count
        if self.tokens is not None:
            self.tokens.add_choice(value)

    def add_token_logprobs(self, value: msgspec.Raw) -> None:
        """A plain list of tokens, as the responses API has it."""
        total, count = token_logprobs(value)
        self.logprob_sum += total
        self.logprob_count += count
        if self.tokens is not None:
            self.tokens.add_list(value)

    def miss_logprobs(self) -> None:
        """Text came without log-probabilities, so those of other tokens are not all of it."""
        if self.tokens is not None:
            self.tokens.is_broken = True

    def take_logprobs(self, other: "AnswerTally") -> None:
        """Let another tally's log-probabilities stand for this one's."""
        self.logprob_sum, self.logprob_count, self.tokens = other.logprob_sum, other.logprob_count, other.tokens

    def add_call(
        self,
        name: str | None,
        arguments: str | msgspec.Raw | None,
        *,
        is_free_form: bool = False,
    ) -> None:
        """A whole tool call; a free-form one takes text that is no JSON."""
        if name:
            self._tool_names.append(name)
        if self._calls is not None:
            self._calls.append((name or "", arguments))
        valid = name in self._tools if is_free_form else is_valid_call(self._tools, name, arguments)
        self._are_calls_valid = valid and self._are_calls_valid is not False
        self.hidden_chars += len(arguments or "")

    def add_call_piece(self, key: object, name: str | None, arguments: str | None) -> None:
        """A piece of the tool call `key`: its name (the first time) and more of its arguments."""
        if self._open_calls is None:
            self._open_calls = {}
        known, pieces = self._open_calls.get(key) or ("", [])
        if arguments:
            self.hidden_chars += len(arguments)
            pieces.append(arguments)
        self._open_calls[key] = (known or name or "", pieces)

    @property
    def chars(self) -> int:
        """All characters that the model wrote."""
        return self.text_chars + self.hidden_chars

    def facts(self, usage: Usage | None, *, is_whole: bool = True, no_arguments: str = "") -> AnswerFacts:
        """What is known so far.

        Args:
            usage: What to put down as usage.
            is_whole: Nothing more will come, so that the format can be told.
            no_arguments: What an upstream means by a streamed call without arguments.
        """
        valid, names = self._are_calls_valid, self._tool_names
        if self._open_calls:
            names = names + [name for name, _ in self._open_calls.values() if name]
            valid = valid is not False and all(
                is_valid_call(self._tools, name, "".join(pieces) or no_arguments)
                for name, pieces in self._open_calls.values()
            )
        answers = self.has_text or self.has_refusal or self.has_other
        text = "".join(self._text) if self._text is not None and self._shows_text else None
        return AnswerFacts(
            logprob_sum=self.logprob_sum if self.logprob_count else None,
            logprob_count=self.logprob_count,
            is_empty=not answers and valid is None,
            is_tool_calls_only=not answers and valid is not None,
            are_tool_calls_valid=valid,
            is_refusal=self.is_refusal or self.has_refusal,
            finish_reason=self.finish_reason,
            model=self.model,
            fingerprint=self.fingerprint,
            usage=usage,
            chars=self.text_chars,
            tool_names=tuple(names),
            text=text,
            written=None if text is None else written_answer(text, "".join(self._refusal or ()), self._all_calls()),
            tokens=self.tokens.evidence() if self.tokens is not None else None,
            # Tool calls come before an answer that has the format.
            is_format_valid=self._is_format_valid() if is_whole and valid is None else None,
        )

    def _all_calls(self) -> list[tuple[str, str | msgspec.Raw | None]]:
        """Calls that came whole and those that came in pieces."""
        pieces = (self._open_calls or {}).values()
        return (self._calls or []) + [(name, "".join(arguments)) for name, arguments in pieces]

    def _is_format_valid(self) -> bool | None:
        return None if self._format is None or self._text is None else has_format(self._format, "".join(self._text))
