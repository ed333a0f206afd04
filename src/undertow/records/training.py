"""What a classifier is trained on: texts, each with the label whether the cheap answer to it was good."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled request.

    Attributes:
        text: Text of its last user message.
        is_easy: The cheap answer was good.
        weight: 1 / inclusion probability of the label, at least 1.
    """

    text: str = field(repr=False)
    is_easy: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Examples with what could not be used.

    Attributes:
        examples: In a stable order.
        source: Where the labels came from, in a few words.
        reasons: Rows or labels that were left out, by reason.
        notes: Sentences for the reader.
    """

    examples: tuple[Example, ...]
    source: str
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
