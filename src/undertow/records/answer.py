"""What a policy and the record may know of an upstream's whole answer."""

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one call, each counted once, in OpenAI's way: cached, cache-write and audio input are parts of `input_tokens`.

    Anthropic reports cache reads and writes beside its input tokens; its adapter adds them in.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    audio_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    is_estimated: bool = False
    """The upstream did not say (a stream that was cut); counted from characters."""


class AnswerFacts(msgspec.Struct, frozen=True, gc=False):
    """One whole answer.

    Attributes:
        logprob_sum: Sum of the natural log-probabilities of its tokens; None where the upstream gave none.
        logprob_count: How many tokens that is over.
        is_empty: No text, no refusal, no tool call, no audio.
        is_tool_calls_only: It consists of tool calls alone.
        are_tool_calls_valid: Every tool call names an offered tool and has arguments that are JSON objects with the
            required keys; None where there is no tool call.
        is_refusal: The model refused (refusal field, `content_filter`, `refusal` stop reason).
        finish_reason: Why the upstream stopped.
        model: Model that answered, as the upstream names it.
        fingerprint: The upstream's fingerprint of the model.
        usage: Tokens, or None where the upstream did not say.
        chars: Characters of text in the answer.
        tool_names: Names of the tools it calls, in order.
        text: Its text, where the reader was asked to keep it (retention); else None.
    """

    logprob_sum: float | None = None
    logprob_count: int = 0
    is_empty: bool = False
    is_tool_calls_only: bool = False
    are_tool_calls_valid: bool | None = None
    is_refusal: bool = False
    finish_reason: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    usage: Usage | None = None
    chars: int = 0
    tool_names: tuple[str, ...] = ()
    text: str | None = None
