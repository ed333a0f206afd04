"""What constraints and policies may know of a request. Built once per request from its wire format; never logged as it is."""

from typing import Literal

import msgspec

Endpoint = Literal["chat.completions", "messages", "responses"]
"""The wire formats that are routed."""


class RequestFacts(msgspec.Struct, frozen=True, gc=False):
    """One request, as far as deciding needs it.

    Attributes:
        endpoint: Wire format it came in.
        requested_model: Model name that the caller asked for.
        segment: Labels known at decision time.
        conversation_id: Pseudonymous conversation, or None.
        user_id: Pseudonymous user, or None.
        input_tokens: Estimated prompt tokens, on the high side: a constraint on length must not be passed by an estimate.
        output_limit: Most tokens that the caller lets the answer have, or None.
        has_tools: Tools are offered.
        has_media: An image, audio or file is among the inputs, or other output than text is asked for.
        wants_stream: The answer is to be streamed.
        text: Text of the last user message, for classifiers; never written anywhere.
        prompt_hash: Hash of the system prompt, or None without one.
        is_user_turn: The request ends in a message of the user, not in a tool's result or the like.
        allowed_tiers: Tiers that the caller's key may use; None: all.
        has_format: The answer must have a format that is checked as a whole (`response_format`), so none of it can be judged early.
    """

    endpoint: Endpoint
    requested_model: str
    segment: dict[str, str] = {}
    conversation_id: str | None = None
    user_id: str | None = None
    input_tokens: int = 0
    output_limit: int | None = None
    has_tools: bool = False
    has_media: bool = False
    wants_stream: bool = False
    text: str = ""
    prompt_hash: str | None = None
    is_user_turn: bool = True
    allowed_tiers: tuple[str, ...] | None = None
    has_format: bool = False
