"""What a worker tells the keeper of a conversation, off the request path, for the implicit signals.

One datagram holds one or more messages, a JSON line each. The text goes over a local socket into memory and no further:
the keeper keeps keyed hashes of it (`undertow.behaviour`). A worker must not wait for the keeper: what the socket does not
take is dropped and counted. Many systems queue no more than ten datagrams on a socket, so several messages a datagram are
better than one.
"""

from collections.abc import Iterable

import msgspec

from undertow.records.unreadable import UNREADABLE

MAX_TEXT_CHARS = 4_000
MAX_TOOL_CALLS = 16
MAX_NAME_CHARS = 128
MAX_DATAGRAM_BYTES = 64_000


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="turn", tag_field="t"):
    """One decision of a conversation, sent once its answer has ended.

    Attributes:
        decision_id: The decision.
        conversation_id: Its conversation as the log has it (pseudonymous). A decision without one is not sent.
        user_id: Its user as the log has it, or None.
        event_time: When the request arrived, Unix seconds.
        text: The last message of the user in the request.
        is_user_turn: The request ends in a message of the user. False where it ends in a tool's result: then the text is
            the same message as before, which the user did not send again.
        client_retry: How often the caller's own client had sent this request before; its user sent it once.
        tool_calls: Names of the tools that the answer calls.
        status: How it ended, as in the log: `ok`, `fallback`, `error`, `refused`, `abandoned`.
    """

    decision_id: str
    conversation_id: str
    user_id: str | None = None
    event_time: float
    text: str = ""
    is_user_turn: bool = True
    client_retry: int = 0
    tool_calls: tuple[str, ...] = ()
    status: str = "ok"

    def __repr__(self) -> str:
        return f"Turn({self.decision_id!r})"


class Handover(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="handover", tag_field="t"):
    """A signal named `handover` was posted: a person took over.

    Attributes:
        event_time: When, Unix seconds.
        decision_id: The decision after which, or None: the last one of the conversation.
        conversation_id: The conversation, or None: that of the decision.
    """

    event_time: float
    decision_id: str | None = None
    conversation_id: str | None = None


Message = Turn | Handover

_DECODER = msgspec.json.Decoder(Message)
_ENCODER = msgspec.json.Encoder()


def encode_messages(messages: Iterable[Message]) -> list[bytes]:
    """Datagrams with these messages, cut to their limits; as few as `MAX_DATAGRAM_BYTES` allows.

    Examples:
        >>> first = Turn(decision_id="d", conversation_id="c", event_time=1.0, text="x" * 10_000)
        >>> [len(datagram) for datagram in encode_messages([first])]
        [4079]
    """
    datagrams: list[bytes] = []
    current: list[bytes] = []
    size = 0
    for message in messages:
        line = _ENCODER.encode(_cut(message))
        if current and size + len(line) + 1 > MAX_DATAGRAM_BYTES:
            datagrams.append(b"\n".join(current))
            current, size = [], 0
        current.append(line)
        size += len(line) + 1
    if current:
        datagrams.append(b"\n".join(current))
    return datagrams


def decode_messages(datagram: bytes) -> tuple[list[Message], int]:
    """The messages of a datagram, and how many of its lines were none."""
    messages: list[Message] = []
    broken = 0
    for line in datagram.split(b"\n"):
        try:
            messages.append(_cut(_DECODER.decode(line)))
        except UNREADABLE:
            broken += 1
    return messages, broken


def _cut(message: Message) -> Message:
    if isinstance(message, Handover):
        return message
    is_long = len(message.text) > MAX_TEXT_CHARS or len(message.tool_calls) > MAX_TOOL_CALLS
    if not is_long and all(len(name) <= MAX_NAME_CHARS for name in message.tool_calls):
        return message
    calls = tuple(name[:MAX_NAME_CHARS] for name in message.tool_calls[:MAX_TOOL_CALLS])
    return msgspec.structs.replace(message, text=message.text[:MAX_TEXT_CHARS], tool_calls=calls)
