"""Where controllers stand, by place and artefact."""

import msgspec

from undertow.records.tuning import ControllerState, GroupMemory, TuningEntry, TuningMemory

STATE = ControllerState(log_odds=1.0, floor=0.5)


def test_a_controller_is_found_by_its_place_and_by_its_very_artefact():
    one = GroupMemory(policy="auto", tier="cheap", group=None, calibration_version="c", controller=STATE)
    memory = TuningMemory(at="t", groups=(one,))
    assert memory.controller("auto", "cheap", None, "c") == STATE
    for place in (("other", "cheap", None, "c"), ("auto", "cheap", "a", "c"), ("auto", "cheap", None, "d")):
        assert memory.controller(*place) is None


def test_a_line_of_the_history_leaves_out_what_is_not_said_but_never_a_threshold():
    entry = TuningEntry(version=1, at="t", who="ann", policy="auto", tier="cheap", calibration_version="c", before=0.8, after=None, why="w")  # fmt: skip
    line = msgspec.json.decode(msgspec.json.encode(entry))
    assert line["after"] is None
    assert "group" not in line
    assert "restores" not in line
