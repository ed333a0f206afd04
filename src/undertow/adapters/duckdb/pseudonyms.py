"""Makes the ids of signal and outcome files pseudonymous, so that they meet those of a log that the gateway wrote under an id key."""

import tempfile
from pathlib import Path

import duckdb
import msgspec

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal
from undertow.adapters.importers.files import container_of, expand, opened
from undertow.records.pseudonym import pseudonym
from undertow.records.unreadable import UNREADABLE

IDS = ("user_id", "conversation_id")
"""Columns whose values are made pseudonymous. Decision ids are random already, and stay as they are."""


def pseudonymous_copies(name: str, folder: Path, key: bytes) -> tuple[str, ...]:
    """Copies of signal files with pseudonyms for ids; everything else, bad lines too, as it is.

    Args:
        name: File, folder or glob of Parquet or JSON lines (plain, .gz, .zst).
        folder: Where the copies go; it is made.
        key: Key of the pseudonyms.

    Raises:
        LogError: Something named cannot be read.
    """
    copies = []
    for number, path in enumerate(expand((name,))):
        target = folder / str(number) / path.name.removesuffix(".gz").removesuffix(".zst").removesuffix(".zstd")
        target.parent.mkdir(parents=True, exist_ok=True)
        if container_of(path).kind == "parquet":
            _copy_parquet(path, target, key)
        else:
            _copy_lines(path, target, key)
        copies.append(str(target))
    return tuple(copies)


def _copy_lines(path: Path, target: Path, key: bytes) -> None:
    with opened(path) as lines, target.open("wb") as out:
        for line in lines:
            out.write(_line(line, key))


def _line(line: bytes, key: bytes) -> bytes:
    if not any(f'"{name}"'.encode() in line for name in IDS):
        return line
    try:
        row = msgspec.json.decode(line)
    except UNREADABLE:
        return line  # the reader sets it aside and says why
    if not isinstance(row, dict):
        return line
    for name in IDS:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            row[name] = pseudonym(str(value), key)
    return msgspec.json.encode(row) + b"\n"


def _copy_parquet(path: Path, target: Path, key: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="undertow-ids-") as spill:
        engine = open_engine("500MB", 1, spill)
        try:
            source = f"read_parquet({literal(exact_glob(str(path)))}, hive_partitioning = false)"
            columns = {row[0] for row in engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
            present = [name for name in IDS if name in columns]
            engine.create_function("pseudonym", lambda value: pseudonym(value, key), ["VARCHAR"], "VARCHAR")  # type: ignore[arg-type]
            replaced = ", ".join(
                f"pseudonym(CAST({identifier(name)} AS VARCHAR)) AS {identifier(name)}" for name in present
            )
            selected = f"* REPLACE ({replaced})" if present else "*"
            engine.execute(f"COPY (SELECT {selected} FROM {source}) TO {literal(str(target))} (FORMAT parquet)")
        except duckdb.Error:
            # Damaged: the reader finds out by itself, and says so.
            target.write_bytes(path.read_bytes())
        finally:
            engine.close()
