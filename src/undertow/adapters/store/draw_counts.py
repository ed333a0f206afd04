"""Counts of a store's draws (`draws/`): how many were chosen where how many were to be expected."""

from pathlib import Path

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import literal
from undertow.records.sampling import EXTRA
from undertow.sampling.audit import DrawCounts

MEMORY_LIMIT = "256MB"


def draw_counts(store: Path) -> tuple[DrawCounts, ...]:
    """Counts by purpose, stratum and size of the probability (powers of two), over the whole store.

    Raises:
        OSError: The files cannot be read.

    Examples:
        >>> draw_counts(Path("nowhere"))
        ()
    """
    files = sorted(str(file) for file in (store / "draws").glob("date=*/*.parquet"))
    if not files:
        return ()
    engine = open_engine(MEMORY_LIMIT, 1, store / "state")
    try:
        rows = engine.execute(
            f"""
            SELECT purpose, split_part(stratum, {literal(EXTRA)}, 1) AS stratum, min(inclusion_probability), max(inclusion_probability),
                   count(*), sum(chosen::INTEGER)::BIGINT, sum(inclusion_probability)
            FROM read_parquet([{", ".join(literal(file) for file in files)}], union_by_name = true, hive_partitioning = false)
            WHERE purpose IN ('review', 'shadow') AND inclusion_probability > 0
            GROUP BY purpose, 2, floor(log2(inclusion_probability)) ORDER BY ALL
            """
        ).fetchall()
    except duckdb.Error as error:
        raise OSError("the draws cannot be read") from error
    finally:
        engine.close()
    return tuple(DrawCounts(*row) for row in rows)
