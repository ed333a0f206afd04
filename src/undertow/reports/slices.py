"""Where a tier loses, in words: names of slices and what is known of each. Texts and words in them are other people's."""

from undertow.records.report import SliceReport
from undertow.reports import figures
from undertow.reports.names import clip, segment_name

EXAMPLE_COLUMNS = 120
"""Columns shown of an example."""


def slice_name(row: SliceReport, columns: int = 60) -> str:
    """A slice for people: its segments, and what its texts are about.

    Examples:
        >>> from datetime import UTC, datetime
        >>> from undertow.records.segment import Segment
        >>> found = SliceReport(
        ...     "cheap", "review.ok", (Segment("channel", "app"),), ('"charge"',), ("charge", "card"), (), 0.08, 0.02, 0.4, (0.3, 0.5),
        ...     0.4, 0.06, (0.05, 0.07), 0.6, 0.2, 90, 4.0, "before", datetime(2026, 3, 1, tzinfo=UTC))
        >>> slice_name(found), shares(found)
        ('channel=app and with "charge"', '8.0 % (2.0 % before)')
    """
    parts = [segment_name(segment, 30) for segment in row.segments]
    # A topic of one word bears it in quotes; the others are named by words that are typical of them.
    parts += [f"{'with' if topic.startswith(chr(34)) else 'about'} {clip(topic, 40)}" for topic in row.topics]
    return clip(" and ".join(parts), columns)


def shares(row: SliceReport) -> str:
    """Its share of the tier's requests, now and before."""
    before = "" if row.share_before is None else f" ({figures.percent(row.share_before)} before)"
    return f"{figures.percent(row.share)}{before}"


def failing(row: SliceReport) -> str:
    """How often its requests fail, with the interval, and before."""
    interval = "" if row.interval is None else f", {figures.percent_interval(row.interval)}"
    before = "" if row.failures_before is None else f"; {figures.percent(row.failures_before)} before"
    return f"{figures.percent(row.failures)}{interval}{before}"


def rest(row: SliceReport) -> str:
    """How often the rest of the tier fails."""
    interval = "" if row.rest_interval is None else f", {figures.percent_interval(row.rest_interval)}"
    return f"{figures.percent(row.rest)}{interval}"


def part(row: SliceReport) -> str:
    """Its part of the tier's failures, now and before."""
    before = "" if row.part_before is None else f" ({figures.percent(row.part_before)} before)"
    return f"{figures.percent(row.part_of_failures)}{before}"


def unknown_words(row: SliceReport) -> str | None:
    """What is to be said where a slice was found from sketches alone; None: its words are known, or it is none of texts."""
    if not row.topics or row.words or row.examples:
        return None
    return "words not known: the text of these requests is not kept, only its sketch"


def examples(row: SliceReport) -> tuple[str, ...]:
    """Its examples, each harmless and on one line."""
    return tuple(clip(text, EXAMPLE_COLUMNS) for text in row.examples)
