"""A file is written whole or not at all."""

import os

import pytest

from undertow.adapters.whole_file import read_whole, write_whole
from undertow.errors import ConfigError


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "f.json"
    write_whole(path, b"one")
    write_whole(str(path), b"two")
    assert read_whole(path, 3, "undertow make") == b"two"
    assert [file.name for file in tmp_path.iterdir()] == ["f.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_older_file_stays_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "f.json"
    path.write_text("old")

    def fails(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["f.json"]


def test_what_cannot_be_read_is_named_with_what_makes_it(tmp_path):
    with pytest.raises(ConfigError, match=r"none: cannot be read: No such file or directory; `undertow make` makes it"):
        read_whole(tmp_path / "none", 10, "undertow make")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_whole(tmp_path, 10_000_000, "undertow make")
    (tmp_path / "f").write_bytes(b"12345")
    with pytest.raises(ConfigError, match="larger than anything that `undertow make` writes"):
        read_whole(tmp_path / "f", 4, "undertow make")


def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "f.json")
    assert read_whole(tmp_path / "f.json", 10, "undertow make") == b""
