"""The guard's book in two copies: no harm to one of them, and no death in the middle, loses or repeats anything."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.check_guard_book import controls, entry, memory
from undertow.adapters.guard.book import PENDING, StoreGuardBook
from undertow.adapters.guard.controls import guard_folder
from undertow.errors import ConfigError
from undertow.records.guard import CONTROLS, GUARD_MEMORY, TRAIL

TESTS = Path(__file__).resolve().parents[3]
DYING = """
import os, sys
from pathlib import Path
from conformance.check_guard_book import controls, entry, memory
from undertow.adapters.guard.book import StoreGuardBook

left = int(sys.argv[2])

def counted(real):
    def call(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), 9)
        left -= 1
        return real(*arguments, **options)
    return call

os.fsync, os.unlink, os.replace = counted(os.fsync), counted(os.unlink), counted(os.replace)
os.fchmod, os.chmod = counted(os.fchmod), counted(os.chmod)
book = StoreGuardBook(Path(sys.argv[1]))
with book.locked() as is_mine:
    assert is_mine
    book.write(controls(2, policies={}), memory("2026-03-02"), [entry("b1"), entry("b2")])
print("done")
"""


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def copies(store):
    return store / "state", guard_folder(store)


def written(store, version=1, name="a1"):
    with StoreGuardBook(store).locked() as is_mine:
        assert is_mine
        StoreGuardBook(store).write(controls(version), memory(), [entry(name)])


def state(store):
    book = StoreGuardBook(store)
    return book.controls(), book.memory(), [one.id for one in book.trail()]


def test_a_death_at_any_step_of_a_change_leaves_all_of_it_or_nothing(tmp_path):
    """The process is killed before each call that makes something last; whoever comes next finds the change whole or not begun."""
    outcomes = []
    for step in range(60):
        store = tmp_path / f"store{step}"
        written(store)
        before = state(store)
        done = subprocess.run(
            [sys.executable, "-c", DYING, str(store), str(step)],
            env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = [one.id for one in StoreGuardBook(store).trail()]
        in_force = StoreGuardBook(store).controls().version
        assert in_force == 1 or said == ["a1", "b1", "b2"], "what is in force was always said"
        with StoreGuardBook(store).locked() as is_mine:
            assert is_mine, "a dead process holds no lock"
        after = state(store)
        assert after in (before, (controls(2, policies={}), memory("2026-03-02"), ["a1", "b1", "b2"]))
        for folder in copies(store):
            assert not (folder / PENDING).exists()
        first, second = copies(store)
        for name in (CONTROLS, TRAIL, GUARD_MEMORY):
            assert (first / Path(name).name).read_bytes() == (second / Path(name).name).read_bytes()
        outcomes.append(after != before)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
    else:
        raise AssertionError("it never came to its end")
    assert step > 12, "deaths between the writes were tried"
    assert outcomes == sorted(outcomes), "from one step on the change is made"
    assert set(outcomes) == {False, True}


@pytest.mark.parametrize("lost", [0, 1])
def test_a_copy_that_is_lost_undoes_nothing_and_is_made_again(store, lost):
    written(store)
    before = state(store)
    shutil.rmtree(copies(store)[lost])
    assert state(store) == before
    with StoreGuardBook(store).locked():
        StoreGuardBook(store).write(None, memory(), [entry("a2")])
    shutil.rmtree(copies(store)[1 - lost])
    assert state(store) == (controls(1), memory(), ["a1", "a2"])


def test_both_lost_is_a_fresh_start(store):
    written(store, version=7)
    for folder in copies(store):
        shutil.rmtree(folder)
    assert state(store) == (None, None, [])
    written(store, version=1, name="b1")
    assert state(store) == (controls(1), memory(), ["b1"])


@pytest.mark.parametrize("readonly", [0, 1])
def test_a_copy_that_cannot_be_written_is_logged_and_caught_up_with_later(store, readonly, caplog):
    """A file in the folder's place: as unwritable as a read-only file system, for any user."""
    written(store)
    folder = copies(store)[readonly]
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.write_text("")
    with caplog.at_level(logging.WARNING, "undertow.guard"):
        written(store, version=2, name="a2")
    assert "guard_copy_unwritable" in {record.message for record in caplog.records}
    assert state(store) == (controls(2), memory(), ["a1", "a2"])
    folder.unlink()
    kept.rename(folder)
    assert state(store) == (controls(2), memory(), ["a1", "a2"]), "the older copy does not hold"
    with StoreGuardBook(store).locked():
        StoreGuardBook(store).write(None, memory(), [])
    shutil.rmtree(copies(store)[1 - readonly])
    assert state(store) == (controls(2), memory(), ["a1", "a2"])


def test_neither_copy_that_can_be_written_is_an_error(store):
    for folder in copies(store):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("")
    with pytest.raises(OSError, match=r".+"), StoreGuardBook(store).locked():
        pass
    with pytest.raises(OSError, match=r".+"):
        StoreGuardBook(store).write(controls(1), memory(), [])


@pytest.mark.parametrize("name", [CONTROLS, GUARD_MEMORY, TRAIL])
@pytest.mark.parametrize("content", [b"garbage\n{}\n", b"[" * 100_000 + b"\n{}\n"])
def test_a_broken_copy_is_made_up_for_by_the_other_and_two_are_an_error(store, name, content, caplog):
    written(store)
    before = state(store)
    one, other = (folder / Path(name).name for folder in copies(store))
    one.write_bytes(content + (one.read_bytes() if name == TRAIL else b""))
    with caplog.at_level(logging.WARNING, "undertow.guard"):
        assert state(store) == before
    assert "guard_copy_unreadable" in {record.message for record in caplog.records}
    other.write_bytes(content + (other.read_bytes() if name == TRAIL else b""))
    with pytest.raises(ConfigError, match="move"):
        state(store)


def test_a_change_that_was_cut_while_it_was_noted_never_began(store, caplog):
    written(store)
    (copies(store)[0] / PENDING).write_bytes(b'{"controls":')
    before = state(store)
    written(store, version=2, name="a2")
    assert state(store) == (controls(2), before[1], ["a1", "a2"])
    assert not (copies(store)[0] / PENDING).exists()


def test_a_lock_that_one_copy_alone_holds_is_a_lock(store):
    with StoreGuardBook(store).locked() as is_mine:
        shutil.rmtree(store)
        with StoreGuardBook(store).locked() as other:
            assert (is_mine, other) == (True, False)
