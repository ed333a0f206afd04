"""Inputs for targets: whole ones that are changed in places, as a fuzzer changes them, and ones that are made to grow."""

import gzip
import io
import json
from collections.abc import Callable

import zstandard
from hypothesis import strategies as st

from outside_bytes.target import CANARY, Target

TOKENS = (
    b"", b"\0", b"\r\n", b"\n\n", b"\r", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud83d", b"{", b"}", b"[", b"]", b'"', b"'", b",", b":", b"=", b"null",
    b"NaN", b"Infinity", b"-0", b"1e999", b"-1e-999", b"9" * 25, b"9" * 5_000, b"0x1f", b"true", b"{}", b"[]", b"[" * 300, b'{"a":' * 200, b"data: ", b"event: error\n",
    b": \n", b"[DONE]", b"2026-03-01T10:00:00Z", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59+23:59", b"2026-02-30", b"\x1b[31m", b"\xe2\x80\xae",
    b"%00", b"%ff", b"%2f..%2f", b"../..", b"<script>", b"=cmd()", CANARY.encode(), b"x" * 3_000, b"a,b;c\td|e", b"PAR1", b"\x1f\x8b\x08", b"(\xb5/\xfd", b"PK\x03\x04",
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from([CANARY, "", "\x00", "NaN", "2026-03-01T10:00:00Z", "-1", 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, "9" * 5_000, "{", '{"a": 1}', "\x1b[2J"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def changed(draw: st.DrawFn, target: Target) -> bytes:
    """A seed of a target with up to five changes: bytes, tokens, pieces of other seeds, lines and lengths."""
    data = bytearray(draw(st.sampled_from(target.seeds)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.sampled_from((0, 0, 1, 1, 2, 4, 20, 200))))
        match draw(st.sampled_from(("token", "token", "bytes", "splice", "repeat", "cut", "kind"))):
            case "token":
                data[at:to] = draw(st.sampled_from(TOKENS))
            case "bytes":
                data[at:to] = draw(st.binary(max_size=8))
            case "splice":
                data[at:to] = draw(st.sampled_from(target.seeds))[1:][draw(st.integers(0, 200)) :][:300]
            case "repeat":
                data[at:at] = bytes(data[at:to]) * draw(st.sampled_from((1, 2, 50)))
            case "cut":
                del data[at:]
            case "kind":
                data[:1] = draw(st.binary(min_size=1, max_size=1))
    return bytes(data)


def _places(value: object, at: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    return [at, *(place for key, item in inner for place in _places(item, (*at, key)))]


def _put(value: object, at: tuple, new: object) -> object:
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = _put(copy[at[0]], at[1:], new)
    return copy


@st.composite
def with_other_values(draw: st.DrawFn, target: Target) -> bytes:
    """A seed whose JSON lines have other values in up to three places; of seeds without JSON a changed one."""
    seed = draw(st.sampled_from(target.seeds))
    lines = seed[1:].split(b"\n")
    try:
        records = [json.loads(line) for line in lines if line.strip()][:3]
    except (ValueError, RecursionError):
        return draw(changed(target))
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(records) - 1)) if records else 0
        if records and isinstance(records[number], dict | list):
            at = draw(st.sampled_from(_places(records[number])))
            records[number] = _put(records[number], at, draw(VALUES))
    return seed[:1] + b"\n".join(json.dumps(record).encode() for record in records)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Everything that a target is tried with."""
    return st.one_of(changed(target), changed(target), with_other_values(target), st.binary(max_size=200))


def _parquet_of_one_byte_many_times() -> bytes:
    import duckdb

    with duckdb.connect() as engine:
        from outside_bytes.target import scratch

        path = scratch() / "wide.parquet"
        engine.execute(f"copy (select repeat('a', 1000) as decision_id from range(20000)) to '{path}' (format parquet)")
        return path.read_bytes()


def _gzip(content: bytes) -> bytes:
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as file:
        file.write(content)
    return made.getvalue()


GROWN: dict[str, Callable[[], bytes]] = {
    "brackets": lambda: b"[" * 100_000,
    "objects": lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "closed brackets": lambda: b'{"messages":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "digits": lambda: b'{"model":"a","n":' + b"9" * 150_000 + b"}",
    "toml digits": lambda: b"port = " + b"9" * 150_000,
    "toml brackets": lambda: b"a = " + b"[" * 25_000,
    "toml dots": lambda: b".".join([b"a"] * 25_000) + b" = 1",
    "toml headers": lambda: b"".join(b"[a.b%d]\nc = 1\n" % n for n in range(2_500)),
    "one string": lambda: b'{"model":"' + b"x" * 250_000 + b'"}',
    "one line": lambda: b"x" * 250_000,
    "one key many times": lambda: b"{" + b",".join([b'"model":"a"'] * 20_000) + b"}",
    "keys": lambda: b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "commas": lambda: b"," * 150_000,
    "quotes": lambda: b'"' * 150_000,
    "escapes": lambda: b'"' + b"\\u0041" * 30_000 + b'"',
    "lines": lambda: b"\n" * 150_000,
    "objects in lines": lambda: b"{}\n" * 30_000,
    "events": lambda: b"data: {}\n\n" * 10_000,
    "comments": lambda: b":" + b"x" * 200_000,
    "header lines": lambda: b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
    "one header": lambda: b"HTTP/1.1 200 OK\r\na: " + b"b" * 200_000,
    "chunks": lambda: b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"1;" + b"a" * 100_000 + b"\r\n",
    "requests": lambda: b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 1_500,
    "columns": lambda: b",".join(b"c%d" % n for n in range(10_000)) + b"\n" + b"," * 9_999,
    "zeros in gzip": lambda: _gzip(b"\0" * 15_000_000),
    "a line in gzip": lambda: _gzip(b'{"a":"' + b"x" * 15_000_000),
    "records in zstd": lambda: zstandard.compress(b'{"decision_id": "a"}\n' * 200_000, 19),
    "wide parquet": _parquet_of_one_byte_many_times,
    "nested quantifiers": lambda: b'{"pattern": "' + b"(a+)+" * 2_000 + b'$", "type": "string"}',
    "references": lambda: json.dumps({"$defs": {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)} | {"a60": True}, "$ref": "#/$defs/a0"}).encode(),
}  # fmt: skip
"""Inputs of which a little more must not cost much more: what they are -> how they are made."""
