"""Topics of a log: when they are found, from what, and what they add to the cells."""

import re
from dataclasses import replace

import numpy as np
import pytest

from topic_log import CHANGE, DAYS, START, read_rows, rows, without_texts
from undertow.estimators.periods import find_periods
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.evidence import alarms_armed_from, gather
from undertow.services.topics import MIN_TEXTS, _distinct_rows, examples_of, found_topics, log_topics, with_topics

FIRST = int(START.timestamp()) // 86_400


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return read_rows(tmp_path_factory.mktemp("log"), *rows())


def periods_of(cells):
    first, buckets = bucket_range(cells)
    return find_periods(traffic_grid(cells, 0, first_bucket=first, buckets=buckets), cells.bucket_s, None)


def armed(cells):
    return bucket_range(cells)[0] + alarms_armed_from(cells, periods_of(cells))


def cut(cells, day):
    """The cells as of the end of a day: what came later was never seen."""
    keep = cells.rows.available <= FIRST + day
    names = [name for name in type(cells.rows).__dataclass_fields__ if name not in {"texts", "sketches", "left_out"}]
    return replace(cells, rows=replace(cells.rows, **{name: getattr(cells.rows, name)[keep] for name in names}))


def test_they_are_found_once_there_are_texts_enough_and_alarms_may_be_raised(cells):
    found = log_topics(cells, armed(cells))
    assert found is not None
    # 4,000 texts take 40 days; nobody waits longer than 28 for them.
    assert set(found.known_from) == {FIRST + 28}
    assert any("charge" in segment.value for segment in found.segments)
    assert {segment.key for segment in found.segments} == {"topic"}
    assert len({segment.value for segment in found.segments}) == len(found.segments)


def test_cutting_the_log_changes_nothing_before_the_cut(cells):
    whole, part = log_topics(cells, armed(cells)), log_topics(cut(cells, 40), armed(cells))
    assert part is not None
    assert part.segments == whole.segments
    assert part.known_from == whole.known_from
    seen = np.unique(cut(cells, 40).rows.text)
    np.testing.assert_array_equal(part.members[seen], whole.members[seen])


@pytest.mark.parametrize("day", [2, 27])
def test_too_early_there_are_none(cells, day):
    assert log_topics(cut(cells, day), armed(cells)) is None


def test_none_without_texts(tmp_path):
    bare = read_rows(tmp_path, *rows(with_text=False))
    assert log_topics(bare, armed(bare)) is None


def test_a_log_that_has_such_a_key_itself_keeps_it(cells):
    taken = replace(cells, segments=(*cells.segments[:-1], replace(cells.segments[-1], key="topic")))
    assert {segment.key for segment in log_topics(taken, armed(taken)).segments} == {"text topic"}


def test_labels_of_topics_are_counted_like_those_of_segments(cells):
    found = log_topics(cells, armed(cells))
    more = with_topics(cells, found)
    assert more.segments[: len(cells.segments)] == cells.segments
    unit = signal_units(cells)[0]
    for code in list(more.topics)[:5]:
        grid = label_grid(more, unit, code, first_bucket=FIRST, buckets=DAYS)
        inside = found.members[cells.rows.text, code - len(cells.segments)]
        assert grid.n.sum() == inside.sum()
        assert grid.failures.sum() == cells.rows.failure[inside].sum()
        assert grid.weighted_failures.sum() == pytest.approx((cells.rows.failure * cells.rows.weight)[inside].sum())
        assert grid.weight_max.max() == cells.rows.weight[inside].max()
        later = cells.rows.decided[inside] >= FIRST + CHANGE
        assert grid.n[CHANGE:].sum() == later.sum()


def test_texts_of_a_new_kind_make_a_generation_of_their_own(tmp_path):
    decisions, signals = rows()
    new = ("bonjour madame je voudrais un remboursement", "le colis est perdu monsieur", "annuler mon abonnement merci")
    for number, decision in enumerate(decisions):
        if number >= 36 * 100 and number % 2:
            decision["prompt"] = f"{new[number % 3]} {number % 7}"
    changed = read_rows(tmp_path, decisions, signals)
    found = log_topics(changed, armed(changed))
    first, *later = sorted(set(found.known_from))
    assert first == FIRST + 28
    assert later
    assert (later[0] - first) % 7 == 0
    born = [at for at, bucket in enumerate(found.known_from) if bucket in later]
    inside = np.flatnonzero(found.members[:, born].any(1)).tolist()
    kinds = [changed.rows.texts[at].startswith(new) for at in inside]
    # One text in a hundred of the first topics' own is outside them, too.
    assert np.mean(kinds) > 0.9
    assert len(inside) >= MIN_TEXTS


def test_finding_topics_moves_no_other_weight(cells):
    """A share is put by as soon as there are texts enough, so a log that ends before topics are found has the same weights."""
    settings, periods = AuditSettings(), periods_of(cells)
    bare = gather(cells, settings, periods, alarms=True)
    with_them = gather(with_topics(cells, log_topics(cells, armed(cells))), settings, periods, alarms=True)
    weights = [
        {stream.name: weight for stream, weight in zip(evidence.streams, evidence.weights, strict=True)}
        for evidence in (bare, with_them)
    ]
    assert weights[1].keys() > weights[0].keys()
    assert all(weights[1][name] == weight for name, weight in weights[0].items())
    assert with_them.weights.sum() <= 1.0
    topics = [w for stream, w in zip(with_them.streams, with_them.weights, strict=True) if stream.role == "topic"]
    assert 0.15 < sum(topics) <= 1.0 - sum(weights[0].values())


def test_without_texts_the_weights_are_those_of_a_log_that_never_had_any(cells, tmp_path):
    bare = read_rows(tmp_path, *rows(with_text=False))
    settings, periods = AuditSettings(), periods_of(cells)
    assert (
        gather(bare, settings, periods, alarms=True).weights.sum()
        > gather(cells, settings, periods, alarms=True).weights.sum()
    )


def test_a_log_whose_texts_begin_late_has_none_to_monitor(cells):
    keep = cells.rows.available > armed(cells)
    late = replace(cells, rows=replace(cells.rows, text=np.where(keep, cells.rows.text, -1)))
    assert log_topics(late, armed(late)) is None
    assert found_topics(late) is not None


def test_sketches_find_the_topics_that_their_texts_would_have_found_without_names(cells):
    gone = without_texts(cells)
    mine, theirs = found_topics(cells), found_topics(gone)
    np.testing.assert_array_equal(mine.members, theirs.members)
    assert all(re.fullmatch(r"group \d+( \(\d+\))?", segment.value) for segment in theirs.segments)
    assert examples_of(theirs, np.ones(len(theirs.asked), dtype=np.bool_)) == ()


def test_where_some_texts_are_kept_they_name_the_topics(cells):
    half = without_texts(cells, keep=lambda place: place % 2 == 0)
    assert any("charge" in segment.value for segment in found_topics(half).segments)


def test_rows_are_told_apart_as_numpy_does():
    table = np.random.default_rng(4).integers(-2, 3, (200, 4)) * np.array([1, 10**6, 1, 10**9])
    rows, place = _distinct_rows(table)
    expected, at = np.unique(table, axis=0, return_inverse=True)
    assert np.array_equal(rows, expected)
    assert np.array_equal(place, at.ravel())
    assert len(_distinct_rows(table[:0])[0]) == 0
