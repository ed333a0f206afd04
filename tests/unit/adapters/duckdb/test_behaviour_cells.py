"""Sums and histograms of how decisions went, against a plain count of the same rows."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from undertow.ports.audit_source import CellOptions
from undertow.records.cells import NOVELTY_BINS, AuditCells
from undertow.records.columns import AUDIT_COLUMNS
from unit.adapters.duckdb.logs import decision, read, write_jsonl, write_parquet


def rows() -> list[dict[str, object]]:
    rng = np.random.default_rng(5)
    made = []
    for i in range(300):
        held = i % 3 != 0
        features = {"refusal_words": float(i % 7 == 0), "hedging": float(rng.random()), "mean_logprob": -0.2}
        made.append(
            decision(
                i,
                float(24 * rng.integers(0, 4)),
                tier="cheap" if i % 4 else "capable",
                segment={"intent": "billing" if i % 2 else "other", "plan": "pro" if i % 5 else "free"},
                escalated=None if i % 10 == 0 else bool(i % 4 == 0),
                output_tokens=None if i % 11 == 0 else int(rng.integers(1, 500)),
                novelty=None if i % 13 == 0 else float(rng.gamma(2.0)),
                score=None if i % 17 == 0 else float(rng.normal()),
                features=features if held else None,
            )
        )
    return made


def write_parquet_with_features(path: Path, some: list[dict[str, object]]) -> Path:
    return write_parquet(path, some, AUDIT_COLUMNS)


EDGES = tuple(np.linspace(-2.5, 2.5, 11).tolist())


def expected(some: list[dict[str, object]], cells: AuditCells) -> dict[tuple[int, int, int], dict[str, float]]:
    first = int(cells.behaviour.bucket.min())
    codes = {(s.key, s.value): code for code, s in enumerate(cells.segments)}
    found: dict[tuple[int, int, int], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    start = min(str(row["event_time"]) for row in some)[:10]
    for row in some:
        day = int(str(row["event_time"])[8:10]) - int(start[8:10]) + first
        segment: dict[str, str] = row["segment"]  # type: ignore[assignment]
        features: dict[str, float] = row["features"] or {}  # type: ignore[assignment]
        for code in (0, *(codes[pair] for pair in segment.items())):
            cell = found[day, cells.tiers.index(str(row["tier"])), code]
            cell["decisions"] += 1
            for name, total, value in (
                ("escalation", "escalated", row["escalated"]),
                ("output", "output_tokens", row["output_tokens"]),
                ("novelty", "novelty", row["novelty"]),
                ("score", "score", row["score"]),
                ("refusal", "refusals", features.get("refusal_words")),
                ("hedging", "hedging", features.get("hedging")),
            ):
                if value is not None:
                    cell[f"{name}_n"] += 1
                    cell[total] += float(value)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("write", [write_jsonl, write_parquet_with_features])
def test_sums_are_those_of_a_plain_count(tmp_path: Path, write: object) -> None:
    some = rows()
    ending = "jsonl" if write is write_jsonl else "parquet"
    cells = read(write(tmp_path / f"d.{ending}", some))  # type: ignore[operator]
    table = cells.behaviour
    wanted = expected(some, cells)
    assert len(table) == len(wanted)
    for i in range(len(table)):
        cell = wanted[int(table.bucket[i]), int(table.tier[i]), int(table.segment[i])]
        for name in table.__dataclass_fields__:
            if name not in {"bucket", "tier", "segment"}:
                assert getattr(table, name)[i] == pytest.approx(cell[name]), name
    assert "features" not in cells.coverage.missing_columns


def test_a_log_without_the_columns_has_nothing_but_traffic(tmp_path: Path) -> None:
    bare = [{k: v for k, v in decision(i).items() if k != "output_tokens"} for i in range(3)]
    cells = read(write_jsonl(tmp_path / "d.jsonl", bare))
    table = cells.behaviour
    names = [n for n in table.__dataclass_fields__ if n not in {"bucket", "tier", "segment", "decisions"}]
    assert all(getattr(table, name).sum() == 0 for name in names)
    assert table.decisions[table.segment == 0].sum() == 3
    assert len(cells.novelty) == len(cells.scores) == 0


def test_histograms_count_every_value_once(tmp_path: Path) -> None:
    some = rows()
    cells = read(write_jsonl(tmp_path / "d.jsonl", some), options=CellOptions(score_edges=EDGES))
    novelty = [float(row["novelty"]) for row in some if row["novelty"] is not None]  # type: ignore[arg-type]
    score = [float(row["score"]) for row in some if row["score"] is not None]  # type: ignore[arg-type]
    for table, values, bins in (
        (cells.novelty, np.floor(np.array(novelty) / (1 + np.array(novelty)) * NOVELTY_BINS), NOVELTY_BINS),
        (cells.scores, np.searchsorted(np.array(EDGES[1:-1]), score, side="right"), 10),
    ):
        whole = table.take(table.segment == 0)
        counted = np.bincount(whole.bin, weights=whole.n, minlength=bins)
        assert counted.tolist() == np.bincount(np.asarray(values, dtype=int), minlength=bins).tolist()
        for key in ("intent", "plan"):
            codes = [code for code, segment in enumerate(cells.segments) if segment.key == key]
            assert table.n[np.isin(table.segment, codes)].sum() == whole.n.sum()


def test_parts_of_a_log_add_up_to_the_whole(tmp_path: Path) -> None:
    some = rows()
    options = CellOptions(score_edges=EDGES)
    whole = read(write_jsonl(tmp_path / "all.jsonl", some), options=options)
    halves = [read(write_jsonl(tmp_path / f"{i}.jsonl", some[i::2]), options=options) for i in (0, 1)]
    for name in ("behaviour", "novelty", "scores"):
        one, other = (getattr(half, name) for half in halves)
        merged, table = one.concat(other), getattr(whole, name)
        keys = [k for k in ("bucket", "tier", "bin") if k in table.__dataclass_fields__]
        for field in set(table.__dataclass_fields__) - {*keys, "segment"}:
            for part in (merged, table):
                assert len(part) > 0
            left, right = (_by_key(part.take(part.segment == 0), keys, field) for part in (merged, table))
            assert left == pytest.approx(right), (name, field)


def _by_key(table: object, keys: list[str], field: str) -> dict[tuple[int, ...], float]:
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for *key, value in zip(*(getattr(table, name).tolist() for name in (*keys, field)), strict=True):
        found[tuple(key)] += value
    return dict(found)


def test_a_feature_that_is_no_number_is_no_number(tmp_path: Path) -> None:
    some = [
        decision(1, features={"hedging": "NaN", "refusal_words": 1.0}),
        decision(2, features={"hedging": 0.5}),
        decision(3, features=[1, 2]),
    ]
    cells = read(write_jsonl(tmp_path / "d.jsonl", some))
    whole = cells.behaviour.take(cells.behaviour.segment == 0)
    assert whole.hedging.sum() == 0.5
    assert whole.refusals.sum() == 1.0
    assert cells.coverage.rejected == 0
