"""Artefacts that cannot be applied are refused; a file of thresholds that cannot be used says why."""

import json
import math
import subprocess
import sys

import pytest

from sound_calibrations import calibration, changed, group, prefix
from undertow.adapters.calibrations import MAX_BYTES, read_calibration, read_states, write_calibration, write_states
from undertow.errors import ConfigError
from undertow.records.calibration import ConfidenceMap, GroupState, PolicyState, ThresholdStates
from undertow.records.sealed import seal

FULL = calibration(
    group_key="intent",
    groups=(group(), group("faq", None, map=ConfidenceMap(method="isotonic", xs=(-1.0, 0.0), ys=(0.1, 0.9)))),
    prefix=prefix(groups=(group(), group("faq", None))),
    notes=("größer",),
)


def test_what_is_written_is_read_with_its_hash(tmp_path):
    path = tmp_path / "calibration.json"
    sha256 = write_calibration(FULL, path)
    assert read_calibration(path) == (FULL, sha256)
    assert json.loads(path.read_text())["sha256"] == sha256


def test_an_edited_file_is_refused(tmp_path):
    path = tmp_path / "c.json"
    write_calibration(FULL, path)
    path.write_text(path.read_text().replace('"threshold": 0.7', '"threshold": 0.1'))
    with pytest.raises(ConfigError, match=r"c\.json: .*cut or edited; run `undertow calibrate` again"):
        read_calibration(path)


@pytest.mark.parametrize(
    "changes",
    [{"margin": math.nan}, {"groups": (group(threshold=2.0),)}, {"groups": ()}, {"features": ()}],
)
def test_a_broken_one_is_refused_though_its_hash_is_right_and_is_never_written(tmp_path, changes):
    broken = calibration(**changes)
    path = tmp_path / "c.json"
    with pytest.raises(ConfigError, match="not written"):
        write_calibration(broken, path)
    assert not path.exists()
    path.write_bytes(seal(broken))
    with pytest.raises(ConfigError, match=r"c\.json: .*run `undertow calibrate` again") as refused:
        read_calibration(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04pickle", b"[]", b'{"schema": "undertow.classifier/1"}', b"[" * 99_999]
)
def test_what_is_no_calibration_is_refused(tmp_path, content):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(ConfigError, match="undertow calibrate"):
        read_calibration(tmp_path / "c.json")


def test_a_missing_or_huge_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_calibration(tmp_path / "none.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigError, match="larger than anything"):
        read_calibration(tmp_path / "huge.json")
    assert read_states(tmp_path / "huge.json") == (None, "larger than 10,000,000 bytes")


STATES = ThresholdStates(
    at="2026-01-01T00:00:00Z",
    policies={
        "auto": {
            "cheap": PolicyState(
                calibration_version="ab" * 32,
                version=3,
                groups=(GroupState(threshold=0.9, why="loss .05"), GroupState(value="faq", is_void=True)),
            )
        }
    },
)


def test_thresholds_are_written_into_a_folder_that_may_be_missing_and_read(tmp_path):
    path = tmp_path / "state" / "thresholds.json"
    assert read_states(path) == (None, None)
    write_states(path, STATES)
    assert read_states(path) == (STATES, None)
    assert [file.name for file in path.parent.iterdir()] == ["thresholds.json"]


def of(**changes):
    state = changed(STATES.policies["auto"]["cheap"], **changes)
    return changed(STATES, policies={"auto": {"cheap": state}})


@pytest.mark.parametrize(
    ("states", "why"),
    [
        (changed(STATES, schema="undertow.thresholds/9"), "undertow.thresholds/9"),
        (of(version=-1), "version -1"),
        (of(groups=(GroupState(threshold=1.5),)), "threshold 1.5 is not in"),
        (of(groups=(GroupState(), GroupState())), "a group stands twice"),
    ],
)
def test_thresholds_that_cannot_hold_are_neither_written_nor_read(tmp_path, states, why):
    import msgspec

    path = tmp_path / "thresholds.json"
    with pytest.raises(ConfigError, match="not written"):
        write_states(path, states)
    path.write_bytes(msgspec.json.encode(states))
    found, reason = read_states(path)
    assert found is None
    assert why in reason


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ConfigError, match="not written"):
        write_states(tmp_path / "t.json", of(groups=(GroupState(threshold=math.nan),)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"at": 3}', b"\xff", b"[" * 99_999])
def test_what_is_no_file_of_thresholds_says_so(tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    found, reason = read_states(tmp_path / "t.json")
    assert found is None
    assert "no file of thresholds" in reason
    assert "\n" not in reason


def test_a_folder_in_its_place_says_so(tmp_path):
    found, reason = read_states(tmp_path)
    assert found is None
    assert "cannot be read" in reason


def test_a_worker_that_loads_a_calibration_loads_nothing_heavy(tmp_path):
    write_calibration(FULL, tmp_path / "c.json")
    code = f"""
import sys
from undertow.adapters.calibrations import read_calibration
from undertow.policies.build import build_judges, build_policy
from undertow.records.serving import PolicyPlan
plan = PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable"))
build_policy(plan, build_judges(plan, [read_calibration({str(tmp_path / "c.json")!r})]))
print({{"numpy", "sklearn", "scipy", "duckdb", "pydantic"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
