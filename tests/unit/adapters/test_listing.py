"""Files are listed while others come and go; a folder that cannot be read is no empty one."""

import os
import threading

import pytest

from undertow.adapters.listing import files_below


def test_files_at_any_depth_are_found(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    wanted = {tmp_path / "x.jsonl", tmp_path / "a" / "y.jsonl", tmp_path / "a" / "b" / "z.parquet"}
    for path in wanted:
        path.touch()
    assert set(files_below(tmp_path)) == wanted
    assert list(files_below(tmp_path / "nowhere")) == []


def test_folders_that_vanish_meanwhile_are_left_out(tmp_path):
    (tmp_path / "kept.jsonl").touch()
    stop = threading.Event()

    def come_and_go():
        while not stop.is_set():
            for number in range(20):
                (tmp_path / f"work{number}" / "deeper").mkdir(parents=True)
            for number in range(20):
                (tmp_path / f"work{number}" / "deeper").rmdir()
                (tmp_path / f"work{number}").rmdir()

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(300):
            assert list(files_below(tmp_path)) == [tmp_path / "kept.jsonl"]
    finally:
        stop.set()
        other.join()


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        list(files_below(tmp_path))
