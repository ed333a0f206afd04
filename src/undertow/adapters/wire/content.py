"""What stands in messages: their text, media among them, and how many tokens that may be.

All three wire formats write a message's content as a string or as a list of typed parts; only the words for the types differ.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from undertow.adapters.wire.body import ABSENT, decode, wrong_type
from undertow.ports.wire import WireError

TEXT_CHARS = 4_000
"""So much of the last user message is given to classifiers."""
BYTES_PER_TOKEN = 3
"""Of JSON. English has four to five bytes a token, source code three to four: the estimate is on the high side."""
IMAGE_TOKENS = 1_600
"""What a large image costs; the bytes of its data are not counted."""
MEDIA_BYTES_PER_TOKEN = 12
"""Of base64 of sound, PDF and other files, which are compressed."""

_TEXT_TYPES = frozenset({"text", "input_text", "output_text"})
_OTHER_TYPES = _TEXT_TYPES | {"refusal", "tool_use", "tool_result", "thinking", "redacted_thinking", "reasoning_text"}
_MEDIA_WORDS = ("audio", "video", "file", "document", "upload")
_DEEPEST = 2  # parts, and parts of a tool result among them


class Part(msgspec.Struct, gc=False):
    """One part of a content list; only what routing needs."""

    type: str = ""
    text: msgspec.Raw = ABSENT
    content: msgspec.Raw = ABSENT
    image_url: msgspec.Raw = ABSENT
    input_audio: msgspec.Raw = ABSENT
    file: msgspec.Raw = ABSENT
    file_data: msgspec.Raw = ABSENT
    source: msgspec.Raw = ABSENT


Content = list[Part] | str | None


class Message(msgspec.Struct, gc=False):
    """One message of a conversation; only what routing needs."""

    role: str = ""
    content: Content = None


class _Source(msgspec.Struct, gc=False):
    type: str = ""


_MESSAGES = msgspec.json.Decoder(list[Message])
_CONTENT = msgspec.json.Decoder(Content)
_TEXT = msgspec.json.Decoder(str)
_SOURCE = msgspec.json.Decoder(_Source)


@dataclass(slots=True)
class Media:
    """Media of a request.

    Attributes:
        images: How many.
        others: How many sounds, videos and files.
        image_bytes: Bytes of JSON that the images take.
        other_bytes: The same of the others. Documents given as plain text are in neither: they are text.
    """

    images: int = 0
    others: int = 0
    image_bytes: int = 0
    other_bytes: int = 0

    def add(self, content: Content, depth: int = 1) -> None:
        """Count the media of a message's content, those in tool results included."""
        if not isinstance(content, list):
            return
        for part in content:
            kind = part.type
            if kind in _OTHER_TYPES:
                if part.content and depth < _DEEPEST:
                    self.add(read_content(part.content), depth + 1)
            elif "image" in kind or "screenshot" in kind:
                self.images += 1
                self.image_bytes += _payload_bytes(part)
            elif any(word in kind for word in _MEDIA_WORDS):
                self.others += 1
                if not (part.source and _is_text(part.source)):
                    self.other_bytes += _payload_bytes(part)

    def tokens(self, text_bytes: int) -> int:
        """Estimated tokens of a prompt of `text_bytes` bytes of JSON, these media included."""
        plain = text_bytes - self.image_bytes - self.other_bytes
        return (
            math.ceil(plain / BYTES_PER_TOKEN)
            + IMAGE_TOKENS * self.images
            + math.ceil(self.other_bytes / MEDIA_BYTES_PER_TOKEN)
        )

    @property
    def is_present(self) -> bool:
        """There is any."""
        return self.images + self.others > 0


def read_messages(fields: Mapping[str, msgspec.Raw], name: str = "messages") -> list[Message]:
    """The messages of a conversation, at least one.

    Raises:
        WireError: The field is absent, empty, or no list of objects with a role and a content.
    """
    value = fields.get(name)
    if value is None:
        raise WireError(f"{name}: expected a list of messages, got none", param=name, code="missing_required_parameter")
    try:
        messages = decode(_MESSAGES, value)
    except ValueError as error:
        if bytes(value)[:1] != b"[":
            raise wrong_type(name, "a list of messages", value) from None
        raise WireError(f"{name}: {error}", param=name, code="invalid_type") from None
    if not messages:
        raise WireError(f"{name}: expected at least one message, got none", param=name, code="empty_array")
    return messages


def last_user_text(messages: list[Message]) -> tuple[str, bool]:
    """Text of the last user message (its first 4,000 characters), and whether the conversation ends with it.

    Anthropic's tool results come under the role of the user; a message of nothing else is none of the user's.
    """
    for message in reversed(messages):
        if message.role == "user" and not is_tool_result(message.content):
            return text_of(message.content)[:TEXT_CHARS], message is messages[-1]
    return "", False


def is_tool_result(content: Content) -> bool:
    """Whether a message consists of tool results alone."""
    return isinstance(content, list) and bool(content) and all(part.type == "tool_result" for part in content)


def media_of(messages: list[Message]) -> Media:
    """The media of a conversation."""
    media = Media()
    for message in messages:
        # Most messages are plain strings.
        if type(message.content) is list:
            media.add(message.content)
    return media


def read_content(value: msgspec.Raw) -> Content:
    """A content value that may be of any type; what is neither string nor list of parts reads as None."""
    if not value:
        return None
    try:
        return decode(_CONTENT, value)
    except ValueError:
        return None


def text_of(content: Content) -> str:
    r"""The text of a message's content; text parts are joined by line ends.

    Examples:
        >>> text_of([Part(type="text", text=msgspec.Raw(b'"one"')), Part(type="image"), Part(type="text", text=msgspec.Raw(b'"two"'))])
        'one\ntwo'
    """
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(_part_text(part.text) for part in content if part.type in _TEXT_TYPES)


def prompt_hash(texts: list[str]) -> str | None:
    """Hash of the system prompt (64 bits in hex), or None without one. Parts of a prompt are joined, so how it was cut is not in it."""
    joined = "\n".join(text for text in texts if text)
    return blake2b(joined.encode(), digest_size=8).hexdigest() if joined else None


def _part_text(value: msgspec.Raw) -> str:
    try:
        return decode(_TEXT, value)
    except ValueError:
        return ""


def _payload_bytes(part: Part) -> int:
    return len(part.image_url) + len(part.input_audio) + len(part.file) + len(part.file_data) + len(part.source)


def _is_text(source: msgspec.Raw) -> bool:
    try:
        return decode(_SOURCE, source).type in {"text", "content"}
    except ValueError:
        return False
