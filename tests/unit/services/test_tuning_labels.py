"""Labelled answers as the controllers of a calibration see them."""

import msgspec
import numpy as np
import pytest

from tuning_factory import FITTED, answers, calibration, group
from undertow.records.calibration import FeatureWeight, Prefix
from undertow.services.tuning_labels import rows_of


def test_labels_have_the_confidence_of_the_calibration_and_the_share_that_they_stand_for():
    given = calibration(group("a"), group(), group_key="task")
    found = answers(
        [0.9, 0.6, 0.5, 0.7],
        [True, False, False, False],
        segments=[{"task": "a"}, {}, {"task": "a"}, {"task": "zz"}],
        known=[True, True, False, True],
        weight=[3.0, 2.0, 1.0, 2.0],
    )
    first, second, third = rows_of(given, given.groups, found).labels
    assert (first.group, second.group, third.group) == ("a", None, None)
    assert [one.confidence for one in (first, second, third)] == pytest.approx([0.9, 0.6, 0.7])
    assert (first.share, second.share) == (0.75, 1.0)
    assert (first.is_failed, second.is_failed, first.weight) == (False, True, 3.0)
    assert first.available_at == "2026-03-02T00:00:00.000Z"


def test_an_answer_without_a_measured_feature_has_no_confidence():
    found = answers([0.9, 0.9], [True, True])
    found.features["mean_logprob"][1] = np.nan
    one, other = rows_of(calibration(), calibration().groups, found).labels
    assert one.confidence == pytest.approx(0.9)
    assert other.confidence is None


def test_withheld_answers_are_kept_apart_with_their_confidence_and_time():
    given = calibration(group("a"), group(), group_key="task")
    found = answers(
        [0.9, 0.6, 0.7],
        [True, False, False],
        segments=[{"task": "a"}, {"task": "a"}, {}],
        known=[True, False, False],
        weight=[1.0, 4.0, 2.0],
    )
    rows = rows_of(given, given.groups, found)
    assert [one.decision_id for one in rows.labels] == ["d000000"]
    assert [(one.group, one.weight) for one in rows.withheld] == [("a", 4.0), (None, 2.0)]
    assert [one.confidence for one in rows.of("a").withheld] == pytest.approx([0.6])
    assert rows.of("a").withheld[0].event_time == "2026-03-02T00:00:01.000Z"
    assert (len(rows.of(None).labels), len(rows.of(None).withheld)) == (0, 1)


def test_decision_and_label_have_each_their_time_and_one_may_be_unknown():
    found = answers([0.9, 0.9], [True, True])
    found.decided_at[:] = FITTED.timestamp(), np.nan
    one, other = rows_of(calibration(), calibration().groups, found).labels
    assert (one.event_time, one.available_at) == ("2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z")
    assert other.event_time is None


AHEAD = Prefix(
    tokens=8, features=(FeatureWeight(name="prefix.mean_logprob"),), groups=(group(threshold=0.85), group("a", 0.9))
)
COMMITTING = calibration(group("a"), group(), group("bare", None), group_key="task", prefix=AHEAD)


def confidences(found, *, commits, given=COMMITTING):
    return [one.confidence for one in rows_of(given, given.groups, found, commits=commits).labels]


def test_where_answers_may_be_served_early_the_higher_confidence_counts():
    found = answers(
        [0.7, 0.95, 0.7, 0.5],
        [True] * 4,
        ahead=[0.9, 0.6, 0.9, 0.9],
        segments=[{}, {}, {"task": "a"}, {"task": "bare"}],
    )
    found.features["mean_logprob"][2] = np.nan
    assert confidences(found, commits=True) == pytest.approx([0.9, 0.95, 0.9, 0.5])
    assert confidences(found, commits=False)[:2] == pytest.approx([0.7, 0.95])
    assert confidences(found, commits=False)[2] is None
    # Without a certificate of the prefix none is served early.
    whole = msgspec.structs.replace(
        COMMITTING, prefix=msgspec.structs.replace(AHEAD, groups=(group(threshold=None), group("a", 0.9)))
    )
    assert confidences(found, commits=True, given=whole)[0] == pytest.approx(0.7)


def test_first_tokens_of_another_number_say_nothing():
    found = answers([0.7, 0.7], [True, True], ahead=[0.9, 0.9])
    found.features["prefix.tokens"] = np.array([8.0, 16.0])
    assert confidences(found, commits=True) == pytest.approx([0.9, 0.7])


def test_what_is_served_whatever_the_threshold_is_has_the_highest_confidence():
    found = answers([0.7, 0.7], [True, True])
    found = type(found)(
        found.features,
        found.good,
        found.weight,
        segments=found.segments,
        available_at=found.available_at,
        decision_ids=found.decision_ids,
        always_served=np.array([True, False]),
    )
    assert confidences(found, commits=False) == pytest.approx([1.0, 0.7])
