"""How often further answers to the same request say the same as the one that is held: self-consistency.

Answers are compared after normalising, since models word the same thing differently: as JSON values where both are JSON, by the last number
where both end in one, as words where they are short, and by shared words where they are long. The last is a lexical stand-in for
meaning: it takes a negation for agreement and a paraphrase for dissent, which is why agreement is a feature that is calibrated
and never a confidence by itself.

Source: Wang et al. (2022), Self-Consistency Improves Chain of Thought Reasoning in Language Models, arXiv 2203.11171: the share of
sampled answers that agree. There the answer is the last number or choice of a chain of thought; so it is here.
"""

import json
import re
from collections.abc import Sequence

SAME_WORDS = 0.6
"""Jaccard similarity from which two longer texts count as the same."""

SHORT_WORDS = 6
"""Answers of up to so many words must be equal word by word: in `it is red` and `it is blue` most words are the same."""

MAX_CHARS = 20_000
"""Of each text that are looked at, from its end where it is longer: conclusions stand there, and it bounds the time."""

_END = re.compile(r"(?<![\w.])(?P<number>-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)\W*$")
_WORD = re.compile(r"\w+(?:[.'-]\w+)*")
_ARTICLES = frozenset({"a", "an", "the"})


def agreement_of(held_text: str, sample_texts: Sequence[str]) -> float | None:
    """Share of further answers that say the same as the held one.

    Args:
        held_text: The answer that is held.
        sample_texts: The others, in any order.

    Returns:
        A share in [0, 1]; None where there is no other answer, or the held one has no text to compare.

    Examples:
        >>> agreement_of("Paris.", ["paris", "The Paris", "Lyon"])
        0.6666666666666666
        >>> agreement_of("3 + 4 = 7, so the answer is 7.", ["It is **7**", "8"])
        0.5
        >>> agreement_of("yes", []) is None
        True
    """
    if not sample_texts or not held_text.strip():
        return None
    return sum(is_same(held_text, text) for text in sample_texts) / len(sample_texts)


def is_same(one: str, other: str) -> bool:
    """Whether two answers say the same, as far as their words tell.

    Examples:
        >>> is_same('{"city": "Paris", "n": 1}', '{ "n": 1, "city": "Paris" }')
        True
        >>> is_same("The total is 1,200", "I get 1200.")
        True
        >>> is_same("it is red", "it is blue")
        False
    """
    one, other = one.strip()[-MAX_CHARS:], other.strip()[-MAX_CHARS:]
    values = _json_values(one, other)
    if values is not None:
        return values[0] == values[1]
    numbers = _last_number(one), _last_number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    words = normalised_words(one), normalised_words(other)
    if not words[0] or not words[1]:
        return one == other
    if min(map(len, words)) <= SHORT_WORDS:
        return words[0] == words[1]
    first, second = set(words[0]), set(words[1])
    return len(first & second) >= SAME_WORDS * len(first | second)


def normalised_words(text: str) -> list[str]:
    """The words of a text, lower-cased, without punctuation and articles.

    Examples:
        >>> normalised_words("  The answer: **B**. ")
        ['answer', 'b']
    """
    return [word for word in _WORD.findall(text.casefold()) if word not in _ARTICLES]


def _json_values(one: str, other: str) -> tuple[str, str] | None:
    """Both as JSON written in one way; None where either is no object or list, so that plain words and numbers are compared as such."""
    if one[:1] not in {"{", "["} or other[:1] not in {"{", "["}:
        return None
    try:
        # Whole numbers as floats: 1 and 1.0 are the same number, and neither is `true`.
        first, second = (json.dumps(json.loads(text, parse_int=float), sort_keys=True) for text in (one, other))
    except (ValueError, RecursionError):
        return None
    return first, second


def _last_number(text: str) -> float | None:
    """The number that an answer ends in; None where it ends in something else."""
    end = _END.search(text[-64:])
    if end is None:
        return None
    return float(end["number"].replace(",", ""))
