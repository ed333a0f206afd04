"""Lets clean, whole lines of a JSON-lines file through to the engine, in spools of bounded size.

Everything that can be wrong with the *bytes* of a text log is dealt with here, in blocks of bounded memory: lines longer
than `LINE_LIMIT` (a billion characters without a newline cost one block), bytes that are not UTF-8, compressed streams that
were cut, a last line that is still being written, files that grow while they are read (no byte beyond the length that the
file had when it was opened is looked at). What is wrong with the *content* of a line is the row rules' business.
"""

import os
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import zstandard

BLOCK = 4 << 20
COMPRESSED_STEP = 1 << 13
LINE_LIMIT = 8 << 20
"""Longest line in bytes; a decision with its prompt and response fits many times over."""
SPOOL_LIMIT = 128 << 20
CONTROL = b"\x01"
"""Field separator towards the engine. JSON forbids it unescaped, so a line that holds it is no JSON."""


@dataclass(slots=True)
class SieveReport:
    """What was kept back: counts by reason, positions for the file of rejects, and sentences for the reader."""

    reasons: Counter[str] = field(default_factory=Counter)
    lines: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Count one line; the first thousand are remembered by number."""
        self.reasons[reason] += 1
        if len(self.lines) < 1000:
            self.lines.append((line, reason))


def spool_lines(
    path: str, spool_dir: Path, report: SieveReport, *, is_live: bool = False
) -> Iterator[tuple[Path, int]]:
    """Spools of `path`'s usable lines, with the number of lines before each; the caller deletes a spool when done.

    Every line of the file, usable or not, keeps its number: a line that is held back leaves an empty one. Of a live segment of
    a store only whole lines count, and that its writer adds to it, or seals it under another name, is nothing to report.

    Raises:
        FileNotFoundError: The file was removed since it was found.
    """
    first_line = lines = 0
    spool: BinaryIO | None = None
    target = spool_dir
    written = 0
    try:
        for chunk in _whole_lines(path, report, is_live=is_live):
            if spool is None:
                target = spool_dir / f"{os.getpid()}-{id(report):x}-{lines}.jsonl"
                spool, first_line, written = target.open("wb"), lines, 0
            clean = _clean(chunk, lines, report)
            spool.write(clean)
            written += len(clean)
            lines += clean.count(b"\n")
            if written >= SPOOL_LIMIT:
                spool.close()
                spool = None
                yield target, first_line
        if spool is not None:
            spool.close()
            spool = None
            yield target, first_line
    finally:
        if spool is not None:
            spool.close()


def _clean(chunk: bytes, first_line: int, report: SieveReport) -> bytes:
    """`chunk` (whole lines) with unusable lines emptied. Nearly always the chunk itself."""
    if CONTROL not in chunk:
        try:
            chunk.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return chunk
    kept: list[bytes] = []
    for offset, line in enumerate(chunk.split(b"\n")[:-1]):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            report.reject(first_line + offset + 1, "not_utf8")
            kept.append(b"")
            continue
        if CONTROL in line:
            report.reject(first_line + offset + 1, "bad_json")
            kept.append(b"")
            continue
        kept.append(line)
    return b"\n".join(kept) + b"\n"


def _whole_lines(path: str, report: SieveReport, *, is_live: bool = False) -> Iterator[bytes]:
    """Chunks that end in a newline; over-long lines come as an empty line, a torn last line not at all."""
    rest = b""
    skipping = False
    lines = 0
    for block in _blocks(path, report, is_live=is_live):
        data = rest + block
        rest = b""
        if skipping:
            end = data.find(b"\n")
            if end < 0:
                continue
            skipping = False
            data = data[end:]  # begins with the newline: the over-long line becomes an empty one
        cut = data.rfind(b"\n") + 1
        whole, rest = data[:cut], data[cut:]
        if whole:
            yield whole
            lines += whole.count(b"\n")
        if len(rest) > LINE_LIMIT:
            report.reject(lines + 1, "line_too_long")
            rest, skipping = b"", True
    if rest.strip() and not is_live:
        if rest.rstrip().endswith(b"}"):
            yield rest + b"\n"
        else:
            report.reject(lines + 1, "torn_line")
            report.notes.append(f"{path}: the last line is incomplete (still being written, or cut); it was set aside")


def _open(path: str, *, is_live: bool) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        if not is_live:
            raise
        return Path(path.removesuffix(".open")).open("rb")  # sealed since it was found


def _blocks(path: str, report: SieveReport, *, is_live: bool) -> Iterator[bytes]:
    with _open(path, is_live=is_live) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(4)
        file.seek(0)
        if head.startswith(b"\x1f\x8b"):
            yield from _gzip_blocks(path, file, size, report)
        elif head.startswith(b"\x28\xb5\x2f\xfd"):
            yield from _zstd_blocks(path, file, size, report)
        else:
            first = True
            for block in _raw_blocks(file, size):
                yield block.removeprefix(b"\xef\xbb\xbf") if first else block
                first = False
        if os.fstat(file.fileno()).st_size > size and not is_live:
            report.notes.append(f"{path}: grew while it was read; what it held at the start was used")


def _raw_blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left > 0 and (block := file.read(min(BLOCK, left))):
        left -= len(block)
        yield block


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Compressed bytes in small steps: that bounds what one call can blow up to, and what is lost to damage in it."""
    for block in _raw_blocks(file, size):
        for start in range(0, len(block), COMPRESSED_STEP):
            yield block[start : start + COMPRESSED_STEP]


def _gzip_blocks(path: str, file: BinaryIO, size: int, report: SieveReport) -> Iterator[bytes]:
    machine = zlib.decompressobj(wbits=31)
    started = False
    try:
        for data in _pieces(file, size):
            while data:
                if machine.eof:  # the next member of a concatenated file
                    machine, started = zlib.decompressobj(wbits=31), False
                started = True
                block = machine.decompress(data, BLOCK)
                data = machine.unconsumed_tail or (machine.unused_data if machine.eof else b"")  # noqa: PLW2901
                if block:
                    yield block
        while started and not machine.eof and (block := machine.decompress(machine.unconsumed_tail, BLOCK)):
            yield block
    except zlib.error:
        report.reasons["corrupt_compression"] += 1
        report.notes.append(f"{path}: damaged gzip data; what came before the damage was read")
        return
    if started and not machine.eof:
        report.reasons["truncated_file"] += 1
        report.notes.append(f"{path}: the gzip stream is cut; what came before the cut was read")


def _zstd_blocks(path: str, file: BinaryIO, size: int, report: SieveReport) -> Iterator[bytes]:
    def cut() -> None:
        report.reasons["truncated_file"] += 1
        report.notes.append(f"{path}: the zstd stream is cut or damaged; what came before was read")

    machine = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    started = False
    for piece in _pieces(file, size):
        while piece:
            if machine.eof:
                machine, started = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(), False
            started = True
            try:
                block = machine.decompress(piece)
            except zstandard.ZstdError:
                cut()
                return
            piece = machine.unused_data if machine.eof else b""  # noqa: PLW2901 - the rest of it belongs to the next frame
            if block:
                yield block
    if started and not machine.eof:
        cut()
