"""Files are listed while others come and go; a folder that cannot be read is no empty one."""

import os
import threading

import pytest

from undertow.adapters.listing import files_below, files_matching


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


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("**/*.csv", {"a.csv", "2026/b.csv", "2026/03/c.csv"}),
        ("2026/**/*.csv", {"2026/b.csv", "2026/03/c.csv"}),
        ("**/03/**/*.csv", {"2026/03/c.csv"}),
        ("**/**/c.*", {"2026/03/c.csv"}),
        ("2026/**", {"2026/b.csv", "2026/03/c.csv"}),
        ("*/*.csv", {"2026/b.csv"}),
        ("**/.hidden/*.csv", {".hidden/d.csv"}),
        ("**/?/*.csv", set()),
    ],
)
def test_a_pattern_stands_for_files_as_in_a_shell(tmp_path, pattern, wanted):
    for name in ("a.csv", "2026/b.csv", "2026/03/c.csv", ".hidden/d.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_matching(tmp_path / pattern)]
    assert (set(found), len(found)) == (wanted, len(wanted))


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a.csv").touch()
    # One such link stands for forty paths to each file, two for more than a computer can list.
    (tmp_path / "back").symlink_to(tmp_path)
    assert list(files_matching(tmp_path / "**" / "*.csv")) == [tmp_path / "a.csv"]
