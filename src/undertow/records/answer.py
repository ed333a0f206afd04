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


class TokenEvidence(msgspec.Struct, frozen=True, gc=False):
    """What an upstream said of each token of its answer (of the first choice), in order. Kept in memory only, and only where asked for.

    Attributes:
        logprobs: Natural log-probability of each token, as reported: at most 0 but for rounding.
        is_content: Whether the token has a letter or a digit; the rest (white space, brackets, punctuation) is boiler-plate.
        margins: Probability of the likeliest token minus that of the next, in [0, 1]; empty where no alternatives were reported.
        entropies: Entropy in nats over the alternatives that were reported, what is left of the probability as one more; empty likewise.
    """

    logprobs: tuple[float, ...] = ()
    is_content: tuple[bool, ...] = ()
    margins: tuple[float, ...] = ()
    entropies: tuple[float, ...] = ()


class AnswerFacts(msgspec.Struct, frozen=True, gc=False):
    """One whole answer, or what has come of one so far.

    Attributes:
        logprob_sum: Sum of the natural log-probabilities of its tokens; None where the upstream gave none.
        logprob_count: How many tokens that is over.
        is_empty: No text, no refusal, no tool call, no audio.
        is_tool_calls_only: It consists of tool calls alone.
        are_tool_calls_valid: Every tool call names an offered tool and has arguments that are JSON objects and fit the tool's schema (of
            a schema that cannot be checked: with its required keys); None where there is no tool call.
        is_refusal: The model refused (refusal field, `content_filter`, `refusal` stop reason).
        finish_reason: Why the upstream stopped.
        model: Model that answered, as the upstream names it.
        fingerprint: The upstream's fingerprint of the model.
        usage: Tokens, or None where the upstream did not say.
        chars: Characters of text in the answer.
        tool_names: Names of the tools it calls, in order.
        text: Its text, where the reader was asked to keep it (retention, or a policy that looks at it); else None.
        tokens: Evidence token by token, where the reader was asked to keep it and the upstream gave any; else None.
        written: The answer as people read it, where the text is kept: the text, then a refusal and the tools that it calls, in words.
        is_format_valid: The text is what the request's `response_format` demands (JSON, and of the schema that it names);
            None where it demands nothing, or nothing that can be checked.
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
    tokens: TokenEvidence | None = None
    is_format_valid: bool | None = None
    written: str | None = None


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What a policy needs to know of an answer to judge it; the driver asks the upstream for it and the reader keeps it.

    Attributes:
        logprobs: Log-probabilities of the tokens.
        alternatives: How many alternatives of each token (`top_logprobs`), 0 to 20.
        tokens: Keep the evidence token by token, not only its sum.
        text: Keep the answer's text.
    """

    logprobs: bool = False
    alternatives: int = 0
    tokens: bool = False
    text: bool = False


NO_EVIDENCE = Evidence()
SUM_OF_LOGPROBS = Evidence(logprobs=True)
