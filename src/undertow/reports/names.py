"""Names from a log, made harmless before anybody looks at them.

Segments, tiers, signals and models are text that a stranger may have chosen. A newline forges a line of the report, an
escape sequence repaints the terminal, a bidi override turns a sentence round, ten thousand characters push the rest off
the page. Here each such character is replaced by a visible one and length is bounded; markup (rich, HTML, Markdown) is the
business of each renderer, which never passes a name through as markup.
"""

import unicodedata

from rich.cells import cell_len

from undertow.records.segment import Segment

REPLACEMENT = "\ufffd"
ELLIPSIS = "…"
EMPTY = "(empty)"
"""Shown for a name without letters, so that nothing on the page is nameless."""
_JOINERS = frozenset("\u200c\u200d")
"""Needed by Persian, Indic scripts and emoji; they move nothing."""
_MAX_MARKS = 3
"""Combining marks kept on one letter: enough for every script in use, too few to run over other lines."""
_WORD = 80
"""Columns kept of one word in a sentence."""
_SCAN = 2_000
"""Characters looked at; a longer name is cut before anything else is done with it."""


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    match unicodedata.category(character):
        case "Cc" | "Cs":
            return REPLACEMENT
        case "Cf":
            return character if character in _JOINERS else REPLACEMENT
        case "Zl" | "Zp" | "Zs":
            return " "
        case _:
            return character


def plain(text: str) -> str:
    r"""The text on one line with nothing in it that acts.

    Control characters become their pictures, bidi controls and other format characters U+FFFD, odd spaces a space, and
    towers of combining marks are cut to three.

    Examples:
        >>> plain("a\nb\x1b[31mred")
        'a␊b␛[31mred'
        >>> plain("safe\u202eevil")
        'safe�evil'
    """
    kept = []
    marks = 0
    for character in text[:_SCAN]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MAX_MARKS:
            kept.append(_visible(character))
    return "".join(kept) + (ELLIPSIS if len(text) > _SCAN else "")


def prose(text: str, limit: int = 600) -> str:
    r"""A sentence that may quote names: harmless, on one line, at most `limit` columns wide, without endless words.

    Examples:
        >>> prose("The cheap tier\nfails in x=" + "y" * 5_000)[:32]
        'The cheap tier fails in x=yyyyyy'
    """
    return _cut(" ".join(_cut(word, _WORD) for word in text.split()), limit)


def clip(text: str, columns: int) -> str:
    """The harmless name in at most `columns` terminal columns (a CJK letter or emoji takes two), cut with an ellipsis.

    Examples:
        >>> clip("billing and refunds", 10), clip("日本語のキー", 7), clip("", 7)
        ('billing a…', '日本語…', '(empty)')
    """
    return _cut(text, columns) or EMPTY


def _cut(text: str, columns: int) -> str:
    text = plain(text)
    if cell_len(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += cell_len(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ELLIPSIS


def isolated(text: str) -> str:
    """A name for a label that holds more than the name: right-to-left letters stay inside it and reorder nothing else.

    Only our own bidi isolates are added, after `clip` has removed any that came with the name.

    Examples:
        >>> isolated("billing"), len(isolated("שלום"))
        ('billing', 6)
    """
    if any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in text):
        return f"\u2068{text}\u2069"
    return text


def columns(text: str) -> int:
    """Terminal columns that harmless text takes; charts use it as a measure of width."""
    return cell_len(text)


def segment_name(segment: Segment, limit: int = 48) -> str:
    """A segment for people, in at most `limit` columns; the key keeps its letters when the value is what is long.

    Examples:
        >>> from undertow.records.segment import WHOLE
        >>> segment_name(Segment("intent", "billing")), segment_name(WHOLE)
        ('intent=billing', 'whole tier')
    """
    if segment.is_whole:
        return "whole tier"
    key = clip(segment.key, max(limit // 2, 4))
    return f"{isolated(key)}={isolated(clip(segment.value, max(limit - columns(key) - 1, 4)))}"
