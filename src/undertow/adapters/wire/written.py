r"""An answer as people and judges read it: its text, and after it a refusal and the tools it calls, in words.

A call is an answer like any other; nothing here or anywhere runs one. Names and arguments are the model's, so they are hostile: they
are cut, and control characters, line breaks and marks that turn the direction of writing become blanks, so that no call looks like
text that somebody wrote beside it.
"""

import re
from collections.abc import Iterable

import msgspec

MAX_CALLS = 16
MAX_NAME_CHARS = 128
MAX_ARGUMENT_CHARS = 2_000
CUT = " ..."

_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


def written_answer(text: str, refusal: str, calls: Iterable[tuple[str, str | msgspec.Raw | None]]) -> str:
    r"""The answer as it is read.

    Args:
        text: Its text, as it came.
        refusal: The text of its refusal, or nothing.
        calls: Name and arguments of each tool that it calls, in order.

    Examples:
        >>> print(written_answer("I will look.", "", [("look_up", '{"order":\n"7"}')]))
        I will look.
        [calls look_up({"order": "7"})]
        >>> written_answer("", "I cannot help with that.", [])
        'I cannot help with that.'
        >>> written_answer("", "", [("a\x1b[2J", "x" * 3000)])[:14], len(written_answer("", "", [("a", "x" * 3000)]))
        ('[calls a [2J(x', 2015)
    """
    lines = [part for part in (text, refusal) if part]
    for place, (name, arguments) in enumerate(calls):
        if place == MAX_CALLS:
            lines.append("[calls more tools]")
            break
        given = arguments if isinstance(arguments, str) else bytes(arguments or b"").decode("utf-8", errors="replace")
        lines.append(f"[calls {_plain(name, MAX_NAME_CHARS)}({_plain(given, MAX_ARGUMENT_CHARS)})]")
    return "\n".join(lines)


def _plain(text: str, most: int) -> str:
    cut = text[: most + 1]
    return _NOT_PLAIN.sub(" ", cut[:most]) + (CUT if len(cut) > most else "")
