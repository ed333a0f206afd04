"""Runs of tuning over a book, end to end but for the files."""

from datetime import timedelta

import numpy as np
import pytest

from tuning_factory import FITTED, NOW, Answers, Book, answers, calibration, group, odds
from undertow.errors import DataError, UsageError
from undertow.ports.tuning import AlarmView, OpenAlarm
from undertow.records.calibration import FeatureWeight, GroupState, PolicyState, Prefix, ThresholdStates
from undertow.services.tune import Bounds, tune, undo, void
from undertow.services.tuning_run import Run, Target

BOUNDS = Bounds(step=0.15, max_step=1.0, window_days=30.0)
RUN = Run("keeper", NOW)
QUIET = AlarmView()


def target(*groups, policy="auto", version="c" * 64, commits=False, **other):
    return Target(policy, calibration(*groups, **other), version, commits)


def ahead(*groups):
    """A prefix whose confidence is the probability of the first tokens, certified from .85 on."""
    return Prefix(
        tokens=8, features=(FeatureWeight(name="prefix.mean_logprob"),), groups=groups or (group(threshold=0.85),)
    )


def standing(book, *states, policy="auto"):
    """Put states in force by hand."""
    state = PolicyState(calibration_version="c" * 64, version=1, groups=states)
    book.now = ThresholdStates(at="", policies={policy: {"cheap": state}})


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


def committed(n=300, **other):
    """Whole answers that would not be served, whose first tokens were."""
    return answers([0.7] * n, [False] * n, ahead=[0.95] * n, **other)


def test_committed_answers_that_fail_raise_the_threshold():
    book = Book()
    report = tune((target(prefix=ahead(), commits=True),), Answers(committed()), QUIET, book, BOUNDS, RUN)
    (told,) = report.groups
    assert (told.before, told.labels, told.loss) == (0.85, 300, 1.0)
    assert told.after > 0.9
    assert (in_force(book)[None].commits, in_force(book)[None].certified) == (True, False)
    # Elsewhere the same answers are held, and none of them is served.
    held = tune((target(prefix=ahead()),), Answers(committed()), QUIET, Book(), BOUNDS, RUN)
    assert (held.groups[0].before, held.groups[0].loss, held.changed) == (0.8, 0.0, 0)


def test_in_mode_commit_a_threshold_comes_back_to_that_of_the_prefix_and_then_nothing_is_noted():
    book, given = Book(), (target(prefix=ahead(), commits=True),)
    standing(book, GroupState(threshold=0.851, commits=True))
    good = answers([0.7] * 50, [True] * 50, ahead=[0.95] * 50)
    report = tune(given, Answers(good), QUIET, book, BOUNDS, RUN)
    assert (report.groups[0].before, report.groups[0].after, in_force(book)) == (0.851, 0.85, {})


def test_a_policy_that_changes_its_way_begins_anew():
    book = Book()
    tune((target(prefix=ahead()),), Answers(failing()), QUIET, book, BOUNDS, RUN)
    tuned = in_force(book)[None].threshold
    report = tune((target(prefix=ahead(), commits=True),), Answers(committed()), QUIET, book, BOUNDS, RUN)
    assert (report.groups[0].before, report.groups[0].labels) == (max(tuned, 0.85), 300)
    assert [one.commits for one in book.remembered.groups] == [True]


@pytest.mark.parametrize("commits", [False, True])
def test_what_fresh_labels_certified_is_noted_as_such_and_comes_back_as_such(commits):
    n = 3000
    good = answers([0.9 if commits else 0.6] * n, [True] * n, ahead=[0.6] * n if commits else None)
    good.features["mean_logprob"][:] = np.log(np.linspace(0.5, 0.99, n))
    book, given = Book(), (target(group(threshold=0.95), prefix=ahead(group(threshold=0.96)), commits=commits),)
    tune(given, Answers(good), QUIET, book, BOUNDS, RUN)
    more = answers([0.9] * 300, [True] * 300, ahead=[0.6] * 300, start=NOW, ids="m")
    report = tune(given, Answers(more), QUIET, book, BOUNDS, Run("keeper", NOW + timedelta(hours=1)))
    assert report.groups[0].after < (0.96 if commits else 0.95)
    assert (in_force(book)[None].certified, in_force(book)[None].commits) == (True, commits)
    undo(given, book, 0, RUN)
    undo(given, book, 1, RUN)
    assert (in_force(book)[None].threshold, in_force(book)[None].certified) == (report.groups[0].after, True)
    assert book.remembered.groups[0].controller.floor == pytest.approx(odds(report.groups[0].after))
    void(given, book, "all", "an incident", RUN)
    assert (in_force(book)[None].is_void, in_force(book)[None].certified) == (True, True)


def test_undoing_gives_back_none_of_the_error_probability():
    # Three served answers fail: enough to raise the threshold, too few to give the floor up.
    good = answers(np.linspace(0.5, 0.99, 500), [i > 250 and i < 497 for i in range(500)])
    book, given = Book(), (target(),)
    tune(given, Answers(good), QUIET, book, BOUNDS, RUN)
    assert book.remembered.groups[0].controller.spent == 1
    undo(given, book, None, RUN)
    assert book.remembered.groups[0].controller.spent == 1


def test_a_number_by_hand_below_the_certified_one_is_taken_back_and_is_no_floor_to_begin_at():
    book, given = Book(), (target(),)
    tune(given, Answers(failing()), QUIET, book, BOUNDS, RUN)
    standing(book, GroupState(threshold=0.01))
    void(given, book, "all", "an incident", RUN)
    void(given, book, "all", "over", RUN, is_void=False)
    assert book.remembered.groups[0].controller.floor == pytest.approx(odds(0.8))
    report = tune(given, Answers(failing(start=NOW, ids="m")), QUIET, book, BOUNDS, RUN)
    assert report.groups[0].after >= 0.8


def test_a_number_by_hand_opens_no_group_that_was_never_certified():
    book = Book()
    standing(book, GroupState(threshold=0.01))
    report = tune((target(group(threshold=None)),), Answers(failing()), QUIET, book, BOUNDS, RUN)
    assert (report.groups[0].before, report.groups[0].after) == (None, None)


def test_a_label_that_comes_late_counts():
    book, given = Book(), (target(),)
    tune(given, Answers(answers([0.9], [True], ids="first")), QUIET, book, BOUNDS, RUN)
    late = failing(start=FITTED + timedelta(hours=1))
    report = tune(given, Answers(late), QUIET, book, BOUNDS, RUN)
    assert (report.groups[0].labels, report.changed) == (40, 1)


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
