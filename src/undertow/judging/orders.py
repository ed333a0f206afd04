"""In which order two answers are shown, and what the verdicts in both orders come to.

Judges favour a place, mostly the first. So the order is drawn, by a hash of the decision, or both orders are asked: a judge that prefers the same
answer in both has a verdict; one that prefers a place has none, which is a tie, and is counted as inconsistent.

References:
    Zheng et al. (2023), Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, arXiv 2306.05685 (section 3.4: swapped positions, inconsistent is a tie).
    Wang et al. (2023), Large Language Models are not Fair Evaluators, arXiv 2305.17926.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from undertow.judging.verdicts import Choice

Preference = Literal["served", "reference", "tie"]
"""Which answer is better: the one that was served, the other tier's, or neither."""

Purpose = Literal["judge", "order", "anchor"]

_MANTISSA_BITS = 53


def uniform(salt: str, unit: str, purpose: Purpose) -> float:
    """A number in [0, 1), the same forever for a unit; independent between purposes, salts and units.

    Args:
        salt: Of the store, or of the day.
        unit: Decision or anchor.
        purpose: What the number is used for.

    Examples:
        >>> uniform("s", "d1", "judge") == uniform("s", "d1", "judge") != uniform("s", "d1", "order")
        True
    """
    given = f"{salt}\0{unit}".encode("utf-8", "surrogatepass")
    digest = blake2b(given, digest_size=8, person=f"judging.{purpose}".encode()).digest()
    # The upper 53 bits: as many as a float holds exactly, so that the result never rounds up to 1.
    return (int.from_bytes(digest, "big") >> (64 - _MANTISSA_BITS)) / (1 << _MANTISSA_BITS)


def is_served_first(salt: str, decision_id: str) -> bool:
    """Whether the served answer is shown as A, drawn with probability one half.

    Examples:
        >>> sum(is_served_first("s", f"d{number}") for number in range(1000))
        516
    """
    return uniform(salt, decision_id, "order") < 0.5


def preference(choice: Choice, *, served_first: bool) -> Preference:
    """Which answer a verdict prefers, given which one was shown as A.

    Examples:
        >>> preference("A", served_first=False)
        'reference'
    """
    if choice == "tie":
        return "tie"
    return "served" if (choice == "A") == served_first else "reference"


@dataclass(frozen=True, slots=True)
class Combined:
    """What verdicts on one pair come to.

    Attributes:
        preference: The better answer.
        is_inconsistent: The two orders disagree, so that it is a tie.
    """

    preference: Preference
    is_inconsistent: bool = False


def combine(first: Preference, second: Preference | None) -> Combined:
    """The verdict on a pair from one order, or from both.

    Args:
        first: In the drawn order.
        second: In the other order, or None: it was not asked.

    Examples:
        >>> combine("served", "reference")
        Combined(preference='tie', is_inconsistent=True)
        >>> combine("served", "served").preference
        'served'
    """
    if second is None or first == second:
        return Combined(first)
    return Combined("tie", is_inconsistent=True)


def lean(choices: tuple[Choice, ...]) -> float:
    """How far the verdicts on one pair lean to the first place, in [-1, 1]: mean of 1 for A, -1 for B, 0 for a tie.

    Asked in both orders, what the judge thinks of the answers cancels out and only the place is left; asked in one, drawn order, it
    cancels out in the mean over pairs.

    Args:
        choices: The verdicts on one pair, one for each order asked; at least one.

    Examples:
        >>> lean(("A", "A")), lean(("A", "B")), lean(("B", "tie"))
        (1.0, 0.0, -0.5)
    """
    return sum((choice == "A") - (choice == "B") for choice in choices) / len(choices)
