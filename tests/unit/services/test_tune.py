"""Runs of tuning over a book, end to end but for the files."""

from datetime import timedelta

import numpy as np
import pytest

from tuning_factory import FITTED, NOW, Answers, Book, answers, calibration, group, odds
from undertow.errors import DataError, UsageError
from undertow.ports.tuning import AlarmView, OpenAlarm
from undertow.services.tune import Bounds, labels_of, tune, undo, void
from undertow.services.tuning_run import Run, Target

BOUNDS = Bounds(step=0.15, max_step=1.0, window_days=30.0)
RUN = Run("keeper", NOW)
QUIET = AlarmView()


def target(*groups, policy="auto", version="c" * 64, **other):
    return Target(policy, calibration(*groups, **other), version)


def failing(n=40, share=5, **other):
    return answers([0.95] * n, [i % share != 0 for i in range(n)], **other)


def in_force(book, policy="auto", tier="cheap"):
    return {one.value: one for one in book.now.policies[policy][tier].groups}


def test_labels_move_a_threshold_and_the_book_says_why():
    book, source = Book(), Answers(failing())
    report = tune((target(),), source, QUIET, book, BOUNDS, RUN)
    (told,) = report.groups
    assert (report.version, report.changed, told.labels) == (1, 1, 40)
    assert told.after > told.before == 0.8
    assert in_force(book)[None].threshold == told.after
    assert book.now.policies["auto"]["cheap"].version == 1
    assert book.now.policies["auto"]["cheap"].calibration_version == "c" * 64
    (entry,) = book.entries
    assert (entry.version, entry.who, entry.before, entry.after, entry.labels) == (1, "keeper", 0.8, told.after, 40)
    assert entry.loss == pytest.approx(0.2)
    assert entry.at == "2026-03-10T00:00:00.000Z"
    # Only decisions since the calibration are asked for: older labels were fitted on.
    assert source.asked == [("cheap", "capable", FITTED)]


def test_the_next_run_takes_only_new_labels_and_old_decisions_are_left_out():
    book, source = Book(), Answers(failing())
    tune((target(),), source, QUIET, book, BOUNDS, RUN)
    again = tune((target(),), source, QUIET, book, BOUNDS, Run("keeper", NOW + timedelta(days=60)))
    assert (again.version, again.changed, again.groups[0].labels) == (1, 0, 0)
    assert source.asked[-1][2] == NOW + timedelta(days=30)
    assert len(book.entries) == 1


def test_a_time_of_fitting_without_zone_is_utc_and_one_that_is_none_is_refused():
    source = Answers(failing())
    tune((target(fitted_at="2026-03-01T00:00:00"),), source, QUIET, Book(), BOUNDS, RUN)
    assert source.asked[0][2] == FITTED
    with pytest.raises(DataError, match="is no time"):
        tune((target(fitted_at="yesterday"),), source, QUIET, Book(), BOUNDS, RUN)


def test_a_dry_run_writes_nothing_and_says_the_same():
    book = Book()
    dry = tune((target(),), Answers(failing()), QUIET, book, BOUNDS, Run("ann", NOW, is_dry=True))
    assert (dry.changed, book.writes, book.entries) == (1, 0, ())
    wet = tune((target(),), Answers(failing()), QUIET, book, BOUNDS, RUN)
    assert wet.groups[0].after == dry.groups[0].after


def test_each_group_has_its_own_controller_and_a_new_value_counts_to_the_rest():
    segments = [{"task": name} for name in ("a", "b", "new")] * 40
    found = answers([0.95] * 120, [s["task"] != "a" or i % 2 == 0 for i, s in enumerate(segments)], segments=segments)
    given = target(group("a"), group("b"), group(), group_key="task")
    book = Book()
    report = tune((given,), Answers(found), QUIET, book, BOUNDS, RUN)
    told = {one.group: one for one in report.groups}
    assert {value: one.labels for value, one in told.items()} == {"a": 40, "b": 40, None: 40}
    assert set(in_force(book)) == {"a"}
    assert told["a"].group_key == "task"


def test_an_alarm_holds_what_it_is_about_and_no_look_holds_all():
    good = answers([0.95] * 300, [True] * 300)
    given = target(group("a"), group("b"), group(), group_key="task")
    for alarms, expected in (
        (QUIET, {"a": "none", "b": "none", None: "none"}),
        (AlarmView((OpenAlarm("cheap", {"task": "a"}),)), {"a": "open", "b": "none", None: "none"}),
        (AlarmView((OpenAlarm("cheap", {"task": "z"}),)), {"a": "none", "b": "none", None: "open"}),
        (AlarmView((OpenAlarm("cheap", {"country": "de"}),)), {"a": "open", "b": "open", None: "open"}),
        (AlarmView((OpenAlarm("cheap", {}),)), {"a": "open", "b": "open", None: "open"}),
        (AlarmView((OpenAlarm("middle", {}),)), {"a": "none", "b": "none", None: "none"}),
        (AlarmView(unknown="too few"), {"a": "unknown", "b": "unknown", None: "unknown"}),
    ):
        report = tune((given,), Answers(good), alarms, Book(), BOUNDS, RUN)
        assert {one.group: one.alarm for one in report.groups} == expected
    assert any("too few" in note for note in report.notes)


def test_another_artefact_begins_anew():
    book = Book()
    tune((target(),), Answers(failing()), QUIET, book, BOUNDS, RUN)
    fresh = target(version="d" * 64)
    report = tune((fresh,), Answers(answers([0.95], [True])), QUIET, book, BOUNDS, RUN)
    assert (report.groups[0].before, report.groups[0].labels) == (0.8, 1)
    assert {one.calibration_version for one in book.remembered.groups} == {"d" * 64}


def test_two_policies_are_tuned_apart():
    book = Book()
    report = tune((target(), target(policy="strict")), Answers(failing()), QUIET, book, BOUNDS, RUN)
    assert (report.version, report.changed) == (1, 2)
    assert set(book.now.policies) == {"auto", "strict"}
    assert [entry.version for entry in book.entries] == [1, 1]


def test_a_void_certificate_is_kept_with_its_reason_and_is_not_tuned_until_it_is_restored():
    book = Book()
    report = void((target(),), book, "all", "refund rules changed", RUN)
    assert report.changed == 1
    assert (in_force(book)[None].is_void, in_force(book)[None].threshold) == (True, 0.8)
    assert in_force(book)[None].why == "refund rules changed"
    assert void((target(),), book, "all", "again", RUN).changed == 0
    held = tune((target(),), Answers(failing()), QUIET, book, BOUNDS, RUN)
    assert (held.changed, held.groups[0].labels, held.groups[0].is_void) == (0, 0, True)
    back = void((target(),), book, "all", "they are back", RUN, is_void=False)
    assert (back.version, in_force(book)) == (2, {})
    assert [entry.is_void for entry in book.entries] == [True, False]
    assert tune((target(),), Answers(failing()), QUIET, book, BOUNDS, RUN).changed == 1


def test_a_value_of_the_rest_can_be_voided_by_itself_and_its_labels_leave_the_rest_alone():
    given, book = target(group("a"), group(), group_key="task"), Book()
    void((given,), book, "task=odd", "an incident", RUN)
    assert set(in_force(book)) == {"odd"}
    found = failing(segments=[{"task": "odd"}] * 40)
    report = tune((given,), Answers(found), QUIET, book, BOUNDS, RUN)
    assert {one.group: one.labels for one in report.groups} == {"a": 0, None: 0, "odd": 0}
    void((given,), book, "task=odd", "over", RUN, is_void=False)
    assert in_force(book) == {}


@pytest.mark.parametrize("which", ["country=de", "task=", "task", ""])
def test_what_no_calibration_is_divided_by_cannot_be_voided(which):
    with pytest.raises(UsageError, match="'task'"):
        void((target(group("a"), group(), group_key="task"),), Book(), which, "w", RUN)
    with pytest.raises(UsageError, match="no calibration has groups"):
        void((target(),), Book(), which, "w", RUN)


def test_undoing_brings_back_the_version_before_and_then_the_one_before_that():
    book, given = Book(), (target(),)
    for day in range(1, 4):
        found = failing(20, 2, start=FITTED + timedelta(days=day))
        tune(given, Answers(found), QUIET, book, Bounds(step=0.15, max_step=0.5, window_days=30.0), RUN)
    first, second, third = (entry.after for entry in book.entries)
    assert first < second < third
    assert undo(given, book, None, RUN).groups[0].after == second
    assert undo(given, book, None, RUN).groups[0].after == first
    assert undo(given, book, None, RUN).groups[0].after == 0.8
    assert in_force(book) == {}
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(given, book, None, RUN)
    report = undo(given, book, 3, RUN)
    assert (report.version, in_force(book)[None].threshold) == (7, third)
    assert [entry.restores for entry in book.entries] == [None, None, None, 2, 1, 0, 3]
    with pytest.raises(UsageError, match="versions 0 to 7"):
        undo(given, book, 8, RUN)


def test_after_undoing_the_labels_that_led_there_count_no_more():
    book, given = Book(), (target(),)
    tune(given, Answers(failing()), QUIET, book, BOUNDS, RUN)
    undo(given, book, None, RUN)
    report = tune(given, Answers(failing()), QUIET, book, BOUNDS, RUN)
    assert (report.changed, report.groups[0].labels, report.groups[0].after) == (0, 0, 0.8)
    controller = book.remembered.groups[0].controller
    assert controller.log_odds == pytest.approx(odds(0.8))


def test_while_somebody_else_tunes_nobody_else_does():
    book = Book()
    book.is_free = False
    for act in (
        lambda: tune((target(),), Answers(failing()), QUIET, book, BOUNDS, RUN),
        lambda: void((target(),), book, "all", "w", RUN),
        lambda: undo((target(),), book, None, RUN),
    ):
        with pytest.raises(DataError, match="another process"):
            act()


def test_labels_have_the_confidence_of_the_calibration_and_the_share_that_they_stand_for():
    given = calibration(group("a"), group(), group_key="task")
    found = answers(
        [0.9, 0.6, 0.5, 0.7],
        [True, False, False, False],
        segments=[{"task": "a"}, {}, {"task": "a"}, {"task": "zz"}],
        known=[True, True, False, True],
        weight=[3.0, 2.0, 1.0, 2.0],
    )
    first, second, third = labels_of(given, given.groups, found)
    assert (first.group, second.group, third.group) == ("a", None, None)
    assert [one.confidence for one in (first, second, third)] == pytest.approx([0.9, 0.6, 0.7])
    assert (first.share, second.share) == (0.75, 1.0)
    assert (first.is_failed, second.is_failed, first.weight) == (False, True, 3.0)
    assert first.available_at == "2026-03-02T00:00:00.000Z"


def test_an_answer_without_a_measured_feature_has_no_confidence():
    found = answers([0.9, 0.9], [True, True])
    found.features["mean_logprob"][1] = np.nan
    one, other = labels_of(calibration(), calibration().groups, found)
    assert one.confidence == pytest.approx(0.9)
    assert other.confidence is None
