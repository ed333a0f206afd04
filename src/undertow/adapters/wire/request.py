"""What all formats have in common of a request: from its fields to what routing may know."""

from collections.abc import Mapping

import msgspec

from undertow.adapters.wire.body import read_flag
from undertow.adapters.wire.content import Media, prompt_hash
from undertow.adapters.wire.labels import read_labels
from undertow.records.request import Endpoint, RequestFacts


def request_facts(
    fields: Mapping[str, msgspec.Raw],
    *,
    endpoint: Endpoint,
    model: str,
    text: str,
    is_user_turn: bool,
    prompts: list[str],
    media: Media,
    counted: tuple[str, ...],
    output_limit: int | None,
    has_tools: bool,
    asks_for_media: bool = False,
    has_format: bool = False,
) -> RequestFacts:
    """Facts of a request.

    Args:
        fields: Its top-level fields.
        endpoint: Its format.
        model: The model that it asks for.
        text: Of the last user message.
        is_user_turn: It ends with that message.
        prompts: Texts that make up the system prompt.
        media: Among its inputs.
        counted: Names of the fields whose bytes are prompt tokens.
        output_limit: Most tokens of the answer, or None.
        has_tools: It offers tools.
        asks_for_media: It asks for other output than text.
        has_format: It demands a format of the answer that is checked as a whole.

    Raises:
        WireError: Its labels or its `stream` field are of a wrong type.
    """
    segment, conversation_id, user_id = read_labels(fields)
    size = 0
    for name in counted:
        if name in fields:
            size += len(fields[name])
    return RequestFacts(
        endpoint=endpoint,
        requested_model=model,
        segment=segment,
        conversation_id=conversation_id,
        user_id=user_id,
        input_tokens=media.tokens(size),
        output_limit=output_limit,
        has_tools=has_tools,
        has_media=asks_for_media or media.is_present,
        wants_stream=read_flag(fields, "stream"),
        text=text,
        is_user_turn=is_user_turn,
        prompt_hash=prompt_hash(prompts) if prompts else None,
        has_format=has_format,
    )
