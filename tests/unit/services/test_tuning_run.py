"""What a run reports and writes."""

import msgspec

from tuning_factory import NOW, Book, calibration, group
from undertow.records.calibration import GroupState, PolicyState, ThresholdStates
from undertow.records.tuning import ControllerState, GroupMemory, TuningMemory
from undertow.services.tuning_run import GroupReport, Now, Run, Target, TuneReport

TARGET = Target("auto", calibration(group("a"), group(), group_key="task"), "c")
RUN = Run("ann", NOW)


def report(value=None, before=0.8, after=0.9, **other):
    return GroupReport("auto", "cheap", "task", value, before, after, 0.03, why="w", **other)


def memory(policy="auto", version="c", value=None):
    state = ControllerState(log_odds=1.0, floor=1.0)
    return GroupMemory(policy=policy, tier="cheap", group=value, calibration_version=version, controller=state)


def states(version=4, calibration_version="c", **groups):
    held = tuple(GroupState(value=None if name == "rest" else name, threshold=at) for name, at in groups.items())
    state = PolicyState(calibration_version=calibration_version, version=version, groups=held)
    return ThresholdStates(at="", policies={"auto": {"cheap": state}, "other": {"cheap": state}})


def test_only_groups_that_differ_from_the_artefact_are_kept_and_other_policies_are_left():
    book = Book()
    book.now = states(a=0.95, rest=0.9)
    told = Now.of(book).settle((TARGET,), [report("a", 0.95, 0.8), report(None, 0.9, 0.9)], [], RUN, ())
    assert (told.version, told.changed) == (5, 1)  # versions never go back, whichever file knows the latest
    mine = book.now.policies["auto"]["cheap"]
    assert [(one.value, one.threshold) for one in mine.groups] == [(None, 0.9)]
    assert mine.version == 5
    assert book.now.policies["other"]["cheap"].version == 4


def test_states_of_another_artefact_mean_nothing():
    book = Book()
    book.now = states(calibration_version="old", a=0.95)
    now = Now.of(book)
    assert now.state(TARGET, "a") is None
    now.settle((TARGET,), [report(None)], [], RUN, ())
    assert [one.value for one in book.now.policies["auto"]["cheap"].groups] == [None]


def test_where_nothing_changed_thresholds_are_not_written_but_controllers_are():
    book = Book()
    told = Now.of(book).settle((TARGET,), [report(after=0.8)], [memory()], RUN, ("a note",))
    assert told == TuneReport(0, told.groups, ("a note",))
    assert (book.writes, book.now, book.entries) == (1, None, ())
    Now.of(book).settle((TARGET,), [report(after=0.8)], [], RUN, ())
    assert book.writes == 1


def test_controllers_of_other_policies_stay_and_those_of_an_old_artefact_go():
    book = Book()
    book.remembered = TuningMemory(at="", groups=(memory("other", "x"), memory(version="old", value="a"), memory()))
    moved = msgspec.structs.replace(memory(), controller=ControllerState(log_odds=2.0, floor=1.0))
    Now.of(book).settle((TARGET,), [], [moved], RUN, ())
    kept = {(m.policy, m.group): m.controller.log_odds for m in book.remembered.groups}
    assert kept == {("other", None): 1.0, ("auto", None): 2.0}


def test_a_certificate_that_becomes_void_is_a_change():
    assert report(after=0.8, is_void=True).is_changed
    assert not report(after=0.8, was_void=True, is_void=True).is_changed
