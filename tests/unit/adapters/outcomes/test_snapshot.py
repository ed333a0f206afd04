"""A copy of a file as it was at one moment."""

import gzip
import os
import time

import pytest
import zstandard

from outcome_factory import drop
from undertow.adapters.outcomes.snapshot import SETTLED_S, fingerprint, snapshot
from undertow.errors import LogError
from undertow.ports.outcomes import StillWritten


def copy(path, tmp_path, **options):
    return snapshot(path, tmp_path / "copy", time.time, **options)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"a,b\n1,2\n", b"a,b\n1,2\n"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), b"a,b\n1,2\n"),
        (zstandard.compress(b"a,b\n1,2\n"), b"a,b\n1,2\n"),
        ("a,b\n\u00fc,2\n".encode("utf-16"), "a,b\n\u00fc,2\n".encode()),
        (b"\xfe\xff" + "a\tb\n".encode("utf-16-be"), b"a\tb\n"),
        (b"", b""),
    ],
)
def test_it_is_unpacked_and_utf_8(tmp_path, content, seen):
    found = copy(drop(tmp_path / "f.csv", content), tmp_path)
    assert (found.suffix, found.read_bytes()) == (".txt", seen)


def test_a_parquet_file_is_copied_as_it_is(tmp_path):
    found = copy(drop(tmp_path / "f", b"PAR1....PAR1"), tmp_path)
    assert (found.suffix, found.read_bytes()) == (".parquet", b"PAR1....PAR1")


def test_a_file_that_changed_a_moment_ago_is_left(tmp_path):
    with pytest.raises(StillWritten, match="may still be written"):
        copy(drop(tmp_path / "f.csv", "a,b\n", age_s=SETTLED_S - 1), tmp_path)
    copy(drop(tmp_path / "f.csv", "a,b\n", age_s=SETTLED_S + 1), tmp_path)


def test_a_file_from_the_future_is_read_for_a_clock_may_be_wrong(tmp_path):
    copy(drop(tmp_path / "f.csv", "a,b\n", age_s=-3600), tmp_path)


@pytest.mark.parametrize("content", [b"a,b\n1,", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-20]])
def test_a_file_that_ends_in_the_midst_of_a_row_is_left_until_its_writer_is_surely_gone(tmp_path, content):
    with pytest.raises(StillWritten):
        copy(drop(tmp_path / "f.csv", content, age_s=60), tmp_path)
    old = drop(tmp_path / "f.csv", content, age_s=3600)
    if content.startswith(b"a,b"):
        assert copy(old, tmp_path).read_bytes() == content
    else:
        with pytest.raises(LogError, match="damaged"):
            copy(old, tmp_path)


def test_a_file_that_changes_while_it_is_read_is_left(tmp_path):
    path = drop(tmp_path / "f.csv", "a,b\n")

    def writes() -> float:
        at = path.stat().st_mtime
        with path.open("a") as file:
            file.write("1,2\n")
        os.utime(path, (at, at + 1))
        return time.time()

    with path.open("rb"):
        real = os.fstat
        calls = []

        def looks(fd):
            found = real(fd)
            calls.append(fd)
            if len(calls) == 1:
                writes()
            return found

        os.fstat = looks
        try:
            with pytest.raises(StillWritten, match="changed while it was read"):
                copy(path, tmp_path)
        finally:
            os.fstat = real


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, zstandard.compress, lambda content: content, lambda content: content.decode().encode("utf-16")],
)
def test_nothing_unpacks_to_more_than_is_allowed(tmp_path, pack):
    path = drop(tmp_path / "f.csv.gz", pack(b"a" * 5_000_000))
    with pytest.raises(LogError, match="holds more than"):
        copy(path, tmp_path, max_bytes=3_000_000)
    assert (tmp_path / "copy.txt").stat().st_size <= 3_000_000


def test_a_pipe_a_folder_and_what_is_gone_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(LogError, match="no regular file"):
        copy(tmp_path / "pipe.csv", tmp_path)
    with pytest.raises(LogError, match="no regular file"):
        copy(tmp_path, tmp_path)
    with pytest.raises(LogError, match="cannot be read"):
        copy(tmp_path / "none.csv", tmp_path)


def test_the_fingerprint_changes_with_the_file(tmp_path):
    path = drop(tmp_path / "f.csv", "a")
    before = fingerprint(path)
    assert fingerprint(path) == before
    drop(tmp_path / "f.csv", "b", age_s=99)
    assert fingerprint(path) != before


def test_a_link_that_was_put_in_place_of_a_file_is_not_followed(tmp_path):
    drop(tmp_path / "secret.csv", b"a,b\n1,2\n")
    (tmp_path / "f.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(LogError, match=r"f\.csv: cannot be read"):
        copy(tmp_path / "f.csv", tmp_path)
