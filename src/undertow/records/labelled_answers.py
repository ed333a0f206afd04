"""Cheap answers of which somebody said whether they were as good as the capable tier's, with the evidence by which they are judged.

This is what a calibration is fitted on. One row a decision; rows are draws, each made with its own inclusion probability from the requests
that were eligible for the cheap tier.

Where only answers that were served were labelled, the labels stand for those alone. The answers that were withheld, at other times or all
along, then stand beside them as rows without a label (`known` False): they count as requests, and as failures wherever a threshold would
serve them, since nobody knows better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledAnswers:
    """Rows of equal length n, as columns.

    Attributes:
        features: Name -> value, NaN where it was not measured. Names are those of `undertow.policies.evidence`; features of the first
            tokens of an answer bear the prefix `prefix.`. Shape (n,) each.
        good: The cheap answer was as good as the capable one's; False where nobody knows. Shape (n,).
        weight: How many requests a row stands for: 1 / inclusion probability, up to a common factor. Shape (n,).
        segments: The label map of each row.
        cheap_cost_usd: Cost of the cheap call, NaN where unknown. Shape (n,).
        capable_cost_usd: Cost of the capable tier's answer to the same, NaN where unknown. Shape (n,).
        source: Where the labels came from, in a few words.
        served_models: Names under which the cheap answers came.
        from_at, to_at: RFC 3339, of the first and the last decision; None where unknown.
        texts: Text of the requests, one a row and "" where none was kept, or nothing at all; never shown.
        decision_ids: Of the rows, or nothing where rows have none.
        available_at: When each label was there, in seconds since 1970 (UTC); NaN where unknown. Shape (n,).
        decided_at: When each decision was made, likewise.
        reasons: Labels that were left out, by reason.
        notes: Sentences for the reader.
        known: The row has a label. Shape (n,); None: all have.
        always_served: Served whatever the threshold is: it had no confidence, and its signature was checked instead. Shape (n,); None: none was.
    """

    features: Mapping[str, FloatArray]
    good: BoolArray
    weight: FloatArray
    segments: Sequence[Mapping[str, str]] = ()
    cheap_cost_usd: FloatArray | None = None
    capable_cost_usd: FloatArray | None = None
    source: str = "labels"
    served_models: tuple[str, ...] = ()
    from_at: str | None = None
    to_at: str | None = None
    texts: Sequence[str] = field(default=(), repr=False)
    decision_ids: Sequence[str] = ()
    available_at: FloatArray | None = None
    decided_at: FloatArray | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    known: BoolArray | None = None
    always_served: BoolArray | None = None

    def __len__(self) -> int:
        """Rows, labelled or not."""
        return len(self.good)

    @property
    def is_labelled(self) -> BoolArray:
        """Which rows have a label. Shape (n,)."""
        return np.ones(len(self.good), dtype=np.bool_) if self.known is None else self.known
