"""Restrictions come into force, and stay."""

import logging

import pytest

from undertow.adapters.guard.controls import controls_files, write_controls
from undertow.bootstrap.controls import LOOK_AGAIN_S, ControlsFile
from undertow.records.guard import Controls, Pin, PolicyControls, Restriction
from undertow.records.serving import PolicyPlan

AUTO = PolicyPlan(name="auto", version="v2", kind="cascade", tiers=("cheap", "capable"))
OTHER = PolicyPlan(name="other", version="v1", kind="cascade", tiers=("cheap", "capable"))
CLOSED = Restriction(exposure=0.0, source="a1")


def controls(version, *restrictions, at="2026-03-01T00:00:00.000Z", pin=None):
    return Controls(version=version, at=at, policies={"auto": PolicyControls(restrictions=restrictions, pin=pin)})


def place(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Controls):
        write_controls(path, content)
    else:
        path.write_bytes(content)


@pytest.fixture
def files(tmp_path):
    return controls_files(tmp_path / "store")


def opened(tmp_path):
    return ControlsFile(tmp_path / "store", (AUTO, OTHER))


def is_exposed(held, policy="auto"):
    rules = held.restrictions.get(policy)
    return rules is None or rules.holds({}, 0.5).is_exposed


def test_restrictions_come_into_force_within_seconds_and_go_again(files, tmp_path):
    held = opened(tmp_path)
    assert held.refresh(0.0) is False
    place(files[0], controls(1, CLOSED))
    assert held.refresh(LOOK_AGAIN_S - 0.1) is False, "it is not looked at all the time"
    assert held.refresh(LOOK_AGAIN_S)
    assert (is_exposed(held), is_exposed(held, "other"), held.version) == (False, True, 1)
    assert held.refresh(2 * LOOK_AGAIN_S) is False
    place(files[0], controls(2))
    assert held.refresh(3 * LOOK_AGAIN_S)
    assert (held.restrictions, held.version) == ({}, 2)


def test_they_hold_from_the_start_and_from_the_second_copy_too(files, tmp_path):
    place(files[1], controls(7, CLOSED))
    held = opened(tmp_path)
    assert (is_exposed(held), held.version, held.are_unreadable) == (False, 7, False)


@pytest.mark.parametrize(
    "harm", [b"", b"{", b"[" * 100_000, None, controls(1)], ids=["empty", "cut", "deep", "gone", "old"]
)
def test_whatever_becomes_of_the_files_what_was_restricted_stays_so_and_it_is_said_once(files, tmp_path, caplog, harm):
    for path in files:
        place(path, controls(2, CLOSED))
    held = opened(tmp_path)
    for path in files:
        if harm is None:
            path.unlink()
        else:
            place(path, harm)
    with caplog.at_level(logging.WARNING, "undertow.gateway"):
        for turn in range(1, 4):
            held.refresh(turn * LOOK_AGAIN_S)
    assert not is_exposed(held)
    assert held.version == 2
    assert len(caplog.records) == (2 if isinstance(harm, bytes) else 0)
    place(files[1], controls(3))
    assert held.refresh(9 * LOOK_AGAIN_S)
    assert is_exposed(held)


def test_copies_that_none_can_read_at_the_start_leave_the_capable_tier_alone(files, tmp_path, caplog):
    place(files[0], b"{")
    with caplog.at_level(logging.WARNING, "undertow.gateway"):
        held = opened(tmp_path)
    assert held.are_unreadable
    assert {policy: rules.holds({}, 0.0).reason for policy, rules in held.restrictions.items()} == dict.fromkeys(
        ("auto", "other"), "controls_unreadable"
    )
    assert "controls_unreadable" in [record.message for record in caplog.records]
    files[0].unlink()
    held.refresh(LOOK_AGAIN_S)
    assert held.are_unreadable, "that it is gone tells nobody what stood in it"
    place(files[1], controls(4, Restriction(segment="intent=billing", exposure=0.0, source="a1")))
    assert held.refresh(2 * LOOK_AGAIN_S)
    assert (held.are_unreadable, is_exposed(held), is_exposed(held, "other")) == (False, True, True)


def test_a_guard_that_began_anew_is_believed_and_an_old_copy_that_comes_back_is_not(files, tmp_path):
    place(files[0], controls(7, CLOSED, at="2026-03-05T00:00:00.000Z"))
    held = opened(tmp_path)
    files[0].unlink()
    place(files[1], controls(6, at="2026-03-04T00:00:00.000Z"))
    assert held.refresh(LOOK_AGAIN_S) is False
    place(files[1], controls(1, at="2026-03-06T00:00:00.000Z"))
    assert held.refresh(2 * LOOK_AGAIN_S)
    assert held.version == 1


def test_a_version_that_was_rolled_back_is_not_served_cheaply_here(files, tmp_path):
    place(files[0], controls(1, pin=Pin(bad="v2", good="v1", source="a1")))
    assert not is_exposed(opened(tmp_path))
    place(files[0], controls(2, pin=Pin(bad="v9", good="v1", source="a1")))
    assert is_exposed(opened(tmp_path))


def test_a_folder_that_may_not_be_read_is_something_unreadable(files, tmp_path):
    files[1].parent.mkdir()
    files[1].mkdir()  # a directory in the file's place: as unreadable as can be, for any user
    assert opened(tmp_path).are_unreadable
