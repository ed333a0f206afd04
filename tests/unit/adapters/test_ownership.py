"""What root makes in somebody's folder is left to that somebody; what was there before is left alone."""

import os

import pytest

from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.guard.book import StoreGuardBook
from undertow.adapters.ownership import leave_to_owner, make_folders, open_or_make
from undertow.records.alert import Delivered, Told
from undertow.records.guard import Controls, GuardMemory, TrailEntry

SOMEBODY = 4321


@pytest.fixture
def left(monkeypatch):
    """Files that were given away, as root does; by inode."""
    found = {}

    def give(fd, user, group):
        found[os.fstat(fd).st_ino] = (user, group)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", give)
    return found


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store that is somebody's; what is in it is told to be so, too."""
    path = tmp_path / "store"
    path.mkdir()
    real = os.stat

    def told(target, *args, **options):
        said = real(target, *args, **options)
        if isinstance(target, int) or not str(target).startswith(str(path)):
            return said
        return os.stat_result((*said[:4], SOMEBODY, SOMEBODY, *said[6:]))

    monkeypatch.setattr(os, "stat", told)
    return path


def test_the_files_of_alerts_are_left_to_the_stores_owner(store, left):
    book = StoreAlertBook(store)
    with book.changing():
        book.write(told=Told())
        book.note(Delivered(at="t", message="m", kind="test", title="x", outcome="delivered"))
    made = list((store / "state").rglob("*"))
    assert len(made) >= len(("alerts", "alerts.lock", "told.json", "delivered.jsonl"))
    assert {left.get(path.lstat().st_ino) for path in (store / "state", *made)} == {(SOMEBODY, SOMEBODY)}


def test_the_files_of_the_guard_are_left_to_the_stores_owner_in_both_copies(store, left):
    book = StoreGuardBook(store)
    with book.locked():
        book.write(Controls(version=1, at="t"), GuardMemory(at="t"), [TrailEntry(id="1", at="t", who="w", kind="hold")])
    beside = store.with_name("store.guard")
    for folder in (store / "state", beside):
        made = [folder, *folder.rglob("*")]
        assert len(made) >= len(("folder", "lock", "trail", "memory", "controls"))
        assert {left.get(path.lstat().st_ino) for path in made} == {(SOMEBODY, SOMEBODY)}


def test_a_file_that_was_there_is_not_given_away(store, left):
    (store / "secret").write_text("of root")
    (store / "lock").symlink_to(store / "secret")
    os.close(open_or_make(store / "lock", os.O_RDWR, 0o640))
    assert left == {}


def test_folders_are_made_as_far_as_they_are_missing(store, left):
    make_folders(store / "a" / "b")
    make_folders(store / "a" / "b")
    assert left.keys() == {(store / "a").lstat().st_ino, (store / "a" / "b").lstat().st_ino}
    (store / "file").touch()
    with pytest.raises(FileExistsError):
        make_folders(store / "file")


def test_others_than_root_and_the_folders_of_root_are_as_ever(tmp_path, store, left, monkeypatch):
    with (store / "new").open("w") as file:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        leave_to_owner(file.fileno(), store)
        assert left == {}
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(os, "stat", lambda *_, **__: os.stat_result((0,) * 10))
        leave_to_owner(file.fileno(), tmp_path)
        assert left == {}


def test_where_root_may_not_the_file_stays(store, monkeypatch):
    def refuses(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", refuses)
    make_folders(store / "a")
    assert (store / "a").is_dir()
