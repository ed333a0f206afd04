"""Thresholds of earlier versions."""

from undertow.calibration.versions import as_of, latest_version, version_to_undo_to
from undertow.records.tuning import TuningEntry


def entry(version, after=0.9, **other):
    given = {
        "version": version,
        "at": "2026-03-01T00:00:00.000Z",
        "who": "keeper",
        "policy": "auto",
        "tier": "cheap",
        "calibration_version": "c",
        "before": 0.8,
        "after": after,
        "why": "w",
    }
    return TuningEntry(**(given | other))


def test_a_version_is_the_last_entry_of_each_group_until_then():
    history = [entry(1, 0.9), entry(1, 0.7, group="a"), entry(2, 0.95), entry(3, 0.95, is_void=True)]
    assert latest_version(history) == 3
    then = as_of(history, 2)
    assert then["auto", "cheap", None].state.threshold == 0.95
    assert then["auto", "cheap", "a"].state.threshold == 0.7
    assert not then["auto", "cheap", None].state.is_void
    assert as_of(history, 3)["auto", "cheap", None].state.is_void
    assert as_of(history, 0) == {}
    assert as_of(history, 3)["auto", "cheap", None].calibration_version == "c"


def test_what_vouched_for_a_version_is_kept_with_it():
    state = as_of([entry(1, 0.7, certified=True, commits=True)], 1)["auto", "cheap", None].state
    assert (state.certified, state.commits) == (True, True)


def test_undoing_again_goes_one_change_further_back():
    history = [entry(1), entry(2), entry(3)]
    assert version_to_undo_to(history) == 2
    history.append(entry(4, restores=2))
    assert version_to_undo_to(history) == 1
    history.append(entry(5, restores=1))
    assert version_to_undo_to(history) == 0
    history.append(entry(6, restores=0))
    assert version_to_undo_to(history) is None
    history.append(entry(7))
    assert version_to_undo_to(history) == 6
    assert version_to_undo_to([]) is None
