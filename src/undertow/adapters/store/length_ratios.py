"""How much longer the capable tier answers than another, measured in the converted log; for what a request would have cost there.

A tier keeps the requests that its policy gave it, mostly the easier and shorter ones, so the mean of the holdout (all eligible
requests) says too much about them. The arms are randomised: among the eligible requests of the treatment arm, those that the
capable tier served anyway show how long its answers to *those* are, and what is left of the holdout's mean belongs to the
requests that the other tier served. With a = the share that the tier served:

    capable length on what the tier served = (mean of holdout - (1 - a) * mean of the rest) / a

Where more than two tiers share the traffic, how long the capable tier's answers to the third tier's requests are is not
known; the plain mean of the holdout stands then, and errs towards a larger baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import literal
from undertow.records.columns import LOG_COLUMNS
from undertow.records.runtime_files import LENGTH_RATIOS, LengthRatios

DAYS = 14
LEAST = 30
"""Answers needed on either side."""

MOST_SEGMENTS = 1_000
LEAST_SHARE = 0.1
"""A tier that served less than this of the eligible requests leaves a difference of two large numbers: no ratio."""

MEMORY_LIMIT = "256MB"


@dataclass(frozen=True, slots=True)
class _Lengths:
    """Answers of one kind, and their output tokens together."""

    n: int = 0
    tokens: float = 0.0

    @property
    def mean(self) -> float:
        return self.tokens / self.n


@dataclass(frozen=True, slots=True)
class _Cell:
    """One segment (or all): the holdout's answers of the capable tier, and the treatment arm's answers by tier."""

    holdout: _Lengths
    served: Mapping[str, _Lengths]


def measure_length_ratios(store_path: str | Path, tiers: Sequence[str], at: datetime) -> LengthRatios:
    """Measure over the last 14 days of the converted log.

    Args:
        store_path: The store's root folder.
        tiers: All tiers, cheapest first; the last one is the capable tier.
        at: Now, aware.

    Raises:
        OSError: The files cannot be read.
    """
    since = at.astimezone(UTC) - timedelta(days=DAYS)
    files = _files(Path(store_path) / "decisions", since.date())
    cells = _cells(files, tiers[-1], since, Path(store_path) / "state") if files and len(tiers) > 1 else {}
    found: dict[str, dict[str, float]] = {}
    for label, cell in sorted(cells.items()):
        for tier in tiers[:-1]:
            ratio = _ratio(cell, tier, tiers[-1])
            if ratio is not None:
                found.setdefault(tier, {})[label] = round(ratio, 4)
    shown = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return LengthRatios(at=shown, tiers=found)


def write_length_ratios(store_path: str | Path, ratios: LengthRatios) -> None:
    """Replace `state/length-ratios.json` in one step.

    Raises:
        OSError: It cannot be written.
    """
    path = Path(store_path) / LENGTH_RATIOS
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(ratios) + b"\n")
    fresh.replace(path)


def _files(folder: Path, first: date) -> list[Path]:
    """Files of the dates from `first` on."""
    return sorted(
        file
        for dated in folder.glob("date=*")
        if dated.name.removeprefix("date=") >= first.isoformat()
        for file in dated.glob("*.parquet")
    )


def _cells(files: Sequence[Path], capable: str, since: datetime, spill: Path) -> dict[str, _Cell]:
    names = {column.name for column in LOG_COLUMNS}
    assert {"tier", "arm", "eligible", "status", "output_tokens", "segment", "origin", "mode"} <= names
    engine = open_engine(MEMORY_LIMIT, 1, spill)
    listed = ", ".join(literal(str(file)) for file in files)
    try:
        rows = engine.execute(
            f"""
            WITH answers AS (
                SELECT arm, tier, output_tokens, segment
                FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)
                WHERE event_time >= $since AND eligible AND status = 'ok' AND output_tokens IS NOT NULL
                  AND coalesce(origin, 'live') = 'live' AND coalesce(mode, 'route') = 'route'
                  AND (arm = 'treatment' OR (arm = 'holdout' AND tier = $capable))
            ), labelled AS (
                SELECT '' AS label, arm, tier, output_tokens FROM answers
                UNION ALL
                SELECT entry.key || '=' || entry.value, arm, tier, output_tokens
                FROM (SELECT arm, tier, output_tokens, unnest(map_entries(segment)) AS entry FROM answers)
            ), counted AS (
                SELECT label, arm, tier, count(*) AS n, sum(output_tokens)::DOUBLE AS tokens FROM labelled GROUP BY ALL
            ), largest AS (
                SELECT label FROM counted GROUP BY label HAVING sum(n) >= $least
                ORDER BY label <> '', sum(n) DESC, label LIMIT $most
            )
            SELECT label, arm, tier, n, tokens FROM counted SEMI JOIN largest USING (label)
            """,
            {
                "since": since.replace(tzinfo=None),
                "capable": capable,
                "least": 2 * LEAST,
                "most": MOST_SEGMENTS + 1,
            },
        ).fetchall()
    except duckdb.Error as error:
        raise OSError("the decisions of the last days cannot be read") from error
    finally:
        engine.close()
    holdout: dict[str, _Lengths] = {}
    served: dict[str, dict[str, _Lengths]] = {}
    for label, arm, tier, n, tokens in rows:
        if arm == "holdout":
            holdout[label] = _Lengths(n, tokens)
        else:
            served.setdefault(label, {})[tier] = _Lengths(n, tokens)
    return {label: _Cell(holdout[label], served.get(label, {})) for label in holdout}


def _ratio(cell: _Cell, tier: str, capable: str) -> float | None:
    own = cell.served.get(tier, _Lengths())
    if own.n < LEAST or cell.holdout.n < LEAST or own.tokens <= 0:
        return None
    if set(cell.served) - {tier, capable}:
        return cell.holdout.mean / own.mean
    rest = cell.served.get(capable, _Lengths())
    share = own.n / (own.n + rest.n)
    if share < LEAST_SHARE:
        return None
    length = cell.holdout.mean if not rest.n else (cell.holdout.mean - (1 - share) * rest.mean) / share
    return length / own.mean if length > 0 else None
