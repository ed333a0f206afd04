"""Outcomes in files that are dropped."""

import csv
import errno
import gzip
import io
import os
import time

import duckdb
import pytest

from outcome_factory import HEADER, aged, drop, files_plan
from undertow.adapters.outcomes.files import DroppedFiles
from undertow.errors import LogError
from undertow.ports.outcomes import Place, StillWritten

ROW = "1,2026-03-01T10:00:00Z,u1,2\n"


def places(plan, **options):
    return list(DroppedFiles(plan, time.time, **options).places(None))


def rows(plan):
    return [row for place in places(plan) for batch in place.rows for row in batch]


@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables_of_any_delimiter_and_encoding_read_alike(tmp_path, encode, delimiter):
    out = io.StringIO(newline="")
    table = csv.writer(out, delimiter=delimiter)
    table.writerow(["id", "created_at", "user_id", "value", "note"])
    table.writerow([1, "2026-03-01T10:00:00Z", "M\u00fcller", 2, 'two\nlines, and "quotes"; \u20ac'])
    table.writerow([2, "2026-03-01T11:00:00Z", "=HYPERLINK(1)", 3, ""])
    drop(tmp_path / "t.csv", out.getvalue().encode(encode))
    one, two = rows(files_plan(tmp_path / "t.csv"))
    assert (one.columns["user_id"], one.columns["value"], one.number) == ("M\u00fcller", "2", 1)
    assert two.columns["user_id"] == "=HYPERLINK(1)"


def test_other_encodings_are_noticed_in_ids(tmp_path):
    drop(tmp_path / "t.csv", (HEADER + "1,2026-03-01T10:00:00Z,M\u00fcller,2\n").encode("latin-1"))
    (row,) = rows(files_plan(tmp_path / "t.csv"))
    assert "\ufffd" in row.columns["user_id"]


def test_the_same_rows_in_every_container(tmp_path):
    drop(tmp_path / "a.csv", HEADER + ROW)
    drop(tmp_path / "b.csv.gz", gzip.compress((HEADER + ROW).encode()))
    line = '{"id":"1","created_at":"2026-03-01T10:00:00Z","user_id":"u1","value":"2"}'
    drop(tmp_path / "c.jsonl", line + "\n")
    drop(tmp_path / "d.json", f"[{line}]")
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT * FROM read_csv('{tmp_path}/a.csv', all_varchar = true)) TO '{tmp_path}/e.parquet' (FORMAT parquet)"
        )
    aged(tmp_path / "e.parquet", 60)
    found = rows(files_plan(tmp_path))
    assert len(found) == 5
    assert len({tuple(sorted(row.columns.items())) for row in found}) == 1


def test_files_are_read_oldest_first_and_those_that_are_no_drops_are_not(tmp_path):
    drop(tmp_path / "b.csv", HEADER + ROW, age_s=500)
    drop(tmp_path / "a.csv", HEADER + ROW, age_s=100)
    for name in (".hidden.csv", "_done.csv", "c.csv.part", "d.csv.tmp", "readme.md", "e.pdf"):
        drop(tmp_path / name, "nothing")
    assert [place.name for place in places(files_plan(tmp_path))] == ["b.csv", "a.csv"]
    assert [place.name for place in places(files_plan(tmp_path / "*.csv"))] == ["b.csv", "a.csv"]


def test_a_folder_is_read_with_what_is_below_it(tmp_path):
    drop(tmp_path / "2026" / "03" / "a.csv", HEADER + ROW)
    assert [place.name for place in places(files_plan(tmp_path))] == ["2026/03/a.csv"]
    assert [place.name for place in places(files_plan(tmp_path / "**" / "*.csv"))] == ["2026/03/a.csv"]


def test_links_lead_no_further_than_the_folder_that_was_named(tmp_path):
    secret = drop(tmp_path / "outside" / "secret.csv", HEADER + ROW)
    drop(tmp_path / "drops" / "a.csv", HEADER + ROW)
    (tmp_path / "drops" / "link.csv").symlink_to(secret)
    (tmp_path / "drops" / "inside.csv").symlink_to(tmp_path / "drops" / "a.csv")
    (tmp_path / "drops" / "nowhere.csv").symlink_to(tmp_path / "nothing")
    (tmp_path / "drops" / "folder").symlink_to(tmp_path / "outside")
    for pattern in ("drops", "drops/*.csv", "drops/**/*.csv", "drops/*/../../outside/*.csv"):
        found = places(files_plan(tmp_path / pattern))
        read = [place.name for place in found if isinstance(place, Place)]
        assert "secret" not in str(read), pattern
        assert "link.csv" not in read, pattern
    left = dict(place for place in places(files_plan(tmp_path / "drops/*.csv")) if not isinstance(place, Place))
    assert "leads out of the folder" in left["link.csv"]


def test_a_link_that_is_named_itself_is_followed(tmp_path):
    drop(tmp_path / "real.csv", HEADER + ROW)
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert len(rows(files_plan(tmp_path / "link.csv"))) == 1


def test_the_fingerprint_is_of_the_file_and_of_how_it_is_read(tmp_path):
    path = drop(tmp_path / "a.csv", HEADER + ROW)
    (first,) = places(files_plan(path))
    (same,) = places(files_plan(path))
    (zoned,) = places(files_plan(path, timezone="UTC"))
    drop(path, HEADER + ROW + ROW, age_s=60)
    (changed,) = places(files_plan(path))
    assert first.fingerprint == same.fingerprint
    assert len({first.fingerprint, zoned.fingerprint, changed.fingerprint}) == 3


def test_a_fresh_file_is_left_or_waited_for(tmp_path):
    path = drop(tmp_path / "a.csv", HEADER + ROW, age_s=1)
    (place,) = places(files_plan(path))
    with pytest.raises(StillWritten):
        list(place.rows)
    waited = []

    def wait(seconds):
        waited.append(seconds)
        aged(path, 10)

    (place,) = places(files_plan(path), wait=wait)
    assert len(list(place.rows)) == 1
    assert 1 < waited[0] <= 3


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK\x03\x04....", "zip archive"),
        (b"\x00\x01\x02" * 99, "neither text nor Parquet"),
        (b"hello", "is not a log"),
    ],
)
def test_what_is_no_table_is_refused_by_its_own_name(tmp_path, content, why):
    drop(tmp_path / "t.csv", content)
    with pytest.raises(LogError, match=f"t.csv.*{why}") as caught:
        rows(files_plan(tmp_path / "t.csv"))
    assert "undertow-outcomes-" not in str(caught.value)


def test_a_line_that_is_no_json_is_a_row_set_aside(tmp_path):
    drop(tmp_path / "t.jsonl", '{"id": "1"\n')
    assert [row.reason for row in rows(files_plan(tmp_path / "t.jsonl"))] == ["bad_json"]


def test_an_empty_file_has_no_rows(tmp_path):
    drop(tmp_path / "t.csv", "")
    assert rows(files_plan(tmp_path / "t.csv")) == []


@pytest.mark.parametrize("path", ["none.csv", "none/*.csv"])
def test_what_is_not_there_is_said(tmp_path, path):
    with pytest.raises(LogError, match="no such"):
        places(files_plan(tmp_path / path))


def test_a_pattern_that_matches_nothing_yet_is_no_error(tmp_path):
    assert places(files_plan(tmp_path / "*.csv")) == []


def test_a_pipe_beside_the_drops_does_not_hold_them_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    drop(tmp_path / "a.csv", HEADER + ROW)
    assert [place.name for place in places(files_plan(tmp_path / "*.csv"))] == ["a.csv"]


def test_links_in_a_circle_do_not_hold_a_pattern_up(tmp_path):
    drop(tmp_path / "a.csv", HEADER + ROW)
    (tmp_path / "back").symlink_to(tmp_path)
    assert [place.name for place in places(files_plan(tmp_path / "**" / "*.csv"))] == ["a.csv"]


def test_a_full_disk_is_told_of_the_file_that_needed_it(tmp_path, monkeypatch):
    drop(tmp_path / "a.csv", HEADER + ROW)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("undertow.adapters.outcomes.files.snapshot", full)
    with pytest.raises(LogError, match=r"^a\.csv: cannot be copied to be read \(No space left on device\); .*TMPDIR$"):
        rows(files_plan(tmp_path))


def test_a_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch):
    drop(tmp_path / "a.csv", HEADER + ROW)

    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("undertow.adapters.outcomes.files.files_below", refuse)
    with pytest.raises(LogError, match=r"cannot be listed \(Permission denied\)"):
        places(files_plan(tmp_path))
