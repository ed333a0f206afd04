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
from undertow.slices.asked import asked
from undertow.slices.naming import telling_words, typical_texts, word_table
from undertow.slices.sketch import Sketch, sketch, word_bucket, words
from undertow.slices.topics import TopicModel, TopicOptions, find_topics

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ENOUGH_TEXTS = 4_000
MIN_TEXTS = 400
PATIENCE_S = 28 * 86_400
RENEWAL_S = 7 * 86_400
SEED = 1
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


def log_topics(cells: AuditCells, armed_from: int) -> LogTopics | None:
    """Topics of a log's texts to be monitored, or None: it keeps none, or too few, or none as old as its monitors.

    A store that removes texts after some days would have other topics every day, each with a new chance of a false alarm: it has
    topics for the search (`found_topics`), and none that are monitored.

    Args:
        cells: The log's sufficient statistics, with its label rows.
        armed_from: First bucket (absolute) in which an alarm may be raised.
    """
    rows = cells.rows
    arrival = _arrival(rows)
    if len(arrival) < MIN_TEXTS:
        return None
    start = _first_fit(arrival, armed_from, cells.bucket_s)
    last = int(rows.available.max())
    if int(arrival.min()) > armed_from or start >= last:
        return None
    said = tuple(asked(text) for text in rows.texts)
    sketches = _sketches(rows, said)
    found = _generations(sketches, arrival, start, last, max(1, RENEWAL_S // cells.bucket_s))
    return _named_topics(cells, found, said, sketches, arrival) if found else None


def found_topics(cells: AuditCells) -> LogTopics | None:
    """Topics of all texts of a log, for a search; None where there are too few."""
    rows = cells.rows
    if len(rows.texts) < MIN_TEXTS:
        return None
    said = tuple(asked(text) for text in rows.texts)
    sketches = _sketches(rows, said)
    last = int(rows.available.max())
    model = find_topics(sketches, SEED)
    if model.clusters == 0:
        return None
    return _named_topics(cells, [(model, last)], said, sketches, _arrival(rows))


def _sketches(rows: LabelRows, said: Sequence[str]) -> list[Sketch]:
    """Sketches of texts; of one that is gone the sketch that was kept."""
    made = {text: sketch(text) for text in set(said)}  # the same is asked again and again
    return [rows.sketch_at(at) or made[text] for at, text in enumerate(said)]


def _named_topics(
    cells: AuditCells,
    found: Sequence[tuple[TopicModel, int]],
    said: tuple[str, ...],
    sketches: Sequence[Sketch],
    arrival: IntArray,
) -> LogTopics:
    models = [model for model, _ in found]
    members, distance = _members(models, sketches)
    known = np.concatenate([np.full(model.topics, bucket, dtype=np.int64) for model, bucket in found])
    is_cluster = np.concatenate([np.arange(model.topics) < model.clusters for model in models])
    # A name rests on the texts that the topic was found from, so that it stays the same while the log grows.
    key = OTHER_KEY if any(segment.key == KEY for segment in cells.segments) else KEY
    names = _names(found, members, said, arrival)
    return LogTopics(
        tuple(Segment(key, name) for name in names), tuple(known.tolist()), members, distance, said, is_cluster
    )


def _arrival(rows: LabelRows) -> IntArray:
    """Bucket in which each text came with its first label. Shape (texts,)."""
    arrival = np.full(len(rows.texts), np.iinfo(np.int64).max)
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


def _generations(
    sketches: Sequence[Sketch], arrival: IntArray, start: int, last: int, every: int
) -> list[tuple[TopicModel, int]]:
    """Topics as found, each generation with the bucket at whose end that was."""

    def of(at: IntArray) -> list[Sketch]:
        return [sketches[place] for place in at.tolist()]

    first = find_topics(of(np.flatnonzero(arrival <= start)), SEED)
    if first.clusters == 0:
        return []
    found = [(first, start)]
    outside = np.flatnonzero(first.assign(sketches).is_outside)
    for bucket in range(start + every, last, every):
        pool = outside[arrival[outside] <= bucket]
        if len(pool) < MIN_TEXTS:
            continue
        model = find_topics(of(pool), SEED, options=TopicOptions(most_words=0))
        if model.clusters > 0:
            found.append((model, bucket))
            outside = outside[model.assign(of(outside)).is_outside]
    return found


def _members(models: Sequence[TopicModel], sketches: Sequence[Sketch]) -> tuple[BoolArray, npt.NDArray[np.float64]]:
    """Membership of each text in the topics of all generations: a text belongs to a cluster of the first that reaches it."""
    free = np.ones(len(sketches), dtype=np.bool_)
    columns: list[BoolArray] = []
    distance = np.full(len(sketches), 2.0)
    for model in models:
        known = model.assign(sketches)
        is_cluster = np.arange(model.topics) < model.clusters
        columns.append(known.members & (free[:, None] | ~is_cluster))
        reached = free & ~known.is_outside
        distance[reached] = known.distance[reached]
        free &= ~reached
    return np.concatenate(columns, axis=1), distance


def _names(
    found: Sequence[tuple[TopicModel, int]], members: BoolArray, said: Sequence[str], arrival: IntArray
) -> list[str]:
    names: list[str] = []
    column = 0
    for model, bucket in found:
        early = np.array([at for at in np.flatnonzero(arrival <= bucket).tolist() if said[at]], dtype=np.int64)
        texts = [said[at] for at in early.tolist()]
        table = word_table(texts)
        spelt = _spellings(texts, set(model.words.tolist()))
        for topic in range(model.topics):
            if topic < model.clusters:
                told = telling_words(table, members[early, column])
                name = ", ".join(told) or f"group {topic + 1}"
            else:
                spelling = spelt.get(int(model.words[topic - model.clusters]))
                # Only sketches have it: which word that is cannot be told.
                name = f"group {topic + 1}" if spelling is None else f'"{spelling}"'
            names.append(_distinct(name, names))
            column += 1
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
