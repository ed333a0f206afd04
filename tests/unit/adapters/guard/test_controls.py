"""Two copies of the controls."""

import os

import pytest

from undertow.adapters.guard.controls import (
    controls_files,
    controls_problem,
    find_controls,
    guard_folder,
    read_controls,
    write_controls,
)
from undertow.records.guard import Controls, PolicyControls, Restriction

AT = "2026-03-01T00:00:00.000Z"


def controls(version=1, at=AT, **restriction):
    given = {"source": "a1", **restriction}
    return Controls(version=version, at=at, policies={"auto": PolicyControls(restrictions=(Restriction(**given),))})


def place(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Controls):
        write_controls(path, content)
    else:
        path.write_bytes(content)


def test_the_copy_is_beside_the_store_whatever_its_name_is_written_like(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert guard_folder("store") == guard_folder(f"{tmp_path}/store/") == guard_folder("./x/../store")
    assert guard_folder("store") == tmp_path / "store.guard"
    assert str(guard_folder("/")) == "/.guard"


@pytest.mark.parametrize("newer", [0, 1])
def test_of_two_copies_the_higher_version_holds(tmp_path, newer):
    files = controls_files(tmp_path / "store")
    place(files[newer], controls(5))
    place(files[1 - newer], controls(4))
    assert find_controls(tmp_path / "store").controls.version == 5
    files[newer].unlink()
    assert find_controls(tmp_path / "store").controls.version == 4
    place(files[newer], b"{")
    found = find_controls(tmp_path / "store")
    assert found.controls.version == 4
    assert list(found.problems) == [str(files[newer])]
    assert not found.are_unreadable


def test_nothing_there_is_no_problem_and_only_broken_copies_are_one(tmp_path):
    assert not find_controls(tmp_path / "store").are_unreadable
    for path in controls_files(tmp_path / "store"):
        place(path, b"\x00\xff")
        assert find_controls(tmp_path / "store").are_unreadable


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"version": 1}',
        b'{"version": 0, "at": "t"}',
        b'{"version": 9223372036854775808, "at": "t"}',
        b'{"version": 1' + b"0" * 4000 + b', "at": "t"}',
        b'{"schema": "undertow.controls/9", "version": 1, "at": "t"}',
        b'{"version":1,"at":"t","policies":{"auto":{"restrictions":[{"exposure":2,"source":"a"}]}}}',
        b'{"version":1,"at":"t","policies":{"auto":{"restrictions":[{"exposure":1e999,"source":"a"}]}}}',
        b'{"version":1,"at":"t","policies":{"auto":{"restrictions":[{"raised_by":-0.1,"source":"a"}]}}}',
        b'{"version":1,"at":"t","policies":{"auto":{"restrictions":[{"segment":"intent","source":"a"}]}}}',
        b'{"version":1,"at":"t","policies":{"auto":{"restrictions":[{"reason":"because","source":"a"}]}}}',
    ],
)
def test_what_cannot_be_applied_is_said(tmp_path, content):
    place(tmp_path / "c.json", content)
    found, problem = read_controls(tmp_path / "c.json")
    assert found is None
    assert problem
    assert len(problem) < 300


def test_what_is_written_is_read_again(tmp_path):
    given = controls(3, segment="intent=billing", exposure=0.0)
    write_controls(tmp_path / "c.json", given)
    assert read_controls(tmp_path / "c.json") == (given, None)
    assert controls_problem(given) is None


def test_a_pipe_in_place_of_a_copy_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "c.json")
    assert read_controls(tmp_path / "c.json")[1] is not None
