"""Bytes that are no clean lines: each kind is kept back, counted, and never read whole."""

import gzip
import random
import resource
from pathlib import Path

import pytest
import zstandard

from undertow.adapters.duckdb import line_sieve
from undertow.adapters.duckdb.line_sieve import SieveReport, spool_lines
from unit.adapters.duckdb.logs import decision, read, write_jsonl


def sieve(path: Path, spool_dir: Path) -> tuple[bytes, SieveReport]:
    report = SieveReport()
    content = b""
    for spool, first_line in spool_lines(str(path), spool_dir, report):
        assert first_line == content.count(b"\n")
        content += spool.read_bytes()
        spool.unlink()
    return content, report


def test_clean_lines_pass_unchanged_whatever_the_block_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    raw = b"".join(b"x" * rng.randrange(200) + "é".encode() + b"\n" for _ in range(500))
    path = tmp_path / "x"
    path.write_bytes(raw)
    for block, spool in ((1, 50), (7, 10**6), (64, 1), (10**6, 10**6)):
        monkeypatch.setattr(line_sieve, "BLOCK", block)
        monkeypatch.setattr(line_sieve, "SPOOL_LIMIT", spool)
        assert sieve(path, tmp_path)[0] == raw


def test_bad_lines_are_emptied_and_keep_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_sieve, "LINE_LIMIT", 100)
    monkeypatch.setattr(line_sieve, "BLOCK", 64)
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfone\n\xff\xfe\n" + b"y" * 5000 + b"\nfour\nwith\x01sep\n{torn")
    content, report = sieve(path, tmp_path)
    assert content == b"one\n\n\nfour\n\n"
    assert report.lines == [(2, "not_utf8"), (3, "line_too_long"), (5, "bad_json"), (6, "torn_line")]
    assert dict(report.reasons) == {"not_utf8": 1, "line_too_long": 1, "bad_json": 1, "torn_line": 1}


def test_a_last_line_without_newline_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b'{"a":1}\n{"a":2}')
    assert sieve(path, tmp_path)[0] == b'{"a":1}\n{"a":2}\n'


def test_a_very_long_line_costs_no_memory(tmp_path: Path) -> None:
    """300 MB without a newline; the process must not grow by anything like it (the limit is the same for a billion)."""
    path = tmp_path / "x.jsonl"
    good = write_jsonl(tmp_path / "good", [decision(1)]).read_bytes()
    with path.open("wb") as file:
        file.write(good + b'{"decision_id": "')
        for _ in range(300):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + good.replace(b'"d1"', b'"d2"'))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    coverage = read(path).coverage
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000
    assert (coverage.decisions, coverage.reasons) == (2, {"line_too_long": 1})


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_cut_stream_gives_what_came_before_the_cut(tmp_path: Path, ending: str) -> None:
    rng = random.Random(1)
    rows = [decision(i, latency_ms=rng.random()) for i in range(5000)]
    raw = write_jsonl(tmp_path / "x", rows).read_bytes()
    packed = gzip.compress(raw) if ending == "gz" else zstandard.compress(raw)
    path = tmp_path / f"log.jsonl.{ending}"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    coverage = read(path).coverage
    assert 100 < coverage.decisions < 5000
    assert coverage.reasons["truncated_file"] == 1
    assert any("cut" in note for note in coverage.notes)


def test_a_damaged_stream_gives_what_came_before(tmp_path: Path) -> None:
    rng = random.Random(2)
    raw = write_jsonl(tmp_path / "x", [decision(i, latency_ms=rng.random()) for i in range(5000)]).read_bytes()
    packed = bytearray(gzip.compress(raw))
    packed[len(packed) // 2 : len(packed) // 2 + 20] = b"\xff" * 20
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(bytes(packed))
    coverage = read(path).coverage
    assert 0 < coverage.decisions < 5000
    assert coverage.reasons.keys() & {"corrupt_compression", "truncated_file"}


def test_concatenated_members_are_one_file(tmp_path: Path) -> None:
    parts = [write_jsonl(tmp_path / "x", [decision(i)]).read_bytes() for i in range(3)]
    (tmp_path / "a.jsonl.gz").write_bytes(b"".join(map(gzip.compress, parts)))
    (tmp_path / "b.jsonl.zst").write_bytes(b"".join(map(zstandard.compress, parts)))
    assert read(tmp_path / "a.jsonl.gz").coverage.decisions == 3
    assert read(tmp_path / "b.jsonl.zst").coverage.decisions == 3


def test_bytes_added_while_reading_are_left_for_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_sieve, "BLOCK", 16)
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n' * 20)
    report = SieveReport()
    chunks = line_sieve._whole_lines(str(path), report)
    first = next(chunks)
    with path.open("ab") as file:
        file.write(b'{"a":2}\n{"half')
    rest = b"".join(chunks)
    assert first + rest == b'{"a":1}\n' * 20
    assert report.notes == [f"{path}: grew while it was read; what it held at the start was used"]


def test_an_open_segment_ends_in_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "decisions" / "now.jsonl.open"
    write_jsonl(path, [decision(1), decision(2)])
    path.write_bytes(path.read_bytes()[:-30])
    coverage = read(tmp_path).coverage
    assert (coverage.decisions, coverage.rejected, coverage.reasons) == (1, 1, {"torn_line": 1})
    assert any("still being written" in note for note in coverage.notes)


def test_a_live_segment_of_a_store_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "decisions" / "open" / "now.jsonl.open"
    write_jsonl(path, [decision(1), decision(2)])
    path.write_bytes(path.read_bytes()[:-1])
    coverage = read(tmp_path).coverage
    assert (coverage.decisions, coverage.rejected, coverage.reasons, coverage.notes) == (1, 0, {}, ())


def test_a_live_segment_that_is_sealed_meanwhile_is_read_under_its_new_name(tmp_path: Path) -> None:
    path = tmp_path / "now.jsonl.open"
    path.with_suffix("").write_bytes(b'{"a":1}\n{"torn')
    report = SieveReport()
    assert b"".join(line_sieve._whole_lines(str(path), report, is_live=True)) == b'{"a":1}\n'
    assert report == SieveReport()
    with pytest.raises(FileNotFoundError):
        list(line_sieve._whole_lines(str(path), report))
