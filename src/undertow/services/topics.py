"""Topics of a log: found from the texts of its labelled decisions as of a certain day, and from then on watched like segments.

When: the first topics are found as soon as alarms may be raised and there are texts enough (`ENOUGH_TEXTS`, or `MIN_TEXTS` a month after the
first); texts that came until then found them. Every week after that, texts unlike all topics so far that have gathered
(`MIN_TEXTS`) found a further generation. All of this depends on the past and on texts only, so cutting the log changes nothing before the cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from undertow.records.cells import AuditCells, LabelCells
from undertow.records.label_rows import LabelRows
from undertow.records.segment import Segment
from undertow.services.topic_memory import Found, TopicMemory
from undertow.slices.naming import telling_words, typical_texts, word_table
from undertow.slices.sketch import word_bucket, words
from undertow.slices.topics import TopicOptions

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ENOUGH_TEXTS = 4_000
MIN_TEXTS = 400
PATIENCE_S = 28 * 86_400
RENEWAL_S = 7 * 86_400
NEVER = int(np.iinfo(np.int64).max)
KEY, OTHER_KEY = "topic", "text topic"
"""Key of a topic in reports; the other where the log has a segment key of that name."""


@dataclass(frozen=True, slots=True, eq=False)
class LogTopics:
    """The topics of a log.

    Attributes:
        segments: A name each.
        known_from: Bucket (absolute) at whose end each was found.
        members: Texts of `LabelRows.texts` that belong to each. Shape (texts, topics).
        distance: Distance of each text to the nearest centre of the finest scale. Shape (texts,).
        asked: What each text asks; empty where only its sketch is kept.
        is_cluster: Whether a topic is a cluster rather than a word. Shape (topics,).
    """

    segments: tuple[Segment, ...]
    known_from: tuple[int, ...]
    members: BoolArray
    distance: npt.NDArray[np.float64]
    asked: tuple[str, ...]
    is_cluster: BoolArray


def log_topics(cells: AuditCells, armed_from: int, memory: TopicMemory | None = None) -> LogTopics | None:
    """Topics of a log's texts to be monitored, or None: it keeps none, or too few, or none as old as its monitors.

    A store that removes texts after some days would have other topics every day, each with a new chance of a false alarm: it has
    topics for the search (`found_topics`), and none that are monitored.

    Args:
        cells: The log's sufficient statistics, with its label rows.
        armed_from: First bucket (absolute) in which an alarm may be raised.
        memory: What was found of the same texts before; it changes no result.
    """
    rows = cells.rows
    arrival = _arrival(rows)
    if len(arrival) < MIN_TEXTS:
        return None
    start = _first_fit(arrival, armed_from, cells.bucket_s)
    last = int(rows.available.max())
    if int(arrival.min()) > armed_from or start >= last:
        return None
    memory = memory or TopicMemory()
    memory.take(rows)
    found = _generations(memory, arrival, start, last, max(1, RENEWAL_S // cells.bucket_s))
    return _named_topics(cells, found, memory, arrival) if found else None


def found_topics(cells: AuditCells, memory: TopicMemory | None = None) -> LogTopics | None:
    """Topics of all texts of a log, for a search; None where there are too few.

    Args:
        cells: The log's sufficient statistics, with its label rows.
        memory: As for `log_topics`.
    """
    rows = cells.rows
    arrival = _arrival(rows)
    # Rows that were cut leave texts behind that nobody had seen by then.
    there = np.flatnonzero(arrival < NEVER)
    if len(there) < MIN_TEXTS:
        return None
    memory = memory or TopicMemory()
    memory.take(rows)
    found = memory.found(there)
    return _named_topics(cells, [(found, int(rows.available.max()))], memory, arrival) if found.clusters else None


def _named_topics(
    cells: AuditCells, found: Sequence[tuple[Found, int]], memory: TopicMemory, arrival: IntArray
) -> LogTopics:
    generations = [generation for generation, _ in found]
    members, distance = _members(generations)
    known = np.concatenate([np.full(each.topics, bucket, dtype=np.int64) for each, bucket in found])
    is_cluster = np.concatenate([np.arange(each.topics) < each.clusters for each in generations])
    # A name rests on the texts that the topic was found from, so that it stays the same while the log grows.
    key = OTHER_KEY if any(segment.key == KEY for segment in cells.segments) else KEY
    said, names, column = memory.said, list[str](), 0
    for generation, bucket in found:
        early = np.array([at for at in np.flatnonzero(arrival <= bucket).tolist() if said[at]], dtype=np.int64)
        mine = members[early, column : column + generation.topics]
        for name in memory.names(
            generation, early, mine, lambda one, texts, members: _names(one, texts, members, said)
        ):
            names.append(_distinct(name, names))
        column += generation.topics
    return LogTopics(
        tuple(Segment(key, name) for name in names), tuple(known.tolist()), members, distance, said, is_cluster
    )


def _arrival(rows: LabelRows) -> IntArray:
    """Bucket in which each text came with its first label, or `NEVER`. Shape (texts,)."""
    arrival = np.full(len(rows.texts), NEVER)
    has_text = rows.text >= 0
    np.minimum.at(arrival, rows.text[has_text], rows.available[has_text])
    return arrival


def _first_fit(arrival: IntArray, armed: int, bucket_s: int) -> int:
    """Bucket at whose end the first topics are found."""
    ordered = np.sort(arrival)
    patient = max(int(ordered[0]) + PATIENCE_S // bucket_s, int(ordered[MIN_TEXTS - 1]), armed)
    if len(ordered) < ENOUGH_TEXTS:
        return patient
    return min(patient, max(int(ordered[ENOUGH_TEXTS - 1]), armed))


def _generations(memory: TopicMemory, arrival: IntArray, start: int, last: int, every: int) -> list[tuple[Found, int]]:
    """Topics as found, each generation with the bucket at whose end that was."""
    first = memory.found(np.flatnonzero(arrival <= start))
    if first.clusters == 0:
        return []
    found = [(first, start)]
    outside = first.is_outside
    for bucket in range(start + every, last, every):
        pool = np.flatnonzero(outside & (arrival <= bucket))
        if len(pool) < MIN_TEXTS:
            continue
        more = memory.found(pool, TopicOptions(most_words=0))
        if more.clusters > 0:
            found.append((more, bucket))
            outside = outside & more.is_outside
    return found


def _members(found: Sequence[Found]) -> tuple[BoolArray, npt.NDArray[np.float64]]:
    """Membership of each text in the topics of all generations: a text belongs to a cluster of the first that reaches it."""
    free = np.ones(len(found[0].is_outside), dtype=np.bool_)
    columns: list[BoolArray] = []
    distance = np.full(len(free), 2.0)
    for each in found:
        is_cluster = np.arange(each.topics) < each.clusters
        columns.append(each.members & (free[:, None] | ~is_cluster))
        reached = free & ~each.is_outside
        distance[reached] = each.distance[reached]
        free &= ~reached
    return np.concatenate(columns, axis=1), distance


def _names(found: Found, early: IntArray, members: BoolArray, said: Sequence[str]) -> list[str]:
    """Names of the topics of one generation, by the texts (`early`) that it was found from and which of them are its members."""
    texts = [said[at] for at in early.tolist()]
    table = word_table(texts)
    spelt = _spellings(texts, set(found.words))
    names = []
    for topic in range(found.topics):
        if topic < found.clusters:
            told = telling_words(table, members[:, topic])
            names.append(", ".join(told) or f"group {topic + 1}")
        else:
            spelling = spelt.get(found.words[topic - found.clusters])
            # Only sketches have it: which word that is cannot be told.
            names.append(f"group {topic + 1}" if spelling is None else f'"{spelling}"')
    return names


def _spellings(texts: Sequence[str], buckets: set[int]) -> dict[int, str]:
    """The most frequent word of each bucket."""
    counts: dict[int, dict[str, int]] = {}
    for text in texts:
        for word in set(words(text)):
            bucket = word_bucket(word)
            if bucket in buckets:
                mine = counts.setdefault(bucket, {})
                mine[word] = mine.get(word, 0) + 1
    return {bucket: max(sorted(mine), key=lambda word: mine[word]) for bucket, mine in counts.items()}


def _distinct(name: str, names: Sequence[str]) -> str:
    if name not in names:
        return name
    return next(f"{name} ({i})" for i in range(2, len(names) + 2) if f"{name} ({i})" not in names)


def with_topics(cells: AuditCells, topics: LogTopics) -> AuditCells:
    """The cells with topics as further segments: their names, and sums of their labels."""
    start = len(cells.segments)
    rows = cells.rows
    has_text = np.flatnonzero(rows.text >= 0)
    row, topic = np.nonzero(topics.members[rows.text[has_text]])
    labels = _label_cells(rows, has_text[row], topic + start)
    return replace(
        cells,
        segments=(*cells.segments, *topics.segments),
        labels=cells.labels.concat(labels),
        topics={start + at: bucket for at, bucket in enumerate(topics.known_from)},
    )


def _distinct_rows(table: IntArray) -> tuple[IntArray, IntArray]:
    """Rows of whole numbers, each once and in order, and the place of each row among them: `np.unique` by rows, column by column."""
    place = np.zeros(len(table), dtype=np.int64)
    for column in table.T:
        # Columns are numbered anew one by one, so that no product of their ranges is ever too large.
        code = np.unique(column, return_inverse=True)[1]
        place = np.unique(place * (int(code.max(initial=0)) + 1) + code, return_inverse=True)[1]
    first = np.unique(place, return_index=True)[1]
    return table[first], place


def _label_cells(rows: LabelRows, at: IntArray, segment: IntArray) -> LabelCells:
    """Sums of labels by cell, as an engine computes them."""
    keys = ("available", "decided", "tier", "arm", "eligible", "signal", "selection", "basis", "stratum")
    table = np.stack([*(getattr(rows, name)[at] for name in keys), segment], axis=1)
    cell, place = _distinct_rows(table)
    y, w = rows.failure[at], rows.weight[at]

    def total(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.bincount(place, weights=values, minlength=len(cell)).astype(np.float64)

    top = np.zeros(len(cell))
    np.maximum.at(top, place, w)
    known = {
        "n": total(np.ones(len(y))),
        "failures": total(y),
        "failures_sq": total(y * y),
        "weight": total(w),
        "weight_sq": total(w * w),
        "weighted_failures": total(w * y),
        "weighted_failures_sq": total(w * y * w * y),
        "weight_weighted_failures": total(w * w * y),
        "weight_max": top,
    }
    codes = {name: cell[:, column] for column, name in enumerate((*keys, "segment"))}
    given: dict[str, Any] = codes | known | {"steered": np.zeros(len(cell), np.int64)}
    return LabelCells(**{field.name: given.get(field.name, np.zeros(len(cell))) for field in fields(LabelCells)})


def examples_of(topics: LogTopics, texts: BoolArray, most: int = 3) -> tuple[str, ...]:
    """Typical texts among some. `texts` has shape (texts,)."""
    has_text = np.array([bool(text) for text in topics.asked], dtype=np.bool_)
    return typical_texts(topics.asked, texts & has_text, topics.distance, most)
