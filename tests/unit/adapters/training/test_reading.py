"""Columns of a log's files become tables of the engine."""

import json

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.training.reading import LogReader


def filled(tmp_path, columns, where="true"):
    engine = open_engine("500MB", 1, tmp_path)
    reader = LogReader(engine, tmp_path, lambda *_: None)
    reader.fill("t", columns, find_files(LogInputs((str(tmp_path / "log"),))).of("decisions"), where)
    return engine.execute("SELECT * FROM t ORDER BY 1").fetchall(), reader


def test_lines_and_parquet_give_the_same_and_what_has_another_type_is_null(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    rows = [{"id": "a", "n": 1.5, "m": {"x": 2}, "l": [{"k": "v", "z": 1}]}, {"id": "b", "n": "many", "m": "none"}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"id": "torn')
    duckdb.sql(f"COPY (SELECT 'c' AS id, 3 AS n, MAP {{'x': 4}} AS m, [{{'k': 'w'}}] AS l) TO '{folder}/rows.parquet'")
    columns = {"id": "VARCHAR", "n": "DOUBLE", "m": "MAP(VARCHAR, DOUBLE)", "l": "STRUCT(k VARCHAR)[]", "no": "VARCHAR"}
    found, reader = filled(tmp_path, columns)
    assert found == [
        ("a", 1.5, {"x": 2.0}, [{"k": "v"}], None),
        ("b", None, None, None, None),
        ("c", 3.0, {"x": 4.0}, [{"k": "w"}], None),
    ]
    assert reader.seen == {"id", "n", "m", "l"}
    assert reader.reasons == {"torn_line": 1}
    assert [row[0] for row in filled(tmp_path, columns, "n > 2")[0]] == ["c"]


def test_a_damaged_parquet_file_is_counted(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "good.jsonl").write_text('{"id": "a"}\n')
    (folder / "bad.parquet").write_bytes(b"PAR1" + b"\0" * 40 + b"PAR1")
    found, reader = filled(tmp_path, {"id": "VARCHAR"})
    assert found == [("a",)]
    assert reader.reasons == {"unreadable_file": 1}
