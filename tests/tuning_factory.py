"""A calibration whose confidence is the answer's own probability, labels of it, and a book in memory."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np

from undertow.records.calibration import (
    Calibration,
    ConfidenceMap,
    FeatureWeight,
    FittedOn,
    Group,
    ScoreDistribution,
    ThresholdStates,
)
from undertow.records.labelled_answers import LabelledAnswers
from undertow.records.tuning import TuningEntry, TuningLabel, TuningMemory

FITTED = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 10, tzinfo=UTC)


def group(value: str | None = None, threshold: float | None = 0.8) -> Group:
    return Group(value=value, labels=1000, good=900, map=ConfidenceMap(method="platt"), threshold=threshold)


def calibration(*groups: Group, **other: object) -> Calibration:
    given: dict[str, object] = {
        "tier": "cheap",
        "capable_tier": "capable",
        "fitted_at": "2026-03-01T00:00:00Z",
        "fitted_on": FittedOn(source="shadow pairs", labels=1000, good=900, effective=1000.0),
        "margin": 0.03,
        "delta": 0.1,
        "features": (FeatureWeight(name="mean_logprob"),),
        "groups": groups or (group(),),
        "distribution": ScoreDistribution(edges=(), mean=-0.2, sd=0.1, n=1000),
    }
    return Calibration(**(given | other))  # type: ignore[arg-type]


def label(number: int, confidence: float | None = 0.9, *, fails: bool = False, **other: object) -> TuningLabel:
    given: dict[str, object] = {
        "available_at": f"2026-03-02T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "decision_id": f"d{number:06}",
        "confidence": confidence,
        "is_failed": fails,
    }
    given |= other
    return TuningLabel(**({"event_time": given["available_at"]} | given))  # type: ignore[arg-type]


def labels(count: int, failing: float, seed: int = 1, start: int = 0) -> list[TuningLabel]:
    """Confidences between .5 and 1, of which a share fails wherever they are."""
    rng = np.random.default_rng(seed)
    return [
        label(start + place, float(confidence), fails=bool(fails))
        for place, (confidence, fails) in enumerate(
            zip(rng.uniform(0.5, 1.0, count), rng.random(count) < failing, strict=True)
        )
    ]


def answers(
    confidence: Sequence[float],
    good: Sequence[bool],
    *,
    segments: Sequence[dict[str, str]] = (),
    known: Sequence[bool] | None = None,
    weight: Sequence[float] | None = None,
    start: datetime = FITTED + timedelta(days=1),
    ahead: Sequence[float] | None = None,
    ids: str = "d",
) -> LabelledAnswers:
    """Rows whose labels came second after second, as soon as they were decided; `ahead`: the confidence of their first tokens."""
    n = len(confidence)
    features = {"mean_logprob": np.log(np.array(confidence))}
    if ahead is not None:
        features["prefix.mean_logprob"] = np.log(np.array(ahead))
    return LabelledAnswers(
        features=features,
        good=np.array(good, dtype=bool),
        weight=np.ones(n) if weight is None else np.array(weight),
        segments=tuple(segments) or ({},) * n,
        decision_ids=tuple(f"{ids}{place:06}" for place in range(n)),
        available_at=start.timestamp() + np.arange(n),
        decided_at=start.timestamp() + np.arange(n),
        known=None if known is None else np.array(known),
    )


class Answers:
    """An `AnswerSource` of what it was given."""

    def __init__(self, found: LabelledAnswers) -> None:
        self.found, self.asked = found, []

    def read(self, tier: str, capable_tier: str, since: datetime) -> LabelledAnswers:
        self.asked.append((tier, capable_tier, since))
        return self.found


class Book:
    """A `ThresholdBook` in memory."""

    def __init__(self) -> None:
        self.now: ThresholdStates | None = None
        self.remembered: TuningMemory | None = None
        self.entries: tuple[TuningEntry, ...] = ()
        self.is_free, self.writes = True, 0

    @contextmanager
    def locked(self) -> Iterator[bool]:
        yield self.is_free

    def states(self) -> ThresholdStates | None:
        return self.now

    def memory(self) -> TuningMemory | None:
        return self.remembered

    def history(self) -> tuple[TuningEntry, ...]:
        return self.entries

    def write(self, states: ThresholdStates | None, memory: TuningMemory, entries: Sequence[TuningEntry]) -> None:
        self.writes += 1
        self.now = self.now if states is None else states
        self.remembered = memory
        self.entries += tuple(entries)


def odds(confidence: float) -> float:
    return math.log(confidence / (1 - confidence))
