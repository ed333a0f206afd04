"""Rows of Parquet files that nobody vouches for."""

import duckdb
import pytest

from undertow.adapters.outcomes.bounded_parquet import MAX_CHARS, MAX_COLUMNS, parquet_records
from undertow.errors import LogError


def write(path, select):
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def test_values_come_as_rows_are_read(tmp_path):
    path = write(
        tmp_path / "f.parquet",
        "SELECT 1 AS id, 'u' AS user_id, CAST(12.5 AS DECIMAL(9, 2)) AS value, TIMESTAMPTZ '2026-03-01 10:00:00+00' AS zoned, "
        "TIMESTAMP '2026-03-01 10:00:00' AS naive, {'a': [1, 2]} AS nested, true AS deleted, NULL AS nothing",
    )
    (row,) = parquet_records(path, "f.parquet")
    assert (row["id"], row["user_id"], row["value"], row["deleted"], row["nothing"]) == (1, "u", 12.5, True, None)
    assert row["zoned"] == "2026-03-01 10:00:00+00"
    assert row["naive"] == "2026-03-01 10:00:00"
    assert row["nested"] == '{"a":[1,2]}'


def test_a_small_file_of_huge_texts_stays_small(tmp_path):
    path = write(tmp_path / "f.parquet", "SELECT repeat('x', 20_000_000) AS note, i AS id FROM range(300) t(i)")
    assert path.stat().st_size < 5_000_000
    rows = list(parquet_records(path, "f.parquet"))
    assert len(rows) == 300
    assert {len(row["note"]) for row in rows} == {MAX_CHARS}


def test_damage_and_width_are_refused(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1nonsensePAR1")
    with pytest.raises(LogError, match=r"bad\.parquet: cannot be read as Parquet"):
        list(parquet_records(tmp_path / "bad.parquet", "bad.parquet"))
    wide = write(tmp_path / "wide.parquet", "SELECT " + ", ".join(f"1 AS c{n}" for n in range(MAX_COLUMNS + 1)))
    with pytest.raises(LogError, match="columns"):
        list(parquet_records(wide, "wide.parquet"))
