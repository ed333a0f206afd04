"""Opens the in-process engine with bounded memory, no network and no extensions from outside."""

import tempfile
from pathlib import Path

import duckdb

from undertow.adapters.duckdb.sql import literal


def open_engine(memory_limit: str, threads: int | None, temp_dir: str | Path | None) -> duckdb.DuckDBPyConnection:
    """A fresh in-memory DuckDB that spills to `temp_dir` when `memory_limit` is reached.

    Extensions are never fetched (`autoinstall_known_extensions` off); Parquet, JSON and ICU are part of the wheel. The
    session's time zone is UTC, so a cast of a time without zone means UTC on every machine.

    Args:
        memory_limit: DuckDB's spelling: "1500MB".
        threads: Worker threads; None: one a core.
        temp_dir: Where to spill; None: the system's folder for temporary files.
    """
    engine = duckdb.connect(":memory:")
    for name, value in (
        ("memory_limit", memory_limit),
        ("temp_directory", str(temp_dir or tempfile.gettempdir())),
        ("TimeZone", "UTC"),
    ):
        engine.execute(f"SET {name} = {literal(value)}")
    engine.execute("SET autoinstall_known_extensions = false")
    engine.execute("SET autoload_known_extensions = false")
    engine.execute("SET preserve_insertion_order = false")
    engine.execute("SET enable_progress_bar = false")
    # Each statement would read the footer of a file anew, which has an entry a column and row group.
    engine.execute("SET parquet_metadata_cache = true")
    # Made for files behind a network. Of files on a disk the system keeps what was read: a further copy costs time and memory.
    engine.execute("SET disable_parquet_prefetching = true")
    engine.execute("SET enable_external_file_cache = false")
    if threads is not None:
        engine.execute(f"SET threads = {int(threads)}")
    return engine
