"""English words and phrases by which a model shows that it is unsure, or that it declines. Features, never a verdict by themselves.

Lexical markers catch what log-probabilities of a chat model hide: a fluent `I'm not sure, but it might be` has likely tokens. They know
English alone, and a model can be trained to hedge always or never, so what they are worth is for the calibration to find out.

Source of the list of hedges: modal verbs, lexical verbs and adverbs as Hyland (1998), Hedging in Scientific Research Articles, divides them,
as far as chat models use them of their own answers.
"""

import re

HEDGES = (
    "might", "perhaps", "maybe", "possibly", "probably", "presumably", "apparently", "seemingly", "roughly", "approximately",
    "i think", "i believe", "i guess", "i assume", "i suppose", "i'm not sure", "i am not sure", "not sure", "not certain",
    "i'm not certain", "unsure", "uncertain", "unclear", "it seems", "it appears", "seems to", "appears to", "could be", "may be",
    "likely", "unlikely", "as far as i know", "to my knowledge", "to the best of my knowledge", "if i recall", "if i remember",
    "i don't know", "i do not know", "hard to say", "difficult to say",
)  # fmt: skip
"""Longer phrases come first when they are looked for, so that each place counts once."""

REFUSALS = (
    "i cannot", "i can't", "i can not", "i am unable", "i'm unable", "i am not able", "i'm not able", "i won't", "i will not",
    "as an ai", "as a language model", "as a large language model", "i'm sorry, but", "i am sorry, but", "i must decline",
    "i don't have access", "i do not have access", "i'm just an ai",
)  # fmt: skip

REFUSAL_CHARS = 200
"""A refusal says so at once; later in an answer the same words mostly speak of something else."""

MAX_CHARS = 20_000
"""Of an answer that are looked at: it bounds the time."""


def _one_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b")


_HEDGE = _one_of(HEDGES)
_REFUSAL = _one_of(REFUSALS)
_WORD = re.compile(r"\w+(?:'\w+)*")
_OPTION = re.compile(r"[\s*_`(\[{]*([a-z0-9]{1,2}|yes|no|true|false)[\s*_`)\]}.]*", re.IGNORECASE | re.ASCII)
_OPTION_CHARS = 16


def hedging(text: str) -> float | None:
    """Hedges per word of an answer, in [0, 1]; None without words.

    Examples:
        >>> hedging("It might be Paris, I think.")
        0.3333333333333333
        >>> hedging("It is Paris.")
        0.0
    """
    shown = _plain(text[:MAX_CHARS])
    words = len(_WORD.findall(shown))
    return min(len(_HEDGE.findall(shown)) / words, 1.0) if words else None


def has_refusal_words(text: str) -> bool:
    """Whether an answer begins like a refusal.

    Examples:
        >>> has_refusal_words("I\u2019m unable to help with that."), has_refusal_words("The parcel cannot be found.")
        (True, False)
    """
    return _REFUSAL.search(_plain(text[:REFUSAL_CHARS])) is not None


def option_of(text: str) -> str | None:
    """The option that a whole answer is: one or two letters or digits, yes, no, true or false; None where it is anything else.

    Brackets, emphasis and a full stop around it are ignored.

    Examples:
        >>> option_of(" (B). "), option_of("Yes."), option_of("12"), option_of("maybe"), option_of("B because")
        ('b', 'yes', '12', None, None)
    """
    if len(text) > _OPTION_CHARS:
        text = text.strip()
        if len(text) > _OPTION_CHARS:
            return None
    found = _OPTION.fullmatch(text)
    return found[1].lower() if found else None


def _plain(text: str) -> str:
    return text.lower().replace("\u2019", "'")
