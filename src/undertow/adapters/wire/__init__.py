"""Wire formats: chat completions, Anthropic messages, OpenAI responses. Pure functions over bytes."""

from undertow.adapters.wire.chat import ChatDialect
from undertow.adapters.wire.messages import MessagesDialect
from undertow.adapters.wire.responses import ResponsesDialect
from undertow.ports.wire import Dialect


def dialects() -> dict[str, Dialect]:
    """Every wire format by the gateway's path for it.

    Examples:
        >>> sorted(dialects())
        ['/v1/chat/completions', '/v1/messages', '/v1/responses']
    """
    found: tuple[Dialect, ...] = (ChatDialect(), MessagesDialect(), ResponsesDialect())
    return {f"/v1{dialect.path}": dialect for dialect in found}
