"""The trail's lines, in two copies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.guard.trail import append_trail, merged, read_trail
from undertow.records.guard import TrailEntry


def entry(name, at=None):
    return TrailEntry(id=str(name), at=str(at or name), who="guard", kind="hold")


def ids(entries):
    return [one.id for one in entries]


def test_what_is_appended_is_read_again(tmp_path):
    path = tmp_path / "t.jsonl"
    append_trail(path, read_trail(path), [entry(1), entry(2)])
    append_trail(path, read_trail(path), [])
    append_trail(path, read_trail(path), [entry(3)])
    assert ids(read_trail(path).entries) == ["1", "2", "3"]


@pytest.mark.parametrize("left", [b'{"id":"9"', b"\0" * 40, b"[" * 50_000])
def test_what_a_dying_process_left_is_no_entry_and_is_replaced(tmp_path, left):
    path = tmp_path / "t.jsonl"
    append_trail(path, read_trail(path), [entry(1)])
    path.write_bytes(path.read_bytes() + left)
    found = read_trail(path)
    assert (ids(found.entries), found.problem) == (["1"], None)
    append_trail(path, found, [entry(2)])
    again = read_trail(path)
    assert (ids(again.entries), again.problem) == (["1", "2"], None)


@pytest.mark.parametrize(
    "line", [b"garbage\n", b"\xff\xfe\n", b'{"id":"9","at":"9","who":"guard","kind":"of a later version"}\n']
)
def test_a_whole_line_that_is_no_entry_is_said_and_kept(tmp_path, line):
    path = tmp_path / "t.jsonl"
    append_trail(path, read_trail(path), [entry(1)])
    path.write_bytes(path.read_bytes() + line)
    found = read_trail(path)
    assert ids(found.entries) == ["1"]
    assert "line 2: no entry" in found.problem
    append_trail(path, found, [entry(2)])
    assert ids(read_trail(path).entries) == ["1", "2"]
    assert line in path.read_bytes()


def test_others_on_the_machine_cannot_read_it(tmp_path):
    append_trail(tmp_path / "t.jsonl", read_trail(tmp_path / "t.jsonl"), [entry(1)])
    assert (tmp_path / "t.jsonl").stat().st_mode & 0o007 == 0


def test_a_broken_line_before_the_last_is_said_and_the_rest_is_read(tmp_path):
    path = tmp_path / "t.jsonl"
    append_trail(path, read_trail(path), [entry(1)])
    path.write_bytes(b"garbage\n" + path.read_bytes())
    found = read_trail(path)
    assert ids(found.entries) == ["1"]
    assert "line 1: no entry" in found.problem


def test_nothing_is_added_to_a_trail_that_cannot_be_read(tmp_path):
    path = tmp_path / "t.jsonl"
    path.mkdir()
    found = read_trail(path)
    assert found.problem
    with pytest.raises(OSError, match="cannot be read"):
        append_trail(path, found, [entry(1)])


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["both", "left", "right"])), max_size=12))
def test_copies_of_one_trail_with_gaps_are_put_together_in_its_order(rows):
    whole = [entry(number, at=f"{number:03d}") for number, _ in enumerate(rows)]
    left = [one for one, (_, where) in zip(whole, rows, strict=True) if where != "right"]
    right = [one for one, (_, where) in zip(whole, rows, strict=True) if where != "left"]
    assert merged([left, right]) == merged([right, left]) == tuple(whole)


def test_a_clock_that_was_set_back_changes_no_copy_s_own_order():
    one, two, three = entry(1, at="5"), entry(2, at="9"), entry(3, at="2")
    assert ids(merged([(one, two, three), (one, three)])) == ["1", "2", "3"]
    assert ids(merged([(one, one), (one,)])) == ["1"]
