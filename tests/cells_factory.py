"""Small `AuditCells` from readable arguments: what each tier served, and how its labels came out, day by day.

    cells = build(
        served("capable", 100, days=28),
        served("cheap", 65, days=60, start=28),
        labels("cheap", 40, 4, days=60, start=28, segment="intent=billing"),
    )

Numbers are per bucket: a scalar for all of them, or one a bucket. A part with a segment counts in the whole tier too, as the
engine's cells do. Buckets count from `FIRST` (2026-01-01).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from undertow.records.cells import (
    ARM_HOLDOUT,
    ARM_TREATMENT,
    ARM_UNKNOWN,
    BASIS_CODES,
    CALL_FATES,
    CALL_PURPOSES,
    CHANGE_KINDS,
    LATENCY_WAYS,
    NO,
    SELECTION_CODES,
    UNKNOWN,
    YES,
    AuditCells,
    BehaviourCells,
    BinCells,
    CalibrationCells,
    CallCells,
    ConfidenceCells,
    Coverage,
    ExposureCells,
    LabelCells,
    LatencyCells,
    ModelCells,
    OutcomeCells,
    SkippedCells,
    Table,
    TrafficCells,
)
from undertow.records.segment import WHOLE, Segment

DAY = 86_400
FIRST = 20_454
"""First bucket of a log of days: 2026-01-01."""

START = datetime(2026, 1, 1, tzinfo=UTC)
ARMS = {"treatment": ARM_TREATMENT, "holdout": ARM_HOLDOUT, None: ARM_UNKNOWN}
ELIGIBLE = {True: YES, False: NO, None: UNKNOWN}
Daily = float | npt.ArrayLike


@dataclass(frozen=True)
class Part:
    """Rows of one table; codes of names are filled in by `build`."""

    kind: type[Table] | str
    columns: dict[str, np.ndarray]
    tier: str | None = None
    segment: str | None = None
    signal: str | None = None
    outcome: str | None = None
    value: str | None = None


def day(number: float) -> datetime:
    """Start of a day counted from the log's first."""
    return START + timedelta(days=number)


def _per_bucket(value: Daily, days: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(value, dtype=float), (days,)).copy()


def _buckets(start: int, days: int) -> np.ndarray:
    return np.arange(start, start + days)


def served(
    tier: str | None,
    per_day: Daily,
    *,
    days: int,
    start: int = 0,
    arm: str | None = "treatment",
    eligible: bool | None = True,
    segment: str | None = None,
    cost: float | None = 0.01,
    baseline: float | None = 0.04,
    tokens: float = 0.0,
    **columns: Daily,
) -> Part:
    """Traffic of one tier: decisions per bucket, with the mean cost and baseline cost of each (None: not logged)."""
    n = _per_bucket(per_day, days)
    paid = n * (cost is not None)
    paired = n * (cost is not None and baseline is not None)
    given = {
        "bucket": _buckets(start, days),
        "arm": np.full(days, ARMS[arm]),
        "eligible": np.full(days, ELIGIBLE[eligible]),
        "decisions": n,
        "cost_n": paid,
        "cost_usd": paid * (cost or 0.0),
        "paired_cost_n": paired,
        "paired_cost_usd": paired * (cost or 0.0),
        "baseline_cost_usd": paired * (baseline or 0.0),
        "saved_sq": paired * ((baseline or 0.0) - (cost or 0.0)) ** 2,
        "input_tokens": n * tokens,
        "output_tokens": n * tokens,
    }
    return Part(TrafficCells, given | {k: _per_bucket(v, days) for k, v in columns.items()}, tier, segment)


def labels(
    tier: str,
    n: Daily,
    failures: Daily,
    *,
    days: int,
    start: int = 0,
    arm: str | None = "treatment",
    eligible: bool | None = True,
    segment: str | None = None,
    signal: str = "review.accuracy",
    selection: str = "sampled",
    basis: str = "human",
    stratum: int = 0,
    steered: int = 0,
    weight: float = 1.0,
    pair_weight: float | None = None,
    delay: int = 0,
    pairs: bool = False,
    lost: Daily = 0.0,
    won: Daily = 0.0,
) -> Part:
    """Labels of 0 or 1 per bucket of decision, all of one weight, available `delay` buckets later.

    With `pairs` every label has a reference value: `lost` of them the cheap answer lost outright, `won` of them it won. A pair stands for
    `pair_weight`, if that is not the label's weight.
    """
    both = weight if pair_weight is None else pair_weight
    many, k, up, down = (_per_bucket(x, days) for x in (n, failures, lost, won))
    return Part(
        LabelCells,
        {
            "available": _buckets(start, days) + delay,
            "decided": _buckets(start, days),
            "arm": np.full(days, ARMS[arm]),
            "eligible": np.full(days, ELIGIBLE[eligible]),
            "selection": np.full(days, SELECTION_CODES.index(selection)),
            "basis": np.full(days, BASIS_CODES.index(basis)),
            "stratum": np.full(days, stratum),
            "steered": np.full(days, steered),
            "n": many,
            "failures": k,
            "failures_sq": k,
            "weight": weight * many,
            "weight_sq": weight**2 * many,
            "weighted_failures": weight * k,
            "weighted_failures_sq": weight**2 * k,
            "weight_weighted_failures": weight**2 * k,
            "weight_max": weight * (many > 0),
            "pairs": many * pairs,
            "loss_up": up,
            "loss_down": down,
            "loss_sq": up + down,
            "weighted_loss": both * (up - down),
            "weighted_loss_sq": both**2 * (up + down),
            "pair_weight": both * many * pairs,
            "weighted_loss_up": both * up,
            "pair_weight_max": both * (many * pairs > 0),
        },
        tier,
        segment,
        signal,
    )


def model(tier: str, value: str, per_day: Daily, *, days: int, start: int = 0, kind: str = "model") -> Part:
    """Decisions that a model (or fingerprint, policy, prompt version) served."""
    columns = {
        "bucket": _buckets(start, days),
        "kind": np.full(days, CHANGE_KINDS.index(kind)),
        "decisions": _per_bucket(per_day, days),
    }
    return Part(ModelCells, columns, tier, value=value)


def calls(
    tier: str,
    purpose: str,
    usd_per_day: Daily | None,
    *,
    days: int,
    start: int = 0,
    fate: str = "used",
    output_tokens: float = 0.0,
) -> Part:
    """One upstream call a bucket of one purpose and fate, and what it cost (None: not known)."""
    columns = {
        "bucket": _buckets(start, days),
        "purpose": np.full(days, CALL_PURPOSES.index(purpose)),
        "fate": np.full(days, CALL_FATES.index(fate)),
        "calls": np.ones(days),
        "cost_n": np.full(days, usd_per_day is not None),
        "cost_usd": _per_bucket(0.0 if usd_per_day is None else usd_per_day, days),
        "output_tokens": np.full(days, output_tokens),
    }
    return Part(CallCells, columns, tier)


def latency(tier: str, histogram: Mapping[int, int], *, way: str = "direct") -> Part:
    """Answered decisions by bin of latency."""
    columns = {
        "bin": np.array(list(histogram)),
        "n": np.array(list(histogram.values())),
        "way": np.full(len(histogram), LATENCY_WAYS.index(way)),
    }
    return Part(LatencyCells, columns, tier)


def skipped(tier: str, per_day: Daily, *, days: int, start: int = 0) -> Part:
    """Decisions per bucket whose cheap answer was predicted hopeless."""
    return Part(SkippedCells, {"bucket": _buckets(start, days), "decisions": _per_bucket(per_day, days)}, tier)


def confidence(tier: str, counts: npt.ArrayLike, *, start: int = 0, segment: str | None = None) -> Part:
    """Histograms of the routing confidence over [0, 1], one row a bucket. Shape (T, 40)."""
    histogram = np.asarray(counts, dtype=float)
    days, bins = histogram.shape
    centre = (np.arange(bins) + 0.5) / bins
    columns = {
        "bucket": np.repeat(_buckets(start, days), bins),
        "bin": np.tile(np.arange(bins), days),
        "n": histogram.ravel(),
        "total": (histogram * centre).ravel(),
        "total_sq": (histogram * centre**2).ravel(),
    }
    return Part(ConfidenceCells, columns, tier, segment)


def behaved(tier: str, n: Daily, *, days: int, start: int = 0, segment: str | None = None, **sums: Daily) -> Part:
    """How decisions went, per bucket: sums by the names of `BehaviourCells`; every quantity is known of `n` decisions."""
    many = _per_bucket(n, days)
    counts = {f"{name}_n": many for name in ("escalation", "output", "refusal", "hedging", "novelty", "score")}
    columns = {"bucket": _buckets(start, days), "decisions": many} | counts
    return Part(BehaviourCells, columns | {k: _per_bucket(v, days) for k, v in sums.items()}, tier, segment)


def binned(table: str, tier: str, counts: npt.ArrayLike, *, start: int = 0, segment: str | None = None) -> Part:
    """A histogram per bucket, of `novelty` or `scores`. Shape (T, bins)."""
    histogram = np.asarray(counts, dtype=float)
    days, bins = histogram.shape
    columns = {
        "bucket": np.repeat(_buckets(start, days), bins),
        "bin": np.tile(np.arange(bins), days),
        "n": histogram.ravel(),
    }
    return Part(table, columns, tier, segment)


def stated(
    tier: str,
    n: Daily,
    failures: Daily,
    confidence: float,
    *,
    days: int,
    start: int = 0,
    signal: str = "review.accuracy",
    weight: float = 1.0,
) -> Part:
    """Labels per bucket of answers that were given one confidence."""
    many, k = _per_bucket(n, days), _per_bucket(failures, days)
    columns = {
        "bucket": _buckets(start, days),
        "bin": np.full(days, min(int(confidence * 40), 39)),
        "n": many,
        "failures": k,
        "weight": weight * many,
        "weighted_failures": weight * k,
        "weighted_confidence": weight * confidence * many,
        "weight_max": weight * (many > 0),
    }
    return Part(CalibrationCells, columns, tier, signal=signal)


def exposed(
    tier: str,
    per_cluster: float,
    *,
    days: int,
    clusters: Iterable[int],
    start: int = 0,
    arm: str | None = "treatment",
    eligible: bool | None = True,
) -> Part:
    """Decisions by cluster of users: the denominators of outcome rates."""
    who = np.asarray(list(clusters))
    columns = {
        "bucket": np.repeat(_buckets(start, days), len(who)),
        "cluster": np.tile(who, days),
        "arm": np.full(days * len(who), ARMS[arm]),
        "eligible": np.full(days * len(who), ELIGIBLE[eligible]),
        "decisions": np.full(days * len(who), per_cluster),
    }
    return Part(ExposureCells, columns, tier)


def outcome(
    name: str,
    tier: str,
    per_cluster: npt.ArrayLike,
    *,
    days: int,
    clusters: Iterable[int],
    start: int = 0,
    arm: str | None = "treatment",
    value: float = 1.0,
) -> Part:
    """Events by cluster of users and bucket of the exposure; each is worth `value` units."""
    who = np.asarray(list(clusters))
    events = np.tile(np.broadcast_to(np.asarray(per_cluster, dtype=float), who.shape), days)
    columns = {
        "bucket": np.repeat(_buckets(start, days), len(who)),
        "available": np.repeat(_buckets(start, days), len(who)),
        "cluster": np.tile(who, days),
        "arm": np.full(days * len(who), ARMS[arm]),
        "events": events,
        "value": events * value,
    }
    return Part(OutcomeCells, columns, tier, outcome=name)


TABLES: dict[type[Table], str] = {
    TrafficCells: "traffic",
    ConfidenceCells: "confidence",
    ModelCells: "models",
    LabelCells: "labels",
    CalibrationCells: "calibration",
    OutcomeCells: "outcomes",
    ExposureCells: "exposure",
    CallCells: "calls",
    LatencyCells: "latency",
    SkippedCells: "skipped",
    BehaviourCells: "behaviour",
}
BINNED = ("novelty", "scores")
_BUCKETS = ("bucket", "available", "decided")


def build(
    *parts: Part,
    tiers: tuple[str, ...] = ("cheap", "capable"),
    segments: Iterable[str] = (),
    bucket_s: int = DAY,
    coverage: Coverage | None = None,
) -> AuditCells:
    """The cells of a log made of `parts`. Segments are coded in the order given, then in that of their first part."""
    first = FIRST * DAY // bucket_s
    names = list(dict.fromkeys([*segments, *(p.segment for p in parts if p.segment)]))
    signals = list(dict.fromkeys(p.signal for p in parts if p.signal))
    outcomes = list(dict.fromkeys(p.outcome for p in parts if p.outcome))
    values = list(dict.fromkeys(p.value for p in parts if p.value))
    tables: dict[str, Any] = {}
    named = {**{table: kind for kind, table in TABLES.items()}, **dict.fromkeys(BINNED, BinCells)}
    for table, kind in named.items():
        rows: list[dict[str, np.ndarray]] = []
        for part in parts:
            if part.kind is not kind and part.kind != table:
                continue
            size = len(next(iter(part.columns.values())))
            base = {k: v + first if k in _BUCKETS else v for k, v in part.columns.items()}
            base["tier"] = np.full(size, -1 if part.tier is None else tiers.index(part.tier))
            for column, name, known in (
                ("signal", part.signal, signals),
                ("name", part.outcome, outcomes),
                ("value", part.value, values),
            ):
                if name is not None:
                    base[column] = np.full(size, known.index(name))
            places = [0] if part.segment is None else [0, 1 + names.index(part.segment)]
            rows += [base | {"segment": np.full(size, place)} for place in places]
        columns = {}
        for f in fields(kind):
            dtype = np.int64 if "IntArray" in str(f.type) or "int64" in str(f.type) else np.float64
            filled = [row.get(f.name, np.zeros(len(row["tier"]))) for row in rows]
            columns[f.name] = np.concatenate(filled).astype(dtype) if filled else np.zeros(0, dtype)
        tables[table] = kind(**columns)
    traffic, given = tables["traffic"], tables["labels"]
    last = int(traffic.bucket.max()) + 1
    seen = max([last, *(int(given.available.max()) + 1 for _ in range(min(1, len(given))))])
    return AuditCells(
        bucket_s=bucket_s,
        tiers=tiers,
        segments=(WHOLE, *(Segment(*name.split("=", 1)) for name in names)),
        signals=tuple(signals),
        outcome_names=tuple(outcomes),
        change_values=tuple(values),
        first_event=float(traffic.bucket.min() * bucket_s),
        last_event=float(last * bucket_s - 1),
        last_available=float(seen * bucket_s - 1),
        confidence_column="confidence" if len(tables["confidence"]) else None,
        confidence_range=(0.0, 1.0),
        coverage=coverage or Coverage(decisions=int(traffic.decisions[traffic.segment == 0].sum())),
        **tables,
    )


def whole_numbers(rng: np.random.Generator, n: Daily, rate: Daily, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and failures per bucket, drawn: n labels each, which fail at `rate`."""
    many = _per_bucket(n, days).astype(int)
    return many.astype(float), rng.binomial(many, _per_bucket(rate, days)).astype(float)
