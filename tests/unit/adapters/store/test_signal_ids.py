"""The set of known signal ids: shared, forgetful after 90 days, and expendable."""

import os
from pathlib import Path

import pytest

from undertow.adapters.store import signal_ids
from undertow.adapters.store.signal_ids import KEPT_S, SignalIds
from unit.adapters.store.rows import Clock


def add(ids: SignalIds, *keys: str) -> None:
    with ids.exclusively() as held:
        held.add(keys)


def known(ids: SignalIds, *keys: str) -> set[str]:
    with ids.exclusively() as held:
        return held.known(keys)


def test_two_processes_share_one_set(tmp_path: Path):
    one, other = (SignalIds(tmp_path / "state" / "ids", Clock()) for _ in range(2))
    add(one, "a", "b")
    assert known(other, "a", "c") == {"a"}
    one.close()
    other.close()


def test_an_error_inside_takes_back_what_was_added(tmp_path: Path):
    ids = SignalIds(tmp_path / "ids", Clock())

    def add_and_fail() -> None:
        with ids.exclusively() as held:
            held.add(("a",))
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        add_and_fail()
    assert known(ids, "a") == set()
    ids.close()


def test_old_ids_are_forgotten(tmp_path: Path):
    clock = Clock()
    ids = SignalIds(tmp_path / "ids", clock)
    add(ids, "old")
    clock.now += KEPT_S - 60
    add(ids, "young")
    assert known(ids, "old") == {"old"}
    clock.now += 120
    add(ids)
    assert known(ids, "old", "young") == {"young"}
    ids.close()


def test_a_set_held_by_another_for_too_long_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signal_ids, "BUSY_S", 0.01)
    one, other = (SignalIds(tmp_path / "ids", Clock()) for _ in range(2))
    with one.exclusively() as held:
        held.add(("a",))
        with pytest.raises(OSError, match="locked"):
            add(other, "b")
    assert known(other, "a") == {"a"}
    one.close()
    other.close()


def test_a_damaged_set_is_put_aside(tmp_path: Path):
    (tmp_path / "ids").write_bytes(b"this is no database, and it is long enough to look at" * 100)
    ids = SignalIds(tmp_path / "ids", Clock())
    with pytest.raises(OSError, match="not a database"):
        add(ids, "a")
    add(ids, "a")
    assert known(ids, "a") == {"a"}
    assert len(list(tmp_path.glob("ids.damaged-*"))) == 1
    ids.close()


def test_ids_are_not_for_everybody_on_the_machine(tmp_path: Path):
    before = os.umask(0o022)
    try:
        ids = SignalIds(tmp_path / "ids", Clock())
        add(ids, "TICKET-7")
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o640}
    finally:
        os.umask(before)
    ids.close()
