"""After an alarm: which requests bear the loss. Slices are made of the log's segments and of topics of its texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Self

import numpy as np
import numpy.typing as npt

from undertow.records.cells import BASIS_CODES, AuditCells
from undertow.records.label_rows import LabelRows
from undertow.records.report import Alarm, SliceReport
from undertow.services.topic_memory import TopicMemory
from undertow.services.topics import LogTopics, examples_of, found_topics
from undertow.slices.naming import WordTable, telling_words, word_table
from undertow.slices.search import Feature, FoundSlice, SearchOptions, SliceLabels, find_slices

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MOST_LABELS = 100_000
"""Labels that are searched: the latest of the tier and signal."""

ENOUGH_TEXT = 0.8
"""Part of the labels with text, before the onset and since, from which on those without are left out of the search."""

HALF_BIT = 17
"""Bit of a decision's hash that says which half it is in."""


def alarm_slices(
    cells: AuditCells,
    topics: LogTopics | None,
    alarms: Sequence[Alarm],
    level: float,
    interval_level: float,
    memory: TopicMemory | None = None,
) -> tuple[SliceReport, ...]:
    """Slices of all alarms of the cheaper tiers, one search a tier and signal.

    Args:
        cells: The log's sufficient statistics with its label rows.
        topics: Topics of its texts that were monitored, or None: then they are found now.
        alarms: The audit's alarms.
        level: Largest expected share of false slices among those of one search.
        interval_level: Level of the intervals shown.
        memory: What was found of the same texts before; it changes no result.
    """
    found: list[SliceReport] = []
    searched: set[tuple[str, str]] = set()
    for alarm in alarms:
        is_capable = alarm.tier == cells.tiers[-1]
        if (alarm.tier, alarm.signal) in searched or is_capable or alarm.onset is None:
            continue
        if not searched and topics is None:
            topics = found_topics(cells, memory)
        searched.add((alarm.tier, alarm.signal))
        found += _slices_of(cells, topics, alarm, level, interval_level)
    return tuple(sorted(found, key=lambda each: -each.evidence))


def _slices_of(
    cells: AuditCells, topics: LogTopics | None, alarm: Alarm, level: float, interval_level: float
) -> list[SliceReport]:
    rows = cells.rows
    assert alarm.onset is not None
    onset = int(alarm.onset.timestamp()) // cells.bucket_s
    basis = "human" if alarm.basis == "anchored" else alarm.basis
    mine = (rows.tier == cells.tiers.index(alarm.tier)) & (rows.signal == cells.signals.index(alarm.signal))
    mine &= rows.basis == BASIS_CODES.index(basis) if basis in BASIS_CODES else False
    # Labels of strata that are not kept apart were not drawn alike.
    mine &= rows.stratum != cells.merged.get(cells.signals.index(alarm.signal), -1)
    at = np.flatnonzero(mine)[-MOST_LABELS:]
    if not len(at):
        return []
    found: list[SliceReport] = []
    searches = _searches(rows, topics, at, onset)
    for some, known in searches:
        half = (rows.decision[some] >> np.uint64(HALF_BIT)) & np.uint64(1) == 0
        block, top = _design(rows, some)
        labels = SliceLabels(rows.failure[some], rows.weight[some], rows.decided[some] >= onset, half, block, top)
        features, segments, names = _features(cells, rows, known, some)
        slices = find_slices(labels, features, SearchOptions(level=level / len(searches)), interval_level)
        texts = None if known is None or not slices else _Texts.of(rows, known, some, labels)
        found += [_report(each, cells, texts, alarm, labels, features, segments, names) for each in slices]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """Texts of the labels of one search since the onset.

    Attributes:
        topics: Of the log.
        text: Text of each label, -1: none, or from before the onset. Shape (labels,).
        said: Texts among these that are known in words, as places of `topics.asked`. Shape (n,).
        table: Their words.
    """

    topics: LogTopics
    text: IntArray
    said: IntArray
    table: WordTable

    @classmethod
    def of(cls, rows: LabelRows, topics: LogTopics, at: IntArray, labels: SliceLabels) -> Self:
        """Of some labels."""
        text = np.where(labels.is_after, rows.text[at], -1)
        said = np.array([place for place in np.unique(text[text >= 0]).tolist() if topics.asked[place]], dtype=np.int64)
        return cls(topics, text, said, word_table([topics.asked[place] for place in said.tolist()]))

    def among(self, labels: BoolArray) -> BoolArray:
        """Which of all texts some of these labels are about."""
        found = np.zeros(len(self.topics.asked), dtype=np.bool_)
        found[self.text[labels & (self.text >= 0)]] = True
        return found


def _searches(
    rows: LabelRows, topics: LogTopics | None, at: IntArray, onset: int
) -> list[tuple[IntArray, LogTopics | None]]:
    """Labels and topics of each search: topics are looked for among labels with text alone.

    A label without text is in no topic, so where texts are kept for some weeks only, every topic would seem to have grown from
    nothing: the labels of the log are then searched by themselves, too.
    """
    has_text = rows.text[at] >= 0
    if topics is None or not has_text.any():
        return [(at, None)]
    after = rows.decided[at] >= onset
    kept = [float(has_text[side].mean()) if side.any() else 1.0 for side in (after, ~after)]
    with_text = (at[has_text], topics)
    return [with_text] if min(kept) >= ENOUGH_TEXT else [(at, None), with_text]


def _design(rows: LabelRows, at: IntArray) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Labels that were drawn alike, and the largest weight among those of each one's day.

    A stratum; days without strata are blocks of their own, since their only stratum is the whole tier.
    """
    stratum, day = rows.stratum[at], rows.decided[at]
    days, place = np.unique(day, return_inverse=True)
    is_split = np.zeros(len(days), dtype=np.bool_)
    np.logical_or.at(is_split, place, stratum > 0)
    block = np.where(is_split[place], stratum + 1, 0)
    top = np.zeros((len(days), int(block.max()) + 1))
    np.maximum.at(top, (place, block), rows.weight[at])
    return block, top[place, block]


def _features(
    cells: AuditCells, rows: LabelRows, topics: LogTopics | None, at: IntArray
) -> tuple[list[Feature], dict[int, int], dict[int, int]]:
    """Features of some labels; those that are segments with their code, those that are topics with their place."""
    features: list[Feature] = []
    segments: dict[int, int] = {}
    names: dict[int, int] = {}
    for column in range(rows.segments.shape[1]):
        codes = rows.segments[at, column]
        for code in np.unique(codes[codes > 0]).tolist():
            segments[len(features)] = code
            segment = cells.segments[code]
            features.append(Feature(f"label {segment.key}", str(segment), codes == code))
    if topics is not None:
        text = rows.text[at]
        for place, segment in enumerate(topics.segments):
            members = (text >= 0) & topics.members[np.maximum(text, 0), place]
            names[len(features)] = place
            key = "cluster" if topics.is_cluster[place] else f"word {place}"
            features.append(Feature(key, segment.value, members))
    return features, segments, names


def _report(
    found: FoundSlice,
    cells: AuditCells,
    texts: _Texts | None,
    alarm: Alarm,
    labels: SliceLabels,
    features: Sequence[Feature],
    segments: dict[int, int],
    names: dict[int, int],
) -> SliceReport:
    assert alarm.onset is not None
    inside = np.logical_and.reduce([features[part].members for part in found.parts])
    words: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    if texts is not None:
        words = telling_words(texts.table, texts.among(inside)[texts.said])
        examples = examples_of(texts.topics, texts.among(inside & (labels.failure > 0.5)))
        topics = tuple(texts.topics.segments[names[part]].value for part in found.parts if part in names)
    return SliceReport(
        tier=alarm.tier,
        signal=alarm.signal,
        segments=tuple(cells.segments[segments[part]] for part in found.parts if part in segments),
        topics=topics,
        words=words,
        examples=examples,
        share=found.share,
        share_before=found.share_before,
        failures=found.inside.mean,
        interval=found.inside.interval,
        failures_before=found.inside_before.mean,
        rest=found.outside.mean,
        rest_interval=found.outside.interval,
        part_of_failures=found.part_of_failures,
        part_before=found.part_before,
        n=found.inside.n,
        evidence=found.log10_evidence,
        contrast=found.contrast,
        since=alarm.onset.astimezone(UTC),
    )
