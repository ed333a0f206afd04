"""Labels of one sampling design: the inclusion probability of a label says how likely its own design was to draw the decision.

Two designs that label the same decisions (a few of all of them, and many of the long tail) draw a decision with a probability that
neither of their labels bears: 1 - (1 - p) (1 - q). Counted by their own probabilities, their labels together stand for some requests twice.
So where designs are mixed, the labels of one are used. Where all labels of a decision bear the same number, that number is taken for the
probability that any design drew it, unless the labels then stand for more requests than there are.

What tells that designs are mixed: labels of a decision with different probabilities; or labels of several names or sources that stand for
significantly more requests than there were. A design is then told by its `kind.name`, else by that and its `source`, else by the
probability too. One that reaches every request comes before one with more labels that does not: labels of a tail alone say nothing of the rest.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from undertow.adapters.duckdb.sql import literal

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

FAR = 3.09
"""Standard deviations that chance alone exceeds once in a thousand."""

SLACK = 0.05
"""Smaller surpluses and shortfalls are taken for the odd label that was lost or came twice, not for a design."""

MOST_CLASSES = 200
"""More different probabilities than these tell no designs apart."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Labels as they were drawn, columns of equal length.

    Attributes:
        decision: Number of the decision. Shape (n,).
        name: `kind.name`. Shape (n,).
        given_by: The signal's `source`, "" where it has none. Shape (n,).
        probability: Inclusion probability, in (0, 1]. Shape (n,).
    """

    decision: IntArray
    name: Any
    given_by: Any
    probability: FloatArray


@dataclass(frozen=True, slots=True)
class Design:
    """How the labels of one design are told from the others; None: not by this.

    Attributes:
        name: Their `kind.name`.
        given_by: Their `source`.
        probability: Their inclusion probability.
    """

    name: str
    given_by: str | None = None
    probability: float | None = None

    def holds(self, labels: Drawn) -> BoolArray:
        """Which labels are of it. Shape (n,)."""
        found = labels.name == self.name
        if self.given_by is not None:
            found &= labels.given_by == self.given_by
        if self.probability is not None:
            found &= labels.probability == self.probability
        return found

    def __str__(self) -> str:
        source = f" of source {self.given_by!r}" if self.given_by else ""
        chance = f" with inclusion probability {self.probability:g}" if self.probability is not None else ""
        return f"{self.name}{source}{chance}"


@dataclass(frozen=True, slots=True)
class _Sample:
    """Decisions that were drawn, each once: how many, how many requests they stand for, and whether their probabilities contradict each other."""

    decisions: int
    mass: float
    sd: float
    is_mixed: bool

    @staticmethod
    def of(decision: IntArray, probability: FloatArray) -> "_Sample":
        _, place = np.unique(decision, return_inverse=True)
        highest, lowest = np.zeros(place.max() + 1), np.full(place.max() + 1, np.inf)
        np.maximum.at(highest, place, probability)
        np.minimum.at(lowest, place, probability)
        sd = math.sqrt(float(((1.0 - highest) / highest**2).sum()))
        return _Sample(len(highest), float((1.0 / highest).sum()), sd, bool((highest > lowest).any()))

    def exceeds(self, reach: float | None) -> bool:
        return reach is not None and self.mass > reach * (1.0 + SLACK) + FAR * self.sd

    def covers(self, reach: float | None) -> bool:
        return reach is not None and self.mass + FAR * self.sd >= reach


def one_design(labels: Drawn, reach: float | None) -> Design | None:
    """The design whose labels are used, or None: no mixture can be seen, all of them are.

    Args:
        labels: At least one.
        reach: How many requests could have been drawn; None: not known.

    Examples:
        Two designs share a decision and disagree on how likely it was to be drawn:

        >>> names = np.array(["review.all", "review.all", "review.tail"])
        >>> drawn = Drawn(np.array([1, 2, 2]), names, np.array(["", "", ""]), np.array([0.1, 0.1, 0.5]))
        >>> str(one_design(drawn, 20.0))
        'review.all'
    """
    together = _Sample.of(labels.decision, labels.probability)
    is_one_kind = len({*zip(labels.name.tolist(), labels.given_by.tolist(), strict=True)}) == 1
    if not together.is_mixed and (is_one_kind or not together.exceeds(reach)):
        return None
    sound: list[tuple[Design, _Sample]] = []
    for level in _levels(labels):
        found = [(design, _Sample.of(labels.decision[at], labels.probability[at])) for design, at in level]
        fits = [each for each in found if not each[1].is_mixed and not each[1].exceeds(reach)]
        covering = [each for each in fits if each[1].covers(reach)]
        if covering:
            return max(covering, key=lambda each: each[1].decisions)[0]
        sound += fits or [each for each in found if not each[1].is_mixed]
    return max(sound, key=lambda each: (each[1].mass, each[1].decisions))[0]


def reach_notes(labels: Drawn, reach: float) -> list[str]:
    """What is to be said where labels stand for far more or far fewer requests than there were.

    Examples:
        >>> drawn = Drawn(np.arange(100), np.array(["a"] * 100), np.array([""] * 100), np.full(100, 0.5))
        >>> reach_notes(drawn, 190.0), len(reach_notes(drawn, 100.0)), len(reach_notes(drawn, 400.0))
        ([], 1, 1)
    """
    sample = _Sample.of(labels.decision, labels.probability)
    if sample.exceeds(reach):
        note = (
            f"by their inclusion probabilities the labels stand for {sample.mass:,.0f} requests, and there were {reach:,.0f}: if two designs "
            "drew them under one name and source, losses may be understated; give each design its own source"
        )
        return [note]
    if sample.mass + FAR * sample.sd < reach * (1.0 - SLACK):
        note = (
            f"by their inclusion probabilities the labels stand for {sample.mass:,.0f} of {reach:,.0f} requests: that does no harm where drawn "
            "labels never came, whatever the answer; of requests that could not be drawn nothing is known"
        )
        return [note]
    return []


def _levels(labels: Drawn) -> Iterator[list[tuple[Design, BoolArray]]]:
    """Designs as they may be told apart, the coarsest first."""
    marks = list(zip(labels.name.tolist(), labels.given_by.tolist(), labels.probability.tolist(), strict=True))
    for depth in (1, 2, 3):
        designs = [Design(*mark) for mark in sorted({mark[:depth] for mark in marks})]
        if depth == 3 and len(designs) > MOST_CLASSES:
            commonest = Counter(marks).most_common(MOST_CLASSES)
            designs = [Design(*mark) for mark, _ in commonest]
        yield [(design, design.holds(labels)) for design in designs]


def drawn_labels(engine: duckdb.DuckDBPyConnection, condition: str) -> Drawn:
    """Labels of the table `rated` (decision_id, kind, name, given_by, probability, reason) for which a condition holds."""
    found = engine.execute(
        f"""
        SELECT dense_rank() OVER (ORDER BY decision_id) AS decision, kind || '.' || coalesce(name, '') AS name, given_by, probability
        FROM rated WHERE reason IS NULL AND {condition}
        """
    ).fetchnumpy()
    return Drawn(
        np.asarray(found["decision"], dtype=np.int64),
        np.asarray(found["name"], dtype=object),
        np.asarray(found["given_by"], dtype=object),
        np.asarray(found["probability"], dtype=np.float64),
    )


def set_others_aside(engine: duckdb.DuckDBPyConnection, design: Design, condition: str) -> None:
    """Labels of the table `rated` for which a condition holds and that are of another design get the reason `other_design`."""
    told = [f"kind || '.' || coalesce(name, '') = {literal(design.name)}"]
    if design.given_by is not None:
        told.append(f"given_by = {literal(design.given_by)}")
    if design.probability is not None:
        told.append(f"probability = CAST({literal(repr(design.probability))} AS DOUBLE)")
    engine.execute(
        f"UPDATE rated SET reason = 'other_design' WHERE reason IS NULL AND {condition} AND NOT ({' AND '.join(told)})"
    )
