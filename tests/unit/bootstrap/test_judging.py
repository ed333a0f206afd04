"""Calibrated judges of a plan, and the file that tells what has become of their thresholds."""

import logging
import os

import pytest

from sound_calibrations import calibration, group
from undertow.adapters.calibrations import write_calibration, write_states
from undertow.bootstrap.judging import LOOK_AGAIN_S, ThresholdFile, load_judges, standings
from undertow.errors import ConfigError
from undertow.records.calibration import GroupState, PolicyState, ThresholdStates
from undertow.records.serving import PolicyPlan


def cascade(*calibrations, name="auto", **more):
    paths = tuple(map(str, calibrations))
    return PolicyPlan(
        name=name, version="v", kind="cascade", tiers=("cheap", "capable"), calibrations=paths, strict=True, **more
    )


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "c.json"
    return path, write_calibration(calibration(groups=(group(threshold=0.9),)), path)


def states(sha256, version=1, policy="auto", tier="cheap", **group):
    state = PolicyState(calibration_version=sha256, version=version, groups=(GroupState(**group),))
    return ThresholdStates(at="2026-03-01T00:00:00.000Z", policies={policy: {tier: state}})


def in_force(judges):
    return {(policy, tier): (each.threshold, each.blocked) for policy, tier, each, _ in standings(judges)}


def test_each_policy_has_judges_of_its_own(artefact):
    path, _ = artefact
    judges = load_judges((cascade(path), cascade(path, name="other"), cascade(name="plain")))
    assert {policy: list(by_tier) for policy, by_tier in judges.items()} == {"auto": ["cheap"], "other": ["cheap"]}
    assert judges["auto"]["cheap"] is not judges["other"]["cheap"]
    assert in_force(judges)["auto", "cheap"] == (0.9, None)


def test_an_artefact_that_was_edited_stops_the_start(artefact):
    path, _ = artefact
    path.write_text(path.read_text().replace("0.9", "0.5"))
    with pytest.raises(ConfigError, match="sha256"):
        load_judges((cascade(path),))


@pytest.fixture
def kept(artefact, tmp_path):
    path, sha256 = artefact
    judges = load_judges((cascade(path),))
    file = tmp_path / "state" / "thresholds.json"
    return judges, ThresholdFile(file, judges), file, sha256


def test_tuned_thresholds_come_into_force_within_seconds(kept):
    judges, thresholds, file, sha256 = kept
    thresholds.refresh(0.0)
    assert in_force(judges)["auto", "cheap"] == (0.9, None)
    write_states(file, states(sha256, threshold=0.95))
    thresholds.refresh(LOOK_AGAIN_S - 1)
    assert in_force(judges)["auto", "cheap"] == (0.9, None), "it is not looked at all the time"
    thresholds.refresh(LOOK_AGAIN_S)
    assert in_force(judges)["auto", "cheap"] == (0.95, None)
    assert judges["auto"]["cheap"].version.endswith("+1")
    write_states(file, states(sha256, version=2, threshold=0.95, is_void=True, why="alarm"))
    thresholds.refresh(2 * LOOK_AGAIN_S)
    assert in_force(judges)["auto", "cheap"][1] == "calibration_void"
    write_states(file, ThresholdStates(at="2026-03-01T00:00:00.000Z"))
    thresholds.refresh(3 * LOOK_AGAIN_S)
    assert in_force(judges)["auto", "cheap"] == (0.9, None), "no state of it: the artefact's own threshold"


@pytest.mark.parametrize("harm", ["broken", "gone"])
def test_a_void_certificate_stays_void_whatever_becomes_of_the_file_and_it_is_said_once(kept, caplog, harm):
    judges, thresholds, file, sha256 = kept
    write_states(file, states(sha256, threshold=0.9, is_void=True))
    thresholds.refresh(0.0)
    if harm == "broken":
        file.write_text("{")
    else:
        file.unlink()
    with caplog.at_level(logging.WARNING, "undertow.gateway"):
        for second in (10.0, 20.0, 30.0):
            if harm == "broken":
                os.utime(file, (second, second))
            thresholds.refresh(second)
    assert in_force(judges)["auto", "cheap"][1] == "calibration_void"
    assert [record.message for record in caplog.records] == ["thresholds_unreadable"]
    write_states(file, ThresholdStates(at="2026-03-01T00:00:00.000Z"))
    thresholds.refresh(40.0)
    assert in_force(judges)["auto", "cheap"] == (0.9, None)


def test_a_file_that_is_as_it_was_is_not_read_again(kept, monkeypatch):
    judges, thresholds, file, sha256 = kept
    write_states(file, states(sha256, threshold=0.95))
    thresholds.refresh(0.0)
    monkeypatch.setattr("undertow.bootstrap.judging.read_states", lambda _: pytest.fail("it was read again"))
    thresholds.refresh(10.0)
    assert in_force(judges)["auto", "cheap"] == (0.95, None)


def test_thresholds_of_another_calibration_are_said_and_ignored(kept, caplog):
    judges, thresholds, file, _ = kept
    write_states(file, states("f" * 64, threshold=0.1))
    with caplog.at_level(logging.WARNING, "undertow.gateway"):
        thresholds.refresh(0.0)
    assert in_force(judges)["auto", "cheap"] == (0.9, None)
    assert [(entry.message, entry.policy, entry.tier) for entry in caplog.records] == [
        ("thresholds_of_another_calibration", "auto", "cheap")
    ]


def test_without_judges_nobody_looks(tmp_path, monkeypatch):
    monkeypatch.setattr("undertow.bootstrap.judging.read_states", lambda _: pytest.fail("it was read"))
    file = tmp_path / "thresholds.json"
    file.write_text("{")
    ThresholdFile(file, {}).refresh(0.0)
