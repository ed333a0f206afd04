"""Which live traffic a suite does not cover, and which requests would cover most of it.

A live request is covered as far as some case of the suite is like it: the largest cosine of their vectors. The proposals are chosen
greedily for the largest gain in the traffic's mean coverage, which is a facility-location problem: its gain is monotone and
submodular, so the greedy choice reaches at least 1 - 1/e of the best one's. Rare requests far from all others are therefore not chosen
for being far: what counts is how much traffic a case stands for.

References:
    Nemhauser, Wolsey, Fisher (1978), An analysis of approximations for maximizing submodular set functions I.
    Wei, Iyer, Bilmes (2015), Submodularity in data subset selection and active learning, ICML.
"""

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

BUCKETS = 2_048
"""Places that words and pairs of words are hashed to."""

MAX_CHARS = 2_000
"""Characters of a text that are looked at."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Proposals:
    """What was chosen.

    Attributes:
        chosen: Positions of live texts, the one that covers most first.
        stands_for: Share of the traffic for which each is the nearest case now, of what no case was near before.
        before, after: Share of the traffic that has a case at least `near` to it, before and with the proposals.
    """

    chosen: tuple[int, ...]
    stands_for: tuple[float, ...]
    before: float
    after: float


def word_vectors(texts: Sequence[str], known: Sequence[str] = ()) -> FloatArray:
    """Vectors of texts by their words and pairs of words, TF-IDF weighted, of length 1.

    What two texts share is weighed by how rare it is among all of them. For a stand-in of an encoder: it knows no synonyms.

    Args:
        texts: Texts.
        known: Further texts by which rarity is told.

    Returns:
        One row a text. Shape (texts, BUCKETS).

    Examples:
        >>> v = word_vectors(["where is my order", "where is my order now", "cancel the flight"])
        >>> bool(v[0] @ v[1] > 0.5 > 0.1 > v[0] @ v[2])
        True
    """
    counts = [_counts(text) for text in texts]
    seen = np.ones(BUCKETS, dtype=np.float32)
    for one in (*counts, *(_counts(text) for text in known)):
        seen[list(one)] += 1.0
    rarity = np.log((1.0 + len(counts) + len(known)) / seen) + 1.0
    out = np.zeros((len(counts), BUCKETS), dtype=np.float32)
    for row, one in enumerate(counts):
        for place, n in one.items():
            out[row, place] = (1.0 + np.log(n)) * rarity[place]
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return out / np.maximum(length, np.float32(1e-12))


def _counts(text: str) -> Counter[int]:
    words = _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold())
    grams = [*words, *(f"{a} {b}" for a, b in pairwise(words))]
    return Counter(zlib.crc32(gram.encode("utf-8", "replace")) % BUCKETS for gram in grams)


def propose(live: FloatArray, traffic: FloatArray, suite: FloatArray, *, count: int, near: float) -> Proposals:
    """Choose live texts that the suite should have.

    Args:
        live: Vectors of live texts, of length 1. Shape (n, d).
        traffic: Requests that each stands for, above 0. Shape (n,).
        suite: Vectors of the cases. Shape (m, d); m may be 0.
        count: Most proposals.
        near: Cosine from which a request counts as covered, in (0, 1).

    Examples:
        Two kinds of request that no case is like; the more frequent one is proposed first:

        >>> live = np.eye(3, dtype=np.float32)
        >>> found = propose(live, np.array([5.0, 1.0, 4.0], dtype=np.float32), live[:1], count=2, near=0.6)
        >>> found.chosen, round(found.before, 1), round(found.after, 1)
        ((2, 1), 0.5, 1.0)
    """
    share = traffic / traffic.sum()
    covered = np.clip((live @ suite.T).max(axis=1), 0.0, 1.0) if len(suite) else np.zeros(len(live), dtype=np.float32)
    before = float(share[covered >= near].sum())
    like = np.clip(live @ live.T, 0.0, 1.0)
    chosen: list[int] = []
    stands_for: list[float] = []
    for _ in range(min(count, len(live))):
        gain = share @ np.maximum(like - covered[:, None], 0.0)
        # What is covered already is no proposal, whatever it would still gain.
        gain[covered >= near] = -1.0
        best = int(gain.argmax())
        if gain[best] <= 0.0:
            break
        fresh = (like[:, best] >= near) & (covered < near)
        chosen.append(best)
        stands_for.append(float(share[fresh].sum()))
        covered = np.maximum(covered, like[:, best])
    return Proposals(tuple(chosen), tuple(stands_for), before, float(share[covered >= near].sum()))
