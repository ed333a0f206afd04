"""Labels one by one, with the text of their decisions where a log keeps it: for finding where a tier loses.

The only rows that cross from an engine, and only labels that may raise an alarm: at most `MOST_ROWS` of them, in order of time. Those
of the capable tier come only where texts are looked for: without any there are no topics, and that tier is searched for nothing else.
"""

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class LabelRows:
    """Labels in order of `available`, those that steering drew included: weighted, all of them together stand for the traffic, and the
    plain sample alone does not, as each weight is that of both draws. Arrays of shape (n,) unless said.

    Codes are those of `AuditCells`; the other columns mean what they mean in `LabelCells`.

    Attributes:
        decision: Hash of the decision's id.
        available, decided: Buckets.
        tier, arm, eligible, signal, selection, basis, stratum: Codes.
        failure: 1 - value, in [0, 1].
        weight: 1 / inclusion probability.
        segments: Segment code per segment key, 0 where the decision has none. Shape (n, keys).
        text: Position in `texts`, or -1: not kept.
        texts: The texts, each once a decision; redacted as the store's setting says, and as untrusted as ever. Empty: only its sketch is kept.
        sketches: Of each of `texts` that is empty the sketch that a store has kept (`undertow.slices.sketch`), else None; or none at all.
        left_out: Labels beyond `MOST_ROWS`.
    """

    decision: npt.NDArray[np.uint64]
    available: IntArray
    decided: IntArray
    tier: IntArray
    arm: IntArray
    eligible: IntArray
    signal: IntArray
    selection: IntArray
    basis: IntArray
    stratum: IntArray
    failure: FloatArray
    weight: FloatArray
    segments: IntArray
    text: IntArray
    texts: tuple[str, ...] = field(default=(), repr=False)
    sketches: tuple[tuple[int, ...] | None, ...] = field(default=(), repr=False)
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.decision)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelRows):
            return NotImplemented
        # Texts are numbered in no certain order: rows are the same if they bear the same text.
        mine, theirs = (
            tuple((rows.texts[at], rows.sketch_at(at)) if at >= 0 else None for at in rows.text.tolist())
            for rows in (self, other)
        )
        names = [f.name for f in fields(self) if f.name not in {"text", "texts", "sketches"}]
        return mine == theirs and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def sketch_at(self, text: int) -> tuple[int, ...] | None:
        """The kept sketch of a text, or None."""
        return self.sketches[text] if self.sketches else None

    __hash__ = None  # type: ignore[assignment]  # arrays have none


def no_label_rows() -> LabelRows:
    """None at all.

    Examples:
        >>> len(no_label_rows())
        0
    """
    none, real = np.zeros(0, dtype=np.int64), np.zeros(0)
    return LabelRows(
        decision=np.zeros(0, dtype=np.uint64),
        available=none,
        decided=none,
        tier=none,
        arm=none,
        eligible=none,
        signal=none,
        selection=none,
        basis=none,
        stratum=none,
        failure=real,
        weight=real,
        segments=np.zeros((0, 0), dtype=np.int64),
        text=none,
    )
