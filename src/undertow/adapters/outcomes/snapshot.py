"""A copy of a file as it was at one moment, unpacked and in UTF-8, or why there is none now.

Reading a copy is what makes the rest simple: a file that is still being written is noticed before one row of it counts, a compressed one
cannot unpack to more than is allowed, and a link cannot be turned elsewhere in between.
"""

import codecs
import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import zstandard

from undertow.errors import LogError
from undertow.ports.outcomes import StillWritten

CHUNK = 1 << 20
MAX_BYTES = 2 << 30
"""Of one file, unpacked."""

SETTLED_S = 3.0
"""A file that has not changed for so long is taken to be whole."""

UNFINISHED_S = 600.0
"""A table whose last line has no end is left until it has not changed for so long: its writer may pause in the midst of a row."""

_UTF_16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def fingerprint(path: Path) -> str:
    """Changes when a file is written: its size, times and place on the disk.

    Raises:
        OSError: It cannot be looked at.
    """
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"


def snapshot(path: Path, target: Path, now: Callable[[], float], max_bytes: int = MAX_BYTES) -> Path:
    """Copy a file.

    Args:
        path: A regular file, no link: Parquet, or text that may be compressed with gzip or Zstandard.
        target: The copy, without an ending.
        now: Seconds since 1970.
        max_bytes: Most bytes of the copy.

    Returns:
        The copy, with the ending `.parquet` or `.txt`.

    Raises:
        StillWritten: It changed a moment ago or meanwhile, or ends in the midst of a row.
        LogError: It cannot be read, is damaged, or is larger than allowed.
    """
    try:
        # A pipe would wait for its writer for ever, and a link was put here since the path was resolved.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise LogError(f"{path.name}: cannot be read: {error.strerror}") from None
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)
        raise LogError(f"{path.name}: is no regular file")
    with os.fdopen(handle, "rb") as raw:
        age_s = now() - before.st_mtime
        if 0 <= age_s < SETTLED_S:
            raise StillWritten(f"changed {age_s:.0f} s ago, so it may still be written")
        head = raw.read(4)
        raw.seek(0)
        is_parquet = head == b"PAR1"
        copy = target.with_suffix(".parquet" if is_parquet else ".txt")
        try:
            with copy.open("wb") as out:
                last = _copy(raw, head, out, path.name, max_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError, UnicodeError) as error:
            if 0 <= age_s < UNFINISHED_S:
                raise StillWritten("is cut off, so it may still be written") from None
            raise LogError(f"{path.name}: is damaged ({type(error).__name__}); export it again") from None
        after = os.fstat(raw.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise StillWritten("changed while it was read")
    if not is_parquet and last not in (b"\n", b"\r", b"]", b"}", b"") and 0 <= age_s < UNFINISHED_S:
        raise StillWritten("its last line has no end, so it may still be written")
    return copy


def _copy(raw: IO[bytes], head: bytes, out: IO[bytes], name: str, max_bytes: int) -> bytes:
    """Copy, unpacked and as UTF-8; the last byte."""
    stream: IO[bytes] = raw
    if head[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
    elif head == b"\x28\xb5\x2f\xfd":
        stream = io.BufferedReader(
            zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False), CHUNK
        )  # type: ignore[arg-type]
    written = 0
    last = b""
    first = stream.read(2)
    encoding = _UTF_16.get(first)
    if encoding is None:
        out.write(first)
        written, last = len(first), first[-1:]
        while piece := stream.read(CHUNK):
            written += len(piece)
            if written > max_bytes:
                raise LogError(_too_large(name, max_bytes))
            out.write(piece)
            last = piece[-1:]
        return last
    decoder = codecs.getincrementaldecoder(encoding)()
    piece = first + stream.read(CHUNK)
    while piece:
        text = decoder.decode(piece).encode("utf-8")
        written += len(text)
        if written > max_bytes:
            raise LogError(_too_large(name, max_bytes))
        out.write(text)
        last = text[-1:] or last
        piece = stream.read(CHUNK)
    decoder.decode(b"", final=True)
    return last


def _too_large(name: str, max_bytes: int) -> str:
    return f"{name}: holds more than {max_bytes / (1 << 30):.1f} GiB unpacked; export it in parts"
