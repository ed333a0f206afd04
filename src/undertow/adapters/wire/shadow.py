"""Bodies of second requests: what a caller asked, sent once more to be compared with what it got, with no effect beside the answer.

A tool that the model merely calls is the caller's to run, and nobody runs it. A tool that the provider runs itself (web search,
code, a remote MCP server) would run again, so a request with one is never sent again; nor is one that writes into state at the
provider, or whose tools stand in a prompt that the provider keeps.
"""

from collections.abc import Mapping

import msgspec

from undertow.adapters.wire.body import FALSE, decode, encode, is_given

WITHOUT_EFFECT = (
    "stream",
    "stream_options",
    "n",
    "logprobs",
    "top_logprobs",
    "store",
    "background",
    "service_tier",
)
"""Change nothing of an answer: how it comes, how many there are, what it comes with, where it is kept and how soon it is given."""

CHAT_TOOLS = frozenset({"function", "custom"})
RESPONSE_TOOLS = frozenset({"function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"})
MESSAGE_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
"""Beginnings of the types of Anthropic's own tools that the caller runs."""


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None


_TOOLS = msgspec.json.Decoder(list[_Tool])


def shadow_body(
    merged: Mapping[str, object],
    *,
    tools: frozenset[str],
    tool_beginnings: tuple[str, ...] = (),
    is_typed: bool = True,
    refused: tuple[str, ...] = (),
    dropped: tuple[str, ...] = (),
    kept: Mapping[str, object] | None = None,
) -> bytes | None:
    """A request to compare with, from the fields that a tier would be sent.

    Args:
        merged: Those fields: the caller's, with the tier's model and parameters over them.
        tools: Types of tools that the caller runs itself.
        tool_beginnings: The same, by how they begin.
        is_typed: A tool has a type always; else one without is the caller's.
        refused: Fields with which a request is never sent again.
        dropped: Fields to leave out beside those of `WITHOUT_EFFECT`.
        kept: Fields to set last.

    Returns:
        The body, or None where the request must not be sent again.
    """
    if any(_is_given(merged.get(name)) for name in refused):
        return None
    offered = merged.get("tools")
    if _is_given(offered):
        try:
            found = decode(_TOOLS, offered if isinstance(offered, msgspec.Raw) else encode(offered))
        except ValueError:
            return None
        for tool in found:
            own = tool.type in tools or (tool.type is None and not is_typed)
            if not own and not (tool.type or "").startswith(tool_beginnings or ("\0",)):
                return None
    fields = {name: value for name, value in merged.items() if name not in WITHOUT_EFFECT and name not in dropped}
    return encode(fields | dict(kept or {}))


def _is_given(value: object) -> bool:
    if isinstance(value, msgspec.Raw):
        return is_given(value) and value != FALSE and bytes(value) != b"[]"
    return value not in (None, False, [], ())
