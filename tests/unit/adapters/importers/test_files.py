import gzip
import json

import pytest
import zstandard

from undertow.adapters.importers.files import Undecodable, container_of, expand, records
from undertow.errors import LogError

RECORDS = [{"a": n, "text": "tab\t, line\n and ü"} for n in range(5)]
LINES = "".join(json.dumps(r) + "\n" for r in RECORDS).encode()


@pytest.mark.parametrize("wrap", [lambda b: b, gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize(
    "content",
    [
        LINES,
        json.dumps(RECORDS).encode(),
        json.dumps(RECORDS, indent=2).encode(),
        "\n".join(json.dumps(r, indent=1) for r in RECORDS).encode(),
        b"\xef\xbb\xbf" + LINES,
    ],
    ids=["lines", "array", "pretty array", "pretty objects", "byte order mark"],
)
def test_containers_are_told_from_content_whatever_the_name(tmp_path, wrap, content):
    path = tmp_path / "log.bin"
    path.write_bytes(wrap(content))
    assert list(records(path)) == RECORDS


def test_damaged_lines_are_counted_and_the_rest_is_read(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        LINES[: LINES.index(b"\n") + 1] + b'{"a": 1\n' + b"\xff\xfe{}\n" + b'{"a": NaN}\n' + b"[1, 2]\n" + b'{"last": '
    )
    found = list(records(path))
    assert found[0] == RECORDS[0]
    assert found[1] == Undecodable("bad_json")
    assert found[2] == Undecodable("bad_encoding")
    assert found[3]["a"] != found[3]["a"]  # NaN, which Python's json writes
    assert found[4:] == [[1, 2], Undecodable("bad_json")]


def test_truncated_compressed_file_gives_what_is_there(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(LINES * 2000)[:-20])
    found = list(records(path))
    assert found[0] == RECORDS[0]
    assert found[-1] == Undecodable("truncated_file")


def test_truncated_array_gives_what_is_there(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(RECORDS)[:-30])
    found = list(records(path))
    assert found[:4] == RECORDS[:4]
    assert isinstance(found[-1], Undecodable)


def test_a_line_without_end_is_skipped_without_being_held(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": "' + b"x" * 5_000_000 + b'"}\n{"c": 3}\n')
    assert list(records(path, max_record_bytes=1000)) == [{"a": 1}, Undecodable("record_too_long"), {"c": 3}]


def test_array_larger_than_the_window_is_decoded_piecewise(tmp_path):
    path = tmp_path / "x.json"
    many = [{"n": n, "pad": "y" * 1000} for n in range(3000)]
    path.write_text(json.dumps(many))
    assert list(records(path)) == many


def test_single_document_has_a_limit(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{\n"a": "' + "x" * 4_000_000 + '"}')
    with pytest.raises(LogError, match="JSONL"):
        list(records(path, max_document_bytes=1_000_000))


def test_tables(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a;b\n1;"x;y"\n2\n;z\n')
    assert list(records(path)) == [{"a": "1", "b": "x;y"}, Undecodable("wrong_number_of_cells"), {"a": None, "b": "z"}]


def test_parquet_with_types(tmp_path):
    import duckdb

    path = tmp_path / "x.dat"
    duckdb.sql("SET TimeZone = 'UTC'")
    duckdb.sql(
        f"COPY (SELECT TIMESTAMPTZ '2026-08-01 12:00:00+00' AS t, 1.5::DECIMAL(9, 3) AS d, map {{'k': 'v'}} AS m, {{'x': 1}} AS s) TO '{path}' (FORMAT parquet)"
    )
    assert list(records(path)) == [{"t": "2026-08-01 12:00:00+00", "d": 1.5, "m": {"k": "v"}, "s": {"x": 1}}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"PK\x03\x04zip", "unpack"),
        (b"\x00\x01\x02binary\x00", "neither text nor Parquet"),
        (b"hello", "not a log"),
        (b"\x1f\x8b\x08broken", "damaged"),
    ],
)
def test_files_that_cannot_be_a_log_are_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(LogError, match=words) as error:
        container_of(path)
    assert "\n" not in str(error.value)


def test_damaged_parquet_is_one_line(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 this is no parquet PAR1")
    with pytest.raises(LogError, match="Parquet") as error:
        list(records(path))
    assert "\n" not in str(error.value)


def test_deeply_nested_json_is_counted(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    assert list(records(path)) == [{"a": 1}, Undecodable("bad_json")]


def test_folders_and_patterns(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.jsonl", "a.jsonl", ".hidden", "sub/c.jsonl"):
        (tmp_path / name).write_bytes(LINES)
    assert [p.name for p in expand((str(tmp_path),))] == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert [p.name for p in expand((str(tmp_path / "*.jsonl"), str(tmp_path / "a.jsonl")))] == ["a.jsonl", "b.jsonl"]
    with pytest.raises(LogError, match="does not exist"):
        expand((str(tmp_path / "nothing.jsonl"),))
