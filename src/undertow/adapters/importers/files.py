"""Foreign files -> records, one at a time, whatever the container: JSONL, JSON, CSV, Parquet, gzip or Zstandard around them.

The container is told from the content, never from the name. A record that cannot be decoded becomes an `Undecodable` with its
reason and the reading goes on. Memory holds one record (or one batch of a Parquet file), except for a JSON file that is one
single object, which has a stated limit.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb
import msgspec
import zstandard

from undertow.adapters.listing import files_below, files_matching
from undertow.errors import LogError
from undertow.records.unreadable import UNREADABLE

CHUNK = 1 << 20
PARQUET_BATCH = 2048
_GLOB = set("*?[")
_SKIPPED_PREFIXES = (".", "_")


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that could not be decoded: `bad_json`, `bad_csv`, `bad_encoding`, `record_too_long`, `truncated_file`, ..."""

    reason: str


@dataclass(frozen=True, slots=True)
class Container:
    """How a file holds its records."""

    kind: str
    """`parquet`, `jsonl`, `json` or `csv`."""
    delimiter: str = ","


def expand(paths: list[str] | tuple[str, ...]) -> list[Path]:
    """The files that the given paths, globs and folders stand for, in a stable order, hidden ones left out.

    Raises:
        LogError: one of them matches nothing.
    """
    files: list[Path] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            found = sorted(
                p
                for p in files_below(path)
                if p.is_file() and not any(part.startswith(_SKIPPED_PREFIXES) for part in p.relative_to(path).parts)
            )
        elif path.exists():
            found = [path]
        elif _GLOB & set(str(given)):
            found = sorted(files_matching(path))
        else:
            raise LogError(
                f"{str(given)!r} does not exist; give a file, a folder or a quoted pattern such as 'logs/*.jsonl'"
            )
        if not found:
            raise LogError(f"{str(given)!r} holds no files")
        files.extend(p for p in found if p not in files)
    return files


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The uncompressed bytes of a file; gzip and Zstandard are told from their first bytes."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise LogError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    with raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(raw, "rb") as stream:
                yield stream  # type: ignore[misc]
        elif magic == b"\x28\xb5\x2f\xfd":
            with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
                yield io.BufferedReader(stream, CHUNK)  # type: ignore[arg-type]
        else:
            yield raw


_READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)


def container_of(path: Path) -> Container:
    """How a file holds its records, from its first bytes.

    Raises:
        LogError: empty, binary, or unreadable.
    """
    head = _head(path)
    if head[:4] == b"PAR1":
        return Container("parquet")
    if head[:4] == b"PK\x03\x04":
        raise LogError(f"{str(path)!r} is a zip archive; unpack it first")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise LogError(f"{str(path)!r} is empty")
    if b"\x00" in text[:1024] and text[:1] not in b"{[":
        raise LogError(
            f"{str(path)!r} is neither text nor Parquet; expected JSONL, JSON, CSV or Parquet, plain, .gz or .zst"
        )
    if text[:1] == b"[":
        return Container("json")
    if text[:1] == b"{":
        return Container("json" if _spans_lines(text) else "jsonl")
    header = text.split(b"\n", 1)[0].decode("utf-8", "replace")
    delimiter = max(",\t;|", key=header.count)
    if not header.count(delimiter):
        if len(text.split(b"\n", 1)) > 1 and header.strip() and len(header) < 200:
            return Container("csv", ",")
        raise LogError(f"{str(path)!r} is not a log: expected JSON objects, a table with a header line, or Parquet")
    return Container("csv", delimiter)


def _spans_lines(text: bytes) -> bool:
    """Whether text that begins with an object is a document laid out over several lines, and not one object a line.

    A first line that cannot be decoded may just be damaged: then the second begins with an object of its own.
    """
    first, _, rest = text.partition(b"\n")
    try:
        msgspec.json.decode(first)
    except UNREADABLE:
        return bool(rest) and (first.rstrip().endswith(b"[") or not rest.lstrip().startswith(b"{"))
    return False


def _head(path: Path) -> bytes:
    """The first uncompressed bytes of a file, or what there is of them where it is damaged further on."""
    head = bytearray()  # bytes would be copied whole with each piece
    with opened(path) as stream:
        try:
            while len(head) < CHUNK and (piece := stream.read(4096)):
                head += piece
        except _READ_ERRORS as error:
            if not head:
                raise LogError(f"{str(path)!r} is compressed but damaged at its start: {error}") from error
    return bytes(head)


def records(
    path: Path, *, max_record_bytes: int = 64 << 20, max_document_bytes: int = 256 << 20, limit: int | None = None
) -> Iterator[Any]:
    """The records of a file in order: decoded values, or `Undecodable`.

    Args:
        path: The file.
        max_record_bytes: A longer line or array element is set aside.
        max_document_bytes: A longer JSON object that is the whole file is refused.
        limit: Stop after that many records.
    """
    container = container_of(path)
    if container.kind == "parquet":
        source = _parquet(path)
    elif container.kind == "jsonl":
        source = _json_lines(path, max_record_bytes)
    elif container.kind == "json":
        source = _json_values(path, max_record_bytes, max_document_bytes)
    else:
        source = _table(path, container.delimiter, max_record_bytes)
    for count, record in enumerate(source):
        if limit is not None and count >= limit:
            return
        yield record


def _lines(path: Path, max_bytes: int) -> Iterator[bytes | Undecodable]:
    """Lines without their ends; one longer than `max_bytes` is skipped without being held."""
    with opened(path) as stream:
        try:
            while line := stream.readline(max_bytes + 1):
                if len(line) > max_bytes and not line.endswith(b"\n"):
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(CHUNK)
                    yield Undecodable("record_too_long")
                    continue
                if stripped := line.strip():
                    yield stripped
        except _READ_ERRORS:
            yield Undecodable("truncated_file")


def _json_lines(path: Path, max_bytes: int) -> Iterator[Any]:
    decoder = msgspec.json.Decoder()
    for number, line in enumerate(_lines(path, max_bytes)):
        if isinstance(line, Undecodable):
            yield line
            continue
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901
        try:
            yield decoder.decode(line)
        except UNREADABLE:
            yield _leniently(line)


def _leniently(line: bytes) -> Any:
    """A second try for what strict JSON refuses but Python tools write: NaN, Infinity; else the reason."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return Undecodable("bad_encoding")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Undecodable("bad_json")


def _json_values(path: Path, max_record: int, max_document: int) -> Iterator[Any]:
    """Values of a JSON array, or of objects that follow one another, decoded one at a time from a sliding window."""
    decoder = json.JSONDecoder()
    with opened(path) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        try:
            yield from _scan(stream, decoder, path, max_record, max_document)
        except _READ_ERRORS:
            yield Undecodable("truncated_file")
        finally:
            stream.detach()


def _scan(stream: IO[str], decoder: json.JSONDecoder, path: Path, max_record: int, max_document: int) -> Iterator[Any]:
    window, ended, in_array, want = "", False, None, CHUNK
    while True:
        at = len(window) - len(window.lstrip(" \t\r\n,"))
        if in_array is None and at < len(window):
            in_array = window[at] == "["
            at += in_array
            at += len(window[at:]) - len(window[at:].lstrip(" \t\r\n,"))
        if at < len(window):
            if in_array and window[at] == "]":
                return
            try:
                value, end = decoder.raw_decode(window, at)
            except RecursionError:
                yield Undecodable("bad_json")
                return
            except ValueError:
                value, end = None, -1
            # A number or literal at the very end of the window may go on in the next chunk.
            if end >= 0 and (end < len(window) or ended):
                window = window[end:]
                want = CHUNK
                yield value
                continue
        if ended:
            if window[at:].strip():
                yield Undecodable("bad_json")
            elif in_array:
                yield Undecodable("truncated_file")
            return
        if not in_array and len(window) > max_document:
            raise LogError(
                f"{str(path)!r} is one JSON object of more than {max_document >> 20} MiB; export it as JSONL (one record a line) or as a JSON array"
            )
        if in_array and len(window) > max_record:
            yield Undecodable("record_too_long")
            return
        block = stream.read(want)
        want = min(want * 2, 64 << 20)
        ended = not block
        window = window[at:] + block


def _table(path: Path, delimiter: str, max_bytes: int) -> Iterator[Any]:
    csv.field_size_limit(max_bytes)
    lines = _text_lines(path, max_bytes)
    reader = csv.reader(lines, delimiter=delimiter)
    header: list[str] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Undecodable("bad_csv")
            continue
        except _TooLong:
            yield Undecodable("record_too_long")
            return
        except _READ_ERRORS:
            yield Undecodable("truncated_file")
            return
        if not row or row == [""]:
            continue
        if header is None:
            header = [name.strip() for name in row]
            continue
        if len(row) != len(header):
            yield Undecodable("wrong_number_of_cells")
            continue
        yield {name: (cell if cell != "" else None) for name, cell in zip(header, row, strict=True)}


class _TooLong(Exception):  # noqa: N818
    """A table line longer than the limit; what follows cannot be told apart from it."""


def _text_lines(path: Path, max_bytes: int) -> Iterator[str]:
    with opened(path) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
        try:
            while line := stream.readline(max_bytes + 1):
                if len(line) > max_bytes:
                    raise _TooLong
                yield line
        finally:
            stream.detach()


def _parquet(path: Path) -> Iterator[Any]:
    """Rows of a Parquet file as dicts; times with a zone come as text with their offset, naive ones without."""
    literal = "'" + str(path).replace("'", "''") + "'"
    with duckdb.connect(":memory:") as connection:
        try:
            connection.execute(
                "SET TimeZone = 'UTC'; SET memory_limit = '512MB'; SET threads = 2; SET preserve_insertion_order = true"
            )
            schema = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal})").fetchall()
            columns = ", ".join(_column(name, str(kind)) for name, kind, *_ in schema)
            cursor = connection.execute(f"SELECT {columns} FROM read_parquet({literal})")
        except duckdb.Error as error:
            raise LogError(f"{str(path)!r} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
        yield from fetched(cursor, [name for name, *_ in schema], PARQUET_BATCH)


def fetched(cursor: duckdb.DuckDBPyConnection, names: Sequence[str], batch: int) -> Iterator[Any]:
    """Rows of a Parquet file as dicts, then `Undecodable` where it ends in damage.

    Args:
        cursor: With the rows.
        names: Of the columns.
        batch: Rows in memory at a time.
    """
    while True:
        try:
            rows = cursor.fetchmany(batch)
        except duckdb.Error:
            yield Undecodable("truncated_file")
            return
        if not rows:
            return
        for row in rows:
            yield dict(zip(names, row, strict=True))


def _column(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"CAST({quoted} AS VARCHAR) AS {quoted}"
    if kind.startswith(("DECIMAL", "HUGEINT", "UHUGEINT")):
        return f"CAST({quoted} AS DOUBLE) AS {quoted}"
    if "TIME ZONE" in kind or kind in {"UUID", "BLOB", "TIME", "INTERVAL", "BIT"}:
        return f"CAST({quoted} AS VARCHAR) AS {quoted}"
    return quoted
