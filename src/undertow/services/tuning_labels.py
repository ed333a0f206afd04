"""Labelled answers as the controllers of a calibration see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from undertow.policies.evidence import PREFIX
from undertow.policies.scores import confidence_of, score_of
from undertow.policies.standing import group_ahead
from undertow.records.calibration import Calibration, Group
from undertow.records.labelled_answers import FloatArray, LabelledAnswers
from undertow.records.moment import rfc3339
from undertow.records.tuning import TuningLabel

TOKENS = f"{PREFIX}tokens"


@dataclass(frozen=True, slots=True)
class TuningRows:
    """Answers of a log, in the order in which their labels became known.

    Attributes:
        labels: Those with a label.
        withheld: Those that labels could not be of, by decision id; of them `is_failed`, `available_at` and `share` mean nothing.
    """

    labels: list[TuningLabel]
    withheld: list[TuningLabel]

    def of(self, group: str | None) -> "TuningRows":
        """Those of one group."""
        return TuningRows(
            [row for row in self.labels if row.group == group], [row for row in self.withheld if row.group == group]
        )


def rows_of(
    calibration: Calibration, groups: Sequence[Group], found: LabelledAnswers, *, commits: bool = False
) -> TuningRows:
    """Labelled answers as the controllers of a calibration see them.

    An answer that is served whatever the threshold is has the confidence 1, as where it was fitted. Rows without a label are withheld answers that labels could not be of; they give the share that labels stand for.

    Args:
        calibration: That judges them.
        groups: Its groups, and those whose certificate was voided apart from the rest.
        found: Labelled answers of its tier.
        commits: Answers may be served from their first tokens on: each then has the higher one of its two confidences, as when it was
            certified, since either serves it.
    """
    judge = _Judge(calibration, {group.value: group for group in groups}, commits)
    places = [judge.group_of(segment) for segment in found.segments or ({},) * len(found)]
    known, always = found.is_labelled, found.always_served
    shares = _shares(places, found)
    labels, withheld = [], []
    for place, group in enumerate(places):
        if known[place] and found.available_at is None:
            continue
        row = TuningLabel(
            available_at=_moment(found.available_at, place) or "",
            decision_id=found.decision_ids[place] if found.decision_ids else str(place),
            confidence=1.0 if always is not None and always[place] else judge.confidence(found.features, place, group),
            is_failed=not found.good[place],
            weight=float(found.weight[place]),
            share=shares[group],
            group=group,
            event_time=_moment(found.decided_at, place),
        )
        (labels if known[place] else withheld).append(row)
    return TuningRows(sorted(labels, key=lambda row: (row.available_at, row.decision_id)), withheld)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Gives logged answers the confidence by which they were, or would be, served."""

    calibration: Calibration
    groups: Mapping[str | None, Group]
    commits: bool

    def group_of(self, segment: Mapping[str, str]) -> str | None:
        key = self.calibration.group_key
        value = None if key is None else segment.get(key)
        return value if value in self.groups else None

    def confidence(self, features: Mapping[str, FloatArray], place: int, value: str | None) -> float | None:
        given, group = self.calibration, self.groups[value]
        measured = {name: float(column[place]) for name, column in features.items() if column[place] == column[place]}
        score = score_of(given.features, given.intercept, measured, value)
        whole = None if score is None else confidence_of(group.map, given.link, score)
        ahead = group_ahead(given, group) if self.commits else None
        early = None if ahead is None else self._early(measured, ahead, value)
        return max((one for one in (whole, early) if one is not None), default=None)

    def _early(self, measured: Mapping[str, float], ahead: Group, value: str | None) -> float | None:
        """The confidence of the first tokens; None where others were looked at than are judged."""
        prefix = self.calibration.prefix
        if prefix is None or measured.get(TOKENS, prefix.tokens) != prefix.tokens:
            return None
        first = {name.removeprefix(PREFIX): x for name, x in measured.items() if name.startswith(PREFIX)}
        score = score_of(prefix.features, prefix.intercept, first, value)
        return None if score is None else confidence_of(ahead.map, prefix.link, score)


def _shares(places: Sequence[str | None], found: LabelledAnswers) -> dict[str | None, float]:
    """Of each group's requests, the share that labels stand for."""
    known, total, labelled = found.is_labelled, {}, {}
    for place, group in enumerate(places):
        weight = float(found.weight[place])
        total[group] = total.get(group, 0.0) + weight
        labelled[group] = labelled.get(group, 0.0) + (weight if known[place] else 0.0)
    return {group: labelled[group] / total[group] if total[group] else 1.0 for group in total}


def _moment(column: FloatArray | None, place: int) -> str | None:
    if column is None or column[place] != column[place]:
        return None
    return rfc3339(datetime.fromtimestamp(float(column[place]), UTC))
