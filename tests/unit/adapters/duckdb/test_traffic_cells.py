"""What changed when; other cells of traffic are compared with a plain count in test_source."""

from pathlib import Path

import pytest

from undertow.records.cells import CHANGE_KINDS
from unit.adapters.duckdb.logs import decision, read, write_parquet


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


def test_a_version_that_is_an_id_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.adapters.duckdb.source.MOST_VERSIONS", 5)
    rows = [decision(i, model_fingerprint=f"fp{i}") for i in range(20)]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    assert CHANGE_KINDS.index("model_fingerprint") not in cells.models.kind
    assert any("`model_fingerprint`" in note for note in cells.coverage.notes)
