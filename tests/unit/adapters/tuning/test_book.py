"""Thresholds, history and controllers in the folder of a store."""

import pytest

from undertow.adapters.tuning.book import StoreBook
from undertow.errors import ConfigError
from undertow.records.calibration import GroupState, PolicyState, ThresholdStates
from undertow.records.runtime_files import THRESHOLDS
from undertow.records.tuning import HISTORY, MEMORY, ControllerState, GroupMemory, TuningEntry, TuningMemory

STATE = PolicyState(calibration_version="c", version=1, groups=(GroupState(threshold=0.9),))
STATES = ThresholdStates(at="2026-03-01T00:00:00.000Z", policies={"auto": {"cheap": STATE}})
CONTROLLER = ControllerState(log_odds=1.5, floor=1.0, wealth=(0.5, -0.1), ages=(3, 4), seen_until="t")
MEMORY_OF_ONE = TuningMemory(
    at="t",
    groups=(GroupMemory(policy="auto", tier="cheap", group="a", calibration_version="c", controller=CONTROLLER),),
)


def entry(version):
    return TuningEntry(version=version, at="t", who="ann", policy="auto", tier="cheap", calibration_version="c", before=0.8, after=None, why="w")  # fmt: skip


def test_what_is_written_is_read_again_and_the_history_grows(tmp_path):
    book = StoreBook(tmp_path)
    assert (book.states(), book.memory(), book.history()) == (None, None, ())
    book.write(STATES, MEMORY_OF_ONE, [entry(1)])
    book.write(None, MEMORY_OF_ONE, [entry(2), entry(3)])
    again = StoreBook(tmp_path)
    assert again.states() == STATES
    assert again.memory() == MEMORY_OF_ONE
    assert [one.version for one in again.history()] == [1, 2, 3]
    assert again.history()[0] == entry(1)


def test_one_holds_the_lock_at_a_time(tmp_path):
    with StoreBook(tmp_path).locked() as first, StoreBook(tmp_path).locked() as second:
        assert (first, second) == (True, False)
    with StoreBook(tmp_path).locked() as later:
        assert later


def test_a_line_that_a_dying_process_cut_is_left_out_and_then_replaced(tmp_path):
    book = StoreBook(tmp_path)
    book.write(STATES, MEMORY_OF_ONE, [entry(1)])
    file = tmp_path / HISTORY
    file.write_bytes(file.read_bytes() + b'{"version":2,"at"')
    assert [one.version for one in book.history()] == [1]
    book.write(None, MEMORY_OF_ONE, [entry(3)])
    assert [one.version for one in book.history()] == [1, 3]


@pytest.mark.parametrize(
    ("name", "read", "content"),
    [
        (THRESHOLDS, "states", b"{"),
        (MEMORY, "memory", b'{"at": 1}'),
        (MEMORY, "memory", b'{"schema": "undertow.tuning/9", "at": "t"}'),
        (HISTORY, "history", b"garbage\n{}\n"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(tmp_path, name, read, content):
    (tmp_path / "state").mkdir()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name.rpartition("/")[2]):
        getattr(StoreBook(tmp_path), read)()
