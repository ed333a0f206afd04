"""Bodies of requests in the three formats, and what is sent on. The first byte chooses the format."""

import json

import msgspec

from outside_bytes.target import Target, in_time, only
from undertow.ports.wire import WireError
from undertow.records.answer import SUM_OF_LOGPROBS
from wire_samples import CHAT, DIALECTS, MESSAGES, RESPONSES, dumps

_DIALECTS = tuple(DIALECTS.values())


def read(data: bytes) -> None:
    """Read or refused; what is sent on is JSON for the tier's model."""
    first, data = data[:1] or b"\0", data[1:]
    dialect = _DIALECTS[first[0] % len(_DIALECTS)]
    with in_time(), only(WireError):
        request = dialect.read_request(data, max_nesting=64)
        made = dialect.upstream_body(request, model="small", parameters={"temperature": 0}, evidence=SUM_OF_LOGPROBS)
        assert msgspec.json.decode(made)["model"] == "small"
        assert request.facts.input_tokens >= 0
        for other in (
            dialect.self_check_body(request, "yes", model="small", parameters={}),
            dialect.sample_body(request, model="small", parameters={}, temperature=0.7),
            dialect.shadow_body(request, model="small", parameters={}),
        ):
            assert other is None or msgspec.json.decode(other)["model"] == "small"
        json.loads(dialect.error_body("no", type_="x", code=None, param=None))


_TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "required": ["a"]}}}
SEEDS = (
    bytes([_DIALECTS.index(CHAT)])
    + dumps(
        {
            "model": "auto",
            "messages": [
                {"role": "system", "content": "be brief"},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "canary4711"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    ],
                },
            ],
            "metadata": {"intent": "billing", "user_id": "u", "conversation_id": "c"},
            "tools": [_TOOL],
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
            "max_tokens": 9,
            "logprobs": True,
            "top_logprobs": 2,
            "stream": True,
            "stream_options": {"include_usage": True},
            "n": 2,
        }
    ),
    bytes([_DIALECTS.index(MESSAGES)])
    + dumps(
        {
            "model": "auto",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "be brief"}],
            "messages": [
                {"role": "user", "content": "canary4711"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "find", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "found"}]},
            ],
            "tools": [{"name": "find", "input_schema": {"type": "object"}}],
            "metadata": {"user_id": "u"},
        }
    ),
    bytes([_DIALECTS.index(RESPONSES)])
    + dumps(
        {
            "model": "auto",
            "instructions": "be brief",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "canary4711"}]}],
            "text": {"format": {"type": "json_object"}},
            "include": ["message.output_text.logprobs"],
            "previous_response_id": None,
            "max_output_tokens": 9,
        }
    ),
)
TARGET = Target("bodies", read, SEEDS)
