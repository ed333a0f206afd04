"""Turns sealed segments into Parquet, one file a segment and UTC date (several where lines are long). Work of the keeper: it needs the engine.

Nothing is lost and a reader sees everything once, at whatever moment either of them is killed or looks:

1. a segment's Parquet files are written under hidden names, synced, then renamed; doing it again gives the same files;
2. only then the marker `SEG.done` says that they stand for the segment. Until then readers use the segment, after that the files;
   what was drawn stands in decisions and, from step 1 on, in `draws/` too: of files of a segment without marker all are written again;
3. the segment goes after a grace period, in which readers that listed it before the marker can still read it; then its marker.

A segment is left alone while an intents file of its writer's life, of its own number or an earlier one, is there: recovery may
need it. Small files of past dates are not merged; that is a later step's.
"""

import json
import os
import shutil
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import exact_glob, identifier, literal
from undertow.adapters.one_writer import alone
from undertow.adapters.store.append_file import sync_folder
from undertow.adapters.store.date_pieces import Part, Piece, split_by_date
from undertow.adapters.store.layout import DONE, INTENTS, OPEN_FOLDER, SEALED, SegmentName, list_segments, utc_text
from undertow.records.columns import DRAW_COLUMNS, LOG_COLUMNS, SIGNAL_COLUMNS, Column

DRAWS = "draws"
GRACE_S = 600.0
MEMORY_LIMIT = "256MB"
_TEMPORARY, _SPOOL = ".parquet.tmp", "compaction-"
ROWS_A_GROUP = 20_480
FILE_MODE = 0o640
"""As of segments: records may hold ids and text, which are not for everybody on the machine."""
_COLUMNS: dict[Part, tuple[Column, ...]] = {"decisions": LOG_COLUMNS, "signals": SIGNAL_COLUMNS}


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did.

    Attributes:
        segments: Segments that were converted.
        rows: Rows in their Parquet files.
        rejected: Lines with something that is not of its column's type; each is kept whole in `state/rejects/`, and also
            stands in the Parquet file, without what could not be typed, if it has an id and a time.
        removed: Segments that were removed, their grace period being over.
        failed: Segments that could not be converted; they stay, and are tried again.
        is_busy: Another compaction was at work, so this one did nothing.
    """

    segments: int = 0
    rows: int = 0
    rejected: int = 0
    removed: int = 0
    failed: int = 0
    is_busy: bool = False


def compact(store_path: str | Path, *, grace_s: float = GRACE_S, memory_limit: str = MEMORY_LIMIT) -> Compacted:
    """Convert every sealed segment of a store, and remove those whose grace period is over.

    Args:
        store_path: The store's root folder.
        grace_s: Seconds that a converted segment is kept for readers that listed it before.
        memory_limit: The engine's own limit, in DuckDB's spelling; it spills to the store's disk beyond.

    Raises:
        OSError: The store cannot be read or written. Nothing is lost; run it again.
    """
    root = Path(store_path)
    with alone(root / "state" / "compaction.lock") as is_alone:
        if not is_alone:
            return Compacted(is_busy=True)
        for leftover in (root / "state").glob(f"{_SPOOL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        ready = {part: _ready(root, part) for part in _COLUMNS}
        done = _convert_all(root, ready, memory_limit) if any(ready.values()) else Compacted()
        removed = sum(_remove_converted(root / part / OPEN_FOLDER, grace_s) for part in _COLUMNS)
        return replace(done, removed=removed)


def _ready(root: Path, part: Part) -> list[tuple[SegmentName, Path]]:
    """Sealed segments that have no marker yet and that recovery does not need."""
    # The segments first: one whose intents file is gone by now is ready, whatever is sealed meanwhile.
    sealed = list(list_segments(root / part / OPEN_FOLDER, SEALED))
    done = {name.text for name, _ in list_segments(root / part / OPEN_FOLDER, DONE)}
    held = _held_lives(root) if part == "decisions" else {}
    return [
        (name, path)
        for name, path in sealed
        if name.text not in done and held.get(name.life, name.sequence + 1) > name.sequence
    ]


def _convert_all(root: Path, ready: dict[Part, list[tuple[SegmentName, Path]]], memory_limit: str) -> Compacted:
    segments = rows = rejected = failed = 0
    with (
        tempfile.TemporaryDirectory(prefix=_SPOOL, dir=root / "state") as spool,
        closing(open_engine(memory_limit, 1, spool)) as engine,
    ):
        _remove_leftovers(root / DRAWS)
        for part, found in ready.items():
            _remove_leftovers(root / part)
            for name, path in found:
                try:
                    done = _convert(engine, root, part, name, path, Path(spool))
                except duckdb.Error:
                    failed += 1
                    continue
                segments, rows, rejected = segments + 1, rows + done[0], rejected + done[1]
    return Compacted(segments, rows, rejected, failed=failed)


def _held_lives(root: Path) -> dict[str, int]:
    """By life, the number of its oldest intents file: segments from that number on may still be needed for recovery."""
    held: dict[str, int] = {}
    for name, _ in list_segments(root / "intents", INTENTS):
        held[name.life] = min(name.sequence, held.get(name.life, name.sequence))
    return held


def _remove_leftovers(part: Path) -> None:
    """Hidden files of a compaction that was killed. Nobody else is at work: the lock is held."""
    for path in part.glob(f"date=*/.*{_TEMPORARY}"):
        path.unlink(missing_ok=True)


def _remove_converted(folder: Path, grace_s: float) -> int:
    """Remove segments whose marker is older than the grace period; the marker last, for it is what readers go by."""
    removed = 0
    for name, marker in list_segments(folder, DONE):
        if time.time() - marker.stat().st_mtime < grace_s:
            continue
        segment = folder / (name.text + SEALED)
        removed += segment.exists()
        segment.unlink(missing_ok=True)
        marker.unlink()
    return removed


def _convert(
    engine: duckdb.DuckDBPyConnection, root: Path, part: Part, name: SegmentName, path: Path, spool: Path
) -> tuple[int, int]:
    """Write a segment's Parquet files and its marker; rows in them, and lines with something that has no type."""
    rejects = root / "state" / "rejects" / f"{part}-{path.name}"
    with tempfile.TemporaryDirectory(dir=spool) as own:
        pieces, rejected = split_by_date(part, path, Path(own), rejects)
        folders = {piece.date: root / part / f"date={piece.date}" for piece in pieces}
        drawn = {piece.date: root / DRAWS / f"date={piece.date}" for piece in pieces if part == "decisions"}
        for folder in (*folders.values(), *drawn.values()):
            for stale in folder.glob(f"{name.text}.*parquet"):  # no marker yet, so no reader counts them
                stale.unlink()
        for piece in pieces:
            stem = name.text if piece.number == 1 else f"{name.text}.{piece.number}"
            written = _write_parquet(engine, part, piece, folders[piece.date], stem)
            if part == "decisions":
                _write_draws(engine, written, drawn[piece.date], stem)
    rows = sum(piece.rows for piece in pieces)
    marker = path.with_name(name.text + DONE)
    marker.write_text(json.dumps({"at": utc_text(time.time()), "rows": rows, "rejected": rejected}) + "\n")
    sync_folder(path.parent)
    return rows, rejected


def _write_parquet(engine: duckdb.DuckDBPyConnection, part: Part, piece: Piece, folder: Path, stem: str) -> Path:
    """Write a piece as Parquet, whole or not at all; the file."""
    columns = _COLUMNS[part]
    shape = "{" + ",".join(f'"{column.name}":{_shape(column)}' for column in columns) + "}"
    selected = ", ".join(
        f"timezone('UTC', TRY_CAST(r.{identifier(column.name)} AS TIMESTAMPTZ)) AS {identifier(column.name)}"
        if column.sql_type == "TIMESTAMP"
        else f"r.{identifier(column.name)}"
        for column in columns
    )
    source = (
        f"read_csv({literal(exact_glob(str(piece.path)))}, delim = '\x01', quote = '', escape = '', header = false, "
        "columns = {'line': 'VARCHAR'}, auto_detect = false, strict_mode = false, new_line = '\\n', "
        f"max_line_size = {piece.longest_bytes + 1}, parallel = false)"
    )
    query = f"SELECT {selected} FROM (SELECT from_json(line, {literal(shape)}) AS r FROM {source})"
    return _copy(engine, query, folder, stem, piece.rows)


def _write_draws(engine: duckdb.DuckDBPyConnection, decisions: Path, folder: Path, stem: str) -> None:
    """Write the draws of a file of decisions beside it, a row each, chosen or not; no file where there are none."""
    source = f"read_parquet({literal(exact_glob(str(decisions)))}, hive_partitioning = false)"
    purposes = next(column for column in DRAW_COLUMNS if column.name == "purpose").choices
    # Lines may be anybody's: what is no draw stays in the decision's own column alone.
    query = (
        "SELECT decision_id, event_time AS drawn_at, d.purpose AS purpose, d.stratum AS stratum, "
        "d.inclusion_probability AS inclusion_probability, d.chosen AS chosen "
        f"FROM (SELECT decision_id, event_time, unnest(draws) AS d FROM {source} WHERE len(draws) > 0) "
        f"WHERE list_contains([{', '.join(map(literal, purposes))}], d.purpose) AND d.chosen IS NOT NULL "
        "AND d.inclusion_probability > 0 AND d.inclusion_probability <= 1"
    )
    counted = engine.execute(f"SELECT count(*) FROM ({query})").fetchone()
    if counted and counted[0]:
        _copy(engine, query, folder, stem, counted[0])


def _copy(engine: duckdb.DuckDBPyConnection, query: str, folder: Path, stem: str, expected: int) -> Path:
    """Write what a query gives as Parquet: under a hidden name, checked for its number of rows, synced, then renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden = folder / f".{stem}{_TEMPORARY}"
    # Made beforehand, so that its rows are at no moment for everybody to read; the engine writes into what is there.
    hidden.touch(FILE_MODE)
    engine.execute(
        f"COPY ({query}) TO {literal(str(hidden))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_A_GROUP}, USE_TMP_FILE false)"
    )
    counted = engine.execute(
        f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(exact_glob(str(hidden)))})"
    ).fetchone()
    rows = int(counted[0]) if counted and counted[0] is not None else 0
    if rows != expected:
        hidden.unlink(missing_ok=True)
        raise duckdb.InternalException(f"{rows} rows from {expected} lines")
    with hidden.open("rb") as file:
        os.fsync(file.fileno())
    target = folder / f"{stem}.parquet"
    hidden.rename(target)
    sync_folder(folder)
    sync_folder(folder.parent)
    return target


def _shape(column: Column) -> str:
    if column.sql_type.startswith("STRUCT("):
        fields = column.sql_type.removeprefix("STRUCT(").removesuffix(")[]").split(", ")
        return "[{" + ",".join('"{}":"{}"'.format(*field.split(" ")) for field in fields) + "}]"
    return '"VARCHAR"' if column.sql_type == "TIMESTAMP" else f'"{column.sql_type}"'
