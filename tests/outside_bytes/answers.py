"""Whole answers of upstreams and judges, self checks, and the client's own reading of them. The first byte chooses the format."""

import json
from contextlib import suppress

from outside_bytes.target import Target, in_time
from undertow.adapters.wire.schemas import fits_schema
from undertow.judging.verdicts import read_choice, read_score
from undertow.records.answer import Evidence
from wire_samples import CHAT, DIALECTS, MESSAGES, RESPONSES, asked, completion, dumps, message, response, said, tokens

ALL = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)
_DIALECTS = tuple(DIALECTS.values())
_SCHEMA = {
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"type": ["string", "number"], "pattern": "^(a+)+$"}},
}
_FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": _SCHEMA}}
_TOOLS = [{"type": "function", "function": {"name": "find", "parameters": _SCHEMA}}]


def read(data: bytes) -> None:
    """An answer of the format, or `ValueError`, which counts as garbage; a verdict, or the reason why there is none."""
    first, data = data[:1] or b"\0", data[1:]
    dialect = _DIALECTS[first[0] % len(_DIALECTS)]
    fields = {"response_format": _FORMAT, "tools": _TOOLS} if dialect is CHAT else {}
    with in_time():
        try:
            answer = dialect.read_answer(asked(dialect, **fields), data, evidence=ALL)
            json.loads(answer.body)
            said_ = answer.facts.text or ""
        except ValueError:
            said_ = data.decode("utf-8", "replace")
        believed = dialect.read_self_check(data)
        choice, score = read_choice(said_), read_score(said_)
        with suppress(ValueError):  # the document is no JSON
            assert fits_schema(dumps(_SCHEMA), data) in {True, False, None}
        assert fits_schema(data, b'{"a": ["b", 1.5]}') in {True, False, None}
    assert believed is None or 0 <= believed <= 1
    assert choice.status in {"ok", "refused", "unparsable"}
    assert score.score is None or 0 <= score.score <= 1


_CALL = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"a": "aaaa"}'}}
SEEDS = (
    bytes([_DIALECTS.index(CHAT)]) + dumps(completion('{"a": "aa"}', logprobs=tokens(-1, -2))),
    bytes([_DIALECTS.index(CHAT)]) + dumps(completion(None, tool_calls=[_CALL])),
    bytes([_DIALECTS.index(CHAT)]) + dumps(completion('I think {"verdict": "A"}')),
    bytes([_DIALECTS.index(CHAT)]) + dumps(completion('{"score": 0.5}')),
    bytes([_DIALECTS.index(MESSAGES)]) + dumps(message()),
    bytes([_DIALECTS.index(RESPONSES)]) + dumps(response(said("Press it.", -1, -2))),
    b"\x00" + dumps({"$defs": {"a": {"enum": [1, "b"]}}, "properties": {"a": {"$ref": "#/$defs/a"}}, "allOf": [{"not": {"type": "array"}}]}),
    b'\x00```json\n{"verdict": "tie"}\n```',
)  # fmt: skip
TARGET = Target("answers", read, SEEDS)
