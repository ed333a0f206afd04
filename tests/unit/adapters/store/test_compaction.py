"""Conversion to Parquet: every line ends up in one file of its date, whatever is killed when."""

import os
from pathlib import Path

import duckdb
import pytest

from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.store import compaction, date_pieces
from undertow.adapters.store.compaction import Compacted, compact
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.records.columns import DRAW_COLUMNS, LOG_COLUMNS, SIGNAL_COLUMNS
from undertow.records.sampling import Drawn
from unit.adapters.store.rows import decision_id, intent, names, plan, record, signal


def parquet(root: Path, part: str = "decisions") -> list[tuple[object, ...]]:
    key = "decision_id" if part == "decisions" else "signal_id"
    files = str(root / part / "date=*" / "*.parquet")
    return duckdb.sql(f"SELECT * FROM read_parquet('{files}', hive_partitioning = false) ORDER BY {key}").fetchall()


def write(root: Path, *numbers: int, **values: object) -> Path:
    log = StoreDecisionLog(plan(root), "w0")
    for number in numbers:
        log.finish(record(number, **values))
    log.close()
    return max((root / "decisions" / "open").glob("*.jsonl"))


def test_rows_keep_their_values_and_types(tmp_path: Path):
    write(tmp_path, 1, 2, event_time="2026-03-01T23:59:59.999Z", delivered_chars=7)
    assert compact(tmp_path, grace_s=0.0) == Compacted(segments=1, rows=2, removed=1)
    (file,) = (tmp_path / "decisions" / "date=2026-03-01").iterdir()
    found = duckdb.sql(f"SELECT * FROM read_parquet('{file}', hive_partitioning = false)")
    assert found.columns == [column.name for column in LOG_COLUMNS]
    kinds = [str(kind) for kind in found.types]
    assert kinds == [column.sql_type for column in LOG_COLUMNS]
    row = dict(zip(found.columns, found.fetchall()[0], strict=True))
    assert row["decision_id"] == decision_id(1)
    assert str(row["event_time"]) == "2026-03-01 23:59:59.999000"
    assert (row["segment"], row["cost_usd"], row["delivered_chars"]) == ({"intent": "billing"}, 1e-7, 7)
    assert (row["calls"][0]["purpose"], row["calls"][0]["status"], row["calls"][0]["tier"]) == ("serve", "ok", "cheap")
    assert names(tmp_path, "decisions/open") == []


DRAWS = (Drawn("review", "tail+intent=billing", 0.25, True), Drawn("shadow", "tail", 0.02, False))


def draws(root: Path) -> list[tuple[object, ...]]:
    files = str(root / "draws" / "date=*" / "*.parquet")
    return duckdb.sql(
        f"SELECT * FROM read_parquet('{files}', hive_partitioning = false) ORDER BY decision_id, purpose"
    ).fetchall()


def test_what_was_drawn_stands_beside_the_decisions_chosen_or_not(tmp_path: Path):
    write(tmp_path, 1, event_time="2026-03-01T23:59:59.999Z", draws=DRAWS)
    write(tmp_path, 2, event_time="2026-03-02T00:00:00.000Z", draws=DRAWS[1:])
    assert compact(tmp_path).rows == 2
    days = sorted(path.relative_to(tmp_path).parent.as_posix() for path in tmp_path.glob("draws/*/*"))
    assert days == ["draws/date=2026-03-01", "draws/date=2026-03-02"]
    assert [(row[0], str(row[1]), *row[2:]) for row in draws(tmp_path)] == [
        (decision_id(1), "2026-03-01 23:59:59.999000", "review", "tail+intent=billing", 0.25, True),
        (decision_id(1), "2026-03-01 23:59:59.999000", "shadow", "tail", 0.02, False),
        (decision_id(2), "2026-03-02 00:00:00", "shadow", "tail", 0.02, False),
    ]
    found = duckdb.sql(
        f"DESCRIBE SELECT * FROM read_parquet('{tmp_path}/draws/*/*', hive_partitioning = false)"
    ).fetchall()
    assert [row[:2] for row in found] == [(column.name, column.sql_type) for column in DRAW_COLUMNS]
    assert {file.role for file in find_files(LogInputs((str(tmp_path),))).files} == {"decisions", "draws"}


def test_what_is_no_draw_is_in_no_file_of_draws(tmp_path: Path):
    segment = write(tmp_path, 1, draws=DRAWS)
    good = segment.read_bytes()
    for bad in (b'"chosen":null', b'"inclusion_probability":0.0', b'"inclusion_probability":7.5', b'"purpose":"fun"'):
        name = bad.partition(b":")[0]
        start = good.index(name, good.index(b'"draws"'))
        end = min(place for place in (good.find(b",", start), good.find(b"}", start)) if place > 0)
        with segment.open("ab") as file:
            file.write(good[:start] + bad + good[end:])
    compact(tmp_path)
    assert [row[2] for row in draws(tmp_path)].count("review") == 1
    assert len(parquet(tmp_path)) == 5


def test_a_store_without_draws_has_no_folder_of_them(tmp_path: Path):
    write(tmp_path, 1)
    assert compact(tmp_path).rows == 1
    assert not (tmp_path / "draws").exists()


def test_a_segment_over_midnight_becomes_two_files(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path), "w0")
    log.finish(record(1, event_time="2026-03-01T23:59:59.999Z"))
    log.finish(record(2, event_time="2026-03-02T00:00:00.000Z"))
    log.close()
    assert compact(tmp_path).rows == 2
    assert sorted(path.parent.name for path in tmp_path.glob("decisions/date=*/*.parquet")) == [
        "date=2026-03-01",
        "date=2026-03-02",
    ]


def test_signals_too(tmp_path: Path):
    log = StoreSignalLog(plan(tmp_path), "w0")
    log.add((signal(1, stratum="tail@2+intent=a"), signal(2, received_at="2026-03-02T12:00:00.000Z")))
    log.close()
    assert compact(tmp_path) == Compacted(segments=1, rows=2)
    rows = parquet(tmp_path, "signals")
    assert [row[0] for row in rows] == ["s1", "s2"]
    assert [row[[column.name for column in SIGNAL_COLUMNS].index("stratum")] for row in rows] == [
        "tail@2+intent=a",
        None,
    ]
    assert str(rows[1][[column.name for column in SIGNAL_COLUMNS].index("received_at")]) == "2026-03-02 12:00:00"


def test_the_segment_stays_for_the_grace_period(tmp_path: Path):
    write(tmp_path, 1)
    assert compact(tmp_path) == Compacted(segments=1, rows=1)
    assert names(tmp_path, "decisions/open") == [".done", ".jsonl"]
    assert compact(tmp_path) == Compacted()
    assert compact(tmp_path, grace_s=0.0) == Compacted(removed=1)
    assert names(tmp_path, "decisions/open") == []


def test_a_segment_that_recovery_may_need_is_left_alone(tmp_path: Path):
    log = StoreDecisionLog(plan(tmp_path, segment_bytes=1), "w0")
    log.begin(intent(0))
    log.finish(record(1))
    # The first segment's intents have moved on; an intents file of its own would hold it.
    (tmp_path / "intents" / (max((tmp_path / "decisions" / "open").glob("*.jsonl")).stem + ".intents")).touch()
    assert compact(tmp_path) == Compacted()
    min((tmp_path / "intents").iterdir()).unlink()
    assert compact(tmp_path).segments == 1
    log.close()


def test_lines_that_have_no_type_are_kept(tmp_path: Path):
    segment = write(tmp_path, 1)
    bad = [
        b"not JSON",
        b'{"decision_id":"\xff","event_time":"2026-03-01T12:00:00.000Z"}',
        b'{"decision_id":"late","event_time":"some day"}',
        b'{"decision_id":"odd","event_time":"2026-03-01T12:00:00.000Z","tier":"cheap","cost_usd":"much"}',
        b'{"decision_id":"torn","event_t',
    ]
    segment.write_bytes(segment.read_bytes() + b"\n".join(bad))
    assert compact(tmp_path) == Compacted(segments=1, rows=2, rejected=5)
    assert [row[0] for row in parquet(tmp_path)] == [decision_id(1), "odd"]
    (kept,) = (tmp_path / "state" / "rejects").iterdir()
    assert kept.read_bytes() == b"\n".join(bad) + b"\n"


def test_fields_of_a_later_version_do_no_harm(tmp_path: Path):
    segment = write(tmp_path, 1)
    segment.write_bytes(segment.read_bytes().replace(b'"tier"', b'"shiny":{"new":[1]},"tier"', 1))
    assert compact(tmp_path) == Compacted(segments=1, rows=1)


@pytest.mark.parametrize("moment", ["fsync", "sync_folder", "rename", "write_text", "unlink"])
def test_a_compaction_that_is_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str):
    write(tmp_path, 1, 2, draws=DRAWS)
    write(tmp_path, 3)

    def dies(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if moment == "fsync":
            patched.setattr(compaction.os, "fsync", dies)
        elif moment == "sync_folder":
            patched.setattr(compaction, "sync_folder", dies)
        else:
            patched.setattr(Path, moment, dies)
        with pytest.raises(KeyboardInterrupt):
            compact(tmp_path, grace_s=0.0)
    done = compact(tmp_path, grace_s=0.0)
    assert done.failed == 0
    assert [row[0] for row in parquet(tmp_path)] == [decision_id(1), decision_id(2), decision_id(3)]
    assert names(tmp_path, "decisions/open") == []
    assert [row[:1] for row in draws(tmp_path)] == [(decision_id(1),)] * 2 + [(decision_id(2),)] * 2
    assert list(tmp_path.glob("d*/date=*/.*")) == []
    assert list((tmp_path / "state").glob("compaction-*")) == []


def test_one_at_a_time(tmp_path: Path):
    write(tmp_path, 1)
    with compaction.alone(tmp_path / "state" / "compaction.lock") as is_alone:
        assert is_alone
        assert compact(tmp_path) == Compacted(is_busy=True)
    assert compact(tmp_path).segments == 1


def test_a_segment_that_the_engine_refuses_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    segment = write(tmp_path, 1)
    write(tmp_path, 2)
    real = compaction._write_parquet

    def refuses_the_first(engine: object, part: object, piece: object, folder: Path, stem: str) -> Path:
        if stem == segment.stem:
            raise duckdb.OutOfMemoryException("too small")
        return real(engine, part, piece, folder, stem)

    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_write_parquet", refuses_the_first)
        assert compact(tmp_path, grace_s=0.0) == Compacted(segments=1, rows=1, removed=1, failed=1)
    assert names(tmp_path, "decisions/open") == [".jsonl"]
    assert compact(tmp_path).rows == 1
    assert [row[0] for row in parquet(tmp_path)] == [decision_id(1), decision_id(2)]


def test_long_lines_become_several_files_that_a_reader_takes_as_one_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(date_pieces, "PIECE_BYTES", 10_000)
    monkeypatch.setattr(date_pieces, "LONG_LINES", 500)
    segment = write(tmp_path, *range(5), response="x" * 6_000, draws=DRAWS)
    assert compact(tmp_path).rows == 5
    files = sorted(path.name for path in tmp_path.glob("decisions/date=*/*"))
    assert files == [f"{segment.stem}{tail}.parquet" for tail in (".2", ".3", "")]
    found = find_files(LogInputs((str(tmp_path),))).files
    assert [Path(file.path).name for file in found if file.role == "decisions"] == files
    segment.with_suffix(".done").unlink()
    assert [Path(file.path) for file in find_files(LogInputs((str(tmp_path),))).of("decisions")] == [segment]
    assert compact(tmp_path).rows == 5
    assert len(parquet(tmp_path)) == 5
    assert len(draws(tmp_path)) == 10


def test_what_is_converted_or_rejected_is_for_no_more_eyes_than_the_segment(tmp_path: Path):
    before = os.umask(0o022)
    try:
        segment = write(tmp_path, 1, 2)
        segment.write_bytes(segment.read_bytes() + b'{"decision_id":"d9","cost_usd":"much"}\n')
        assert compact(tmp_path).rejected == 1
    finally:
        os.umask(before)
    made = [*tmp_path.rglob("*.parquet"), *(tmp_path / "state" / "rejects").iterdir()]
    assert {file.suffix for file in made} == {".parquet", ".jsonl"}
    assert {file.stat().st_mode & 0o777 for file in made} == {0o640}
