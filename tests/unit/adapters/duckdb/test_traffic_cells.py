"""What changed when; other cells of traffic are compared with a plain count in test_source."""

from dataclasses import fields
from pathlib import Path

import pytest

from undertow.ledger.latency import histogram_quantile_ms
from undertow.records.cells import CALL_FATES, CHANGE_KINDS, LATENCY_BINS, LATENCY_WAYS
from unit.adapters.duckdb.logs import as_dict, decision, read, write_jsonl, write_parquet


def test_versions_by_day_and_tier(tmp_path: Path) -> None:
    rows = [
        decision(i, 24 * (i // 2), model="a" if i < 2 else "b", policy="p", policy_version=None if i == 0 else "v1")
        for i in range(4)
    ]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    m = cells.models
    first = int(m.bucket.min())
    found = {
        (int(b) - first, CHANGE_KINDS[k], cells.change_values[v], int(n))
        for b, k, v, n in zip(m.bucket, m.kind, m.value, m.decisions, strict=True)
    }
    assert found == {
        (0, "model", "a", 2),
        (1, "model", "b", 2),
        (0, "policy", "p", 2),
        (1, "policy", "p", 2),
        (0, "policy_version", "v1", 1),
        (1, "policy_version", "v1", 2),
    }


def test_versions_and_traffic_are_the_same_counted_together_or_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        decision(
            i,
            i,
            model="ab"[i % 2],
            policy_version=f"v{i // 10}",
            segment={"intent": "xyz"[i % 3]},
            escalated=i % 5 == 0,
        )
        for i in range(40)
    ]
    path = write_parquet(tmp_path / "d.parquet", rows)
    found = []
    for most in (8, 7):  # there are 8 combinations
        monkeypatch.setattr("undertow.adapters.duckdb.source.MOST_JOINT_VERSIONS", most)
        found.append(read(path))
    together, apart = found
    assert together.change_values == apart.change_values == ("a", "b", "v0", "v1", "v2", "v3")
    for table in ("models", "traffic", "behaviour", "skipped"):
        one, other = getattr(together, table), getattr(apart, table)
        for column in fields(one):
            assert getattr(one, column.name) == pytest.approx(getattr(other, column.name), rel=1e-12), column.name
    assert int(together.models.decisions.sum()) == 80


def test_a_version_that_is_an_id_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.adapters.duckdb.source.MOST_VERSIONS", 5)
    rows = [decision(i, model_fingerprint=f"fp{i}") for i in range(20)]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    assert CHANGE_KINDS.index("model_fingerprint") not in cells.models.kind
    assert any("`model_fingerprint`" in note for note in cells.coverage.notes)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        ("ok", "used"),
        ("fallback", "used"),
        (None, "used"),
        ("discarded", "discarded"),
        ("cancelled", "cancelled"),
        ("abandoned", "abandoned"),
        ("http_503", "failed"),
        ("error", "failed"),
    ],
)
def test_the_fate_of_a_call_is_its_status(tmp_path: Path, status: str | None, fate: str) -> None:
    call = {"tier": "cheap", "purpose": "serve", "cost_usd": 0.1, "output_tokens": 7, "status": status}
    cells = read(write_jsonl(tmp_path / "d.jsonl", [decision(1, calls=[call])]))
    assert [CALL_FATES[code] for code in cells.calls.fate] == [fate]
    assert cells.calls.output_tokens.tolist() == [7.0]


def test_calls_are_summed_by_fate_and_those_without_cost_are_counted_apart(tmp_path: Path) -> None:
    discarded = {"tier": "cheap", "purpose": "serve", "cost_usd": 0.1, "output_tokens": 5, "status": "discarded"}
    free = {"tier": "cheap", "purpose": "serve", "status": "discarded"}
    served = {"tier": "capable", "purpose": "serve", "cost_usd": 0.9, "output_tokens": 8, "status": "ok"}
    rows = [decision(1, calls=[discarded, served]), decision(2, calls=[discarded, free])]
    calls = read(write_parquet(tmp_path / "d.parquet", rows)).calls
    found = {
        CALL_FATES[fate]: (int(n), int(known), round(float(usd), 9), float(tokens))
        for fate, n, known, usd, tokens in zip(
            calls.fate, calls.calls, calls.cost_n, calls.cost_usd, calls.output_tokens, strict=True
        )
    }
    assert found == {"discarded": (3, 2, 0.2, 10.0), "used": (1, 1, 0.9, 8.0)}


def test_latency_is_counted_by_served_tier_and_escalation(tmp_path: Path) -> None:
    rows = [decision(i, latency_ms=100.0 + i, escalated=False) for i in range(30)]
    rows += [decision(100 + i, tier="capable", cost_usd=0.1, latency_ms=2000.0, escalated=True) for i in range(10)]
    rows += [
        decision(200, latency_ms=9e9, escalated=False, status="error"),
        decision(201, latency_ms=9e9, escalated=False, status="abandoned"),
        decision(202, latency_ms=9e9, escalated=None),
        decision(203, latency_ms=None, escalated=True),
        decision(204, latency_ms=9e9, escalated=False, tier=None),
    ]
    latency = read(write_parquet(tmp_path / "d.parquet", rows)).latency
    assert latency.n.sum() == 40
    for tier, way, n, ms in ((0, "direct", 30, 115.0), (1, "escalated", 10, 2000.0)):
        mine = latency.take((latency.tier == tier) & (latency.way == LATENCY_WAYS.index(way)))
        assert mine.n.sum() == n
        assert histogram_quantile_ms(mine.bin, mine.n, 0.5) == pytest.approx(ms, rel=0.03)


@pytest.mark.parametrize("write", [write_jsonl, write_parquet])
def test_a_request_whose_cheap_answer_was_not_asked_for_is_neither_escalated_nor_direct(tmp_path: Path, write) -> None:
    up = {"tier": "capable", "cost_usd": 0.1, "reason": "hopeless"}
    rows = [decision(i, latency_ms=100.0, escalated=False, reason="confident") for i in range(20)]
    rows += [decision(100 + i, 24 * (i // 3), **up, latency_ms=700.0, escalated=False) for i in range(4)]
    rows += [
        decision(200, 24, **up, latency_ms=700.0, escalated=None),
        decision(201, 24, **up, latency_ms=9e9, escalated=False, status="error"),
        decision(202, 24, **up, latency_ms=None, escalated=False),
        decision(203, 24, **up | {"tier": None}, latency_ms=9e9, escalated=False),
        decision(204, 24, **up, latency_ms=9e9, escalated=False, origin="suite"),
        decision(205, 24, **up, latency_ms=2000.0, escalated=True),
        decision(206, 24, **up | {"reason": "holdout"}, latency_ms=1000.0, escalated=False),
    ]
    cells = read(write(tmp_path / ("d.parquet" if write is write_parquet else "d.jsonl"), rows))
    found = {
        (int(tier), LATENCY_WAYS[way]): int(n)
        for tier, way, n in zip(cells.latency.tier, cells.latency.way, cells.latency.n, strict=True)
    }
    assert found == {(0, "direct"): 20, (1, "direct"): 1, (1, "escalated"): 1, (1, "skipped"): 5}
    skipped, first = cells.skipped, int(cells.traffic.bucket.min())
    counted = as_dict(skipped, ("bucket", "tier"), ("decisions",))
    assert counted == {(first, 1): (3,), (first + 1, -1): (1,), (first + 1, 1): (4,)}


def test_where_nothing_was_skipped_there_are_no_cells_of_it(tmp_path: Path) -> None:
    assert len(read(write_parquet(tmp_path / "d.parquet", [decision(1, reason="unsure", escalated=True)])).skipped) == 0
    assert len(read(write_parquet(tmp_path / "e.parquet", [decision(1)])).skipped) == 0


def test_latencies_outside_the_bins_are_in_the_first_and_the_last(tmp_path: Path) -> None:
    rows = [decision(i, latency_ms=ms, escalated=True) for i, ms in enumerate((0.0, 0.05, 0.1, 1e12))]
    latency = read(write_parquet(tmp_path / "d.parquet", rows)).latency
    assert dict(zip(latency.bin.tolist(), latency.n.tolist(), strict=True)) == {0: 3, LATENCY_BINS - 1: 1}


@pytest.mark.parametrize("missing", ["latency_ms", "escalated"])
def test_without_latency_or_escalation_there_is_no_histogram(tmp_path: Path, missing: str) -> None:
    row = decision(1, latency_ms=5.0, escalated=True)
    del row[missing]
    assert len(read(write_parquet(tmp_path / "d.parquet", [row])).latency) == 0


def test_where_nothing_was_escalated_there_is_nothing_to_compare(tmp_path: Path) -> None:
    rows = [decision(i, escalated=False) for i in range(3)]
    assert len(read(write_parquet(tmp_path / "d.parquet", rows)).latency) == 0
