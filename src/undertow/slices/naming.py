"""Names for a group of texts: the words that set it apart, and its most typical examples.

Words are ranked by the log odds of a word in the group against the rest, with a prior that knows how frequent each word is
anyhow: neither rare words of a small sample nor frequent words that everybody uses come first. Texts and words are other
people's: whoever shows them must clean them first.

References:
    Monroe, Colaresi, Quinn (2008), Fightin' Words: Lexical feature selection and evaluation for identifying the content of
    political conflict, Political Analysis 16(4), section 3.5.1 (equations 15, 18 to 22).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from undertow.slices.sketch import words

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PRIOR_WORDS = 200.0
"""Words that the prior is worth."""

MIN_TEXTS = 2
"""A word that names a group stands in at least this many of its texts ..."""

MIN_RATIO = 2.0
"""... and is at least this many times as frequent there as in the others: small words that lean to one side name nothing."""

MAX_EXAMPLE_CHARS = 200
_NUMBER = re.compile(r"[\d.,]*\d")
MAX_WORD_CHARS = 30


@dataclass(frozen=True, slots=True, eq=False)
class WordTable:
    """Which words stand in which texts: made once for all groups of them.

    Attributes:
        names: Words that may name a group, sorted.
        has: Whether a text has a word. Shape (n, V).
        size: Different words of each text, those that name nothing among them. Shape (n,).
    """

    names: tuple[str, ...]
    has: sparse.csr_array
    size: FloatArray


def word_table(texts: Sequence[str]) -> WordTable:
    """The words of some texts. A word counts once a text; words of one letter and numbers name nothing and are left out.

    Examples:
        >>> word_table(["Where is my card?", "my 12 cards"]).names
        ('card', 'cards', 'is', 'my', 'where')
    """
    distinct = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    each = [set(words(text)) for text in distinct]
    names = sorted({word for some in each for word in some if _can_name(word)})
    place = {name: at for at, name in enumerate(names)}
    found = [sorted(place[word] for word in some if word in place) for some in each]
    ends = np.cumsum([0, *(len(some) for some in found)])
    columns = np.array([at for some in found for at in some], dtype=np.int64)
    has = sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(each), len(names)))
    size = np.array([float(len(some)) for some in each])
    at = np.fromiter((distinct[text] for text in texts), dtype=np.int64, count=len(texts))
    return WordTable(tuple(names), sparse.csr_array(has[at]), size[at])


def telling_words(table: WordTable, members: BoolArray, most: int = 3) -> tuple[str, ...]:
    """Words that set a group of texts apart from the others, most telling first.

    Args:
        table: Words of all texts, those of the group among them.
        members: Which belong to the group. Shape (n,).
        most: Most words returned; fewer where no more are clearly more frequent in the group (z of at least 2).

    Returns:
        Words in lower case.

    Examples:
        >>> texts = ["where is my card", "my card is late", "card please", "where is my refund", "refund me", "is it open"]
        >>> telling_words(word_table(texts * 10), np.array([True, True, True, False, False, False] * 10), most=1)
        ('card',)
    """
    size = float(members.sum())
    if size == 0.0 or not table.names:
        return ()
    mine = np.asarray(members.astype(np.float64) @ table.has)
    theirs = np.asarray((~members).astype(np.float64) @ table.has)
    z = _log_odds_z(mine, theirs, float(table.size[members].sum()), float(table.size[~members].sum()))
    ratio = (mine / size) / np.maximum(theirs / max(len(members) - size, 1.0), 1e-9)
    z = np.where((mine >= MIN_TEXTS) & (ratio >= MIN_RATIO) & (z >= 2.0), z, -np.inf)
    order = np.argsort(-z, kind="stable")[:most]  # names are sorted, so ties are in their order
    return tuple(table.names[at] for at in order.tolist() if np.isfinite(z[at]))


def _can_name(word: str) -> bool:
    return 1 < len(word) <= MAX_WORD_CHARS and not word.isnumeric()


def _log_odds_z(mine: FloatArray, theirs: FloatArray, n_mine: float, n_theirs: float) -> FloatArray:
    """Log odds ratios over their standard errors, with the prior in proportion to the words' overall frequency. Shape (V,)."""
    frequency = (mine + theirs) / max(n_mine + n_theirs, 1.0)
    prior = PRIOR_WORDS * frequency
    y_i, y_j = mine + prior, theirs + prior
    rest_i, rest_j = n_mine + PRIOR_WORDS - y_i, n_theirs + PRIOR_WORDS - y_j
    delta = np.log(y_i / np.maximum(rest_i, 1e-9)) - np.log(y_j / np.maximum(rest_j, 1e-9))
    return np.asarray(delta / np.sqrt(1.0 / y_i + 1.0 / y_j))


def typical_texts(texts: Sequence[str], members: BoolArray, distance: npt.ArrayLike, most: int = 3) -> tuple[str, ...]:
    """Texts of a group, not alike but for a number, that are nearest to its centre, cut to `MAX_EXAMPLE_CHARS` characters.

    Args:
        texts: All texts.
        members: Which belong to the group. Shape (n,).
        distance: Distance of each text to the centre of the group; ties by the text. Shape (n,).
        most: Most texts returned.

    Examples:
        >>> typical_texts(["a card", "the card", "a card", "x"], np.array([True, True, True, False]), [0.1, 0.3, 0.1, 0.0])
        ('a card', 'the card')
    """
    gap = np.asarray(distance, dtype=np.float64)
    ranked = sorted(np.flatnonzero(members).tolist(), key=lambda at: (gap[at], texts[at]))
    different: dict[str, str] = {}
    for at in ranked[: 50 * most]:
        text = " ".join(texts[at].split())[:MAX_EXAMPLE_CHARS]
        different.setdefault(_NUMBER.sub("0", text).casefold(), text)
    return tuple(different.values())[:most]
