"""Lines by date: none lost, the bad ones kept apart, files bounded."""

from pathlib import Path

import msgspec
import pytest

from undertow.adapters.store import date_pieces
from undertow.adapters.store.date_pieces import split_by_date
from unit.adapters.store.rows import decision_id, record


def segment(folder: Path, *lines: bytes) -> Path:
    path = folder / "segment.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


def line(number: int, event_time: str) -> bytes:
    return msgspec.json.encode(record(number, event_time=event_time))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def test_dates_are_utc(tmp_path: Path, spool: Path):
    path = segment(
        tmp_path,
        line(1, "2026-03-01T23:30:00.000Z"),
        line(2, "2026-03-01T23:30:00.000-01:00"),
        line(3, "2026-03-02T00:30:00.000+01:00"),
    )
    pieces, rejected = split_by_date("decisions", path, spool, tmp_path / "rejects")
    assert [(piece.date, piece.rows) for piece in pieces] == [("2026-03-01", 2), ("2026-03-02", 1)]
    assert rejected == 0
    assert not (tmp_path / "rejects").exists()
    kept = pieces[0].path.read_bytes()
    assert (pieces[0].bytes, pieces[0].longest_bytes) == (len(kept), max(map(len, kept.splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("bad", "rows"),
    [
        (b"{}", 0),
        (b'{"decision_id":"a","event_time":"9999-12-31T23:59:59-12:00"}', 0),
        (b'{"decision_id":"a","event_time":"1789-07-14T12:00:00Z"}', 0),
        (b'{"decision_id":"a","event_time":"2026-03-01T12:00:00Z","later":"\xff"}', 0),
        (b'{"decision_id":"a","event_time":"2026-03-01T12:00:00Z","cost_usd":[]}', 1),
    ],
)
def test_bad_lines_are_kept_whole(tmp_path: Path, spool: Path, bad: bytes, rows: int):
    pieces, rejected = split_by_date("decisions", segment(tmp_path, bad), spool, tmp_path / "state" / "rejects")
    assert (sum(piece.rows for piece in pieces), rejected) == (rows, 1)
    assert (tmp_path / "state" / "rejects").read_bytes() == bad + b"\n"


def test_a_line_that_no_engine_takes_is_kept_whole(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(date_pieces, "LONGEST_LINE", 100)
    assert split_by_date(
        "decisions", segment(tmp_path, line(1, "2026-03-01T12:00:00Z")), spool, tmp_path / "rejects"
    ) == ([], 1)
    assert decision_id(1).encode() in (tmp_path / "rejects").read_bytes()


def test_many_dates_need_few_open_files(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(date_pieces, "MOST_OPEN_DATES", 2)
    lines = [line(number, f"2026-03-{1 + number % 5:02d}T12:00:00.000Z") for number in range(50)]
    pieces, _ = split_by_date("decisions", segment(tmp_path, *lines), spool, tmp_path / "rejects")
    assert [piece.rows for piece in pieces] == [10] * 5
    assert [len(piece.path.read_bytes().splitlines()) for piece in pieces] == [10] * 5


def test_short_lines_stay_together_and_long_ones_are_cut(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(date_pieces, "PIECE_BYTES", 1_000)
    path = segment(tmp_path, *(line(number, "2026-03-01T12:00:00.000Z") for number in range(20)))
    for long_lines in (8_000, 50):
        monkeypatch.setattr(date_pieces, "LONG_LINES", long_lines)
        for old in spool.iterdir():
            old.unlink()
        pieces, _ = split_by_date("decisions", path, spool, tmp_path / "rejects")
        assert sum(piece.rows for piece in pieces) == 20
        assert (len(pieces) > 1) == (long_lines == 50)
        assert [piece.number for piece in pieces] == list(range(1, len(pieces) + 1))
