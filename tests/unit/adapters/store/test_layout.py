"""Names of segments: unique, in order of time, and taken apart again."""

from pathlib import Path

from undertow.adapters.store.layout import OPEN, SegmentNames, list_segments, parse_name, utc_text
from unit.adapters.store.rows import Clock


def test_names_sort_by_time_and_say_whose_they_are():
    clock = Clock()
    one, other = SegmentNames("w0", clock), SegmentNames("w-1 /x", clock)
    first = one.next()
    clock.now += 0.001
    second, foreign = one.next(), other.next()
    assert sorted([second, first]) == [first, second]
    assert first.startswith("20260301T120000000Z-w0-")
    parts = [parse_name(name) for name in (first, second, foreign)]
    assert all(parts)
    assert parts[0].life == parts[1].life != parts[2].life
    assert [part.sequence for part in parts] == [1, 2, 1]


def test_a_recovered_segment_belongs_to_the_same_life():
    name = SegmentNames("w0").next()
    assert parse_name(name + "r2").life == parse_name(name).life
    assert parse_name(name + "r2").sequence == 1
    assert parse_name("2026-notes") is None


def test_listing_leaves_out_what_is_no_segment(tmp_path: Path):
    names = SegmentNames("w0")
    first, second = names.next(), names.next()
    for name in (second + OPEN, first + OPEN, first + ".done", "notes" + OPEN):
        (tmp_path / name).touch()
    assert [name.text for name, _ in list_segments(tmp_path, OPEN)] == [first, second]
    assert list(list_segments(tmp_path / "missing", OPEN)) == []


def test_times_as_records_write_them():
    assert utc_text(1_772_366_400.1239) == "2026-03-01T12:00:00.123Z"
