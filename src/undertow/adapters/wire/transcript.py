r"""A conversation as people and judges read it: who said what, media and calls of tools in words, the last message last.

Made of the few requests that were drawn, off the request path. The text is the caller's and stays as it came, control characters
too: whoever shows it cleans it.
"""

from typing import Any

import msgspec

from undertow.adapters.wire.body import decode, is_given
from undertow.adapters.wire.written import written_answer
from undertow.ports.wire import ReadRequest

MOST_CHARS = 200_000
"""A longer conversation is cut in its middle: what it began with and what was asked last are kept."""
CUT = "\n[...]\n"
UNKNOWN = "unknown"

_ANY = msgspec.json.Decoder(Any)
_TEXTS = frozenset({"text", "input_text", "output_text", "summary_text"})
_CALLS = frozenset({"function_call", "custom_tool_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})


def transcript(request: ReadRequest) -> str:
    r"""The conversation of a request in any wire format.

    Examples:
        >>> fields = {"messages": msgspec.Raw(b'[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]')}
        >>> from undertow.records.request import RequestFacts
        >>> print(transcript(ReadRequest(facts=RequestFacts("chat.completions", "auto"), fields=fields)))
        system: Be brief.
        <BLANKLINE>
        user: Hi
    """
    fields = request.fields
    lines = [
        _said("system", _text(value)) for name in ("system", "instructions") if (value := _value(fields.get(name)))
    ]
    said = _value(fields.get("messages")) or _value(fields.get("input"))
    if isinstance(said, str):
        lines.append(_said("user", said))
    elif isinstance(said, list):
        lines += [line for item in said if (line := _line(item)) is not None]
    whole = "\n\n".join(lines)
    half = (MOST_CHARS - len(CUT)) // 2
    return whole if len(whole) <= MOST_CHARS else whole[:half] + CUT + whole[-half:]


def _value(raw: Any) -> Any:
    """A field's value, or None where it is absent, null or (cannot be here any more) no JSON."""
    if not is_given(raw):
        return None
    try:
        return decode(_ANY, raw)
    except ValueError:
        return None


def _said(role: str, text: str) -> str:
    return f"{role}: {text}"


def _line(item: Any) -> str | None:
    """One message, or item of the responses API; None for one that nobody reads (reasoning, a reference)."""
    if not isinstance(item, dict):
        return None
    kind = _kind(item)
    if kind in _CALLS:
        return _said("assistant", written_answer("", "", [_call(item)]))
    if kind in _RESULTS:
        return _said("tool", _text(item.get("output")))
    if "role" not in item:
        return None
    role = item["role"] if isinstance(item["role"], str) else UNKNOWN
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    results = [part for part in parts if _kind(part) == "tool_result"]
    if results and len(results) == len(parts):
        return _said("tool", "\n".join(_text(part.get("content")) for part in results))
    calls = [_call(part) for part in parts if _kind(part) == "tool_use"]
    listed = item.get("tool_calls")
    calls += [_call(call.get("function") or call.get("custom") or {}) for call in listed if isinstance(call, dict)] if isinstance(listed, list) else []  # fmt: skip
    if isinstance(item.get("function_call"), dict):
        calls.append(_call(item["function_call"]))
    refusal = item.get("refusal")
    return _said(role, written_answer(_text(content), refusal if isinstance(refusal, str) else "", calls))


def _text(content: Any) -> str:
    """The text of a content value; what is no text is named in brackets."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    lines: list[str] = []
    for part in content:
        if isinstance(part, str):
            lines.append(part)
        if not isinstance(part, dict):
            continue
        kind = _kind(part)
        if kind in _TEXTS:
            lines.append(part["text"] if isinstance(part.get("text"), str) else "")
        elif kind == "refusal":
            lines.append(part["refusal"] if isinstance(part.get("refusal"), str) else "")
        elif kind == "tool_result":
            lines.append(_text(part.get("content")))
        elif kind != "tool_use":
            lines.append(f"[{_medium(kind)}]")
    return "\n".join(lines)


def _kind(part: dict[str, Any]) -> str:
    kind = part.get("type")
    return kind if isinstance(kind, str) else ""


def _medium(kind: str) -> str:
    return next((word for word in ("image", "audio", "video", "file", "document") if word in kind), "other")


def _call(call: Any) -> tuple[str, str]:
    if not isinstance(call, dict):
        return "", ""
    given = next((call[name] for name in ("arguments", "input") if name in call), "")
    arguments = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    name = call.get("name")
    return name if isinstance(name, str) else "", arguments
