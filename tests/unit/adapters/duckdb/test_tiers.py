"""The order of tiers."""

from pathlib import Path

import pytest

from undertow.ports.audit_source import CellOptions
from unit.adapters.duckdb.logs import decision, read, write_jsonl


@pytest.mark.parametrize(
    ("costs", "given", "order"),
    [
        ({"capable": 0.01, "cheap": 0.9}, None, ("cheap", "capable")),
        ({"REASONING": 0.1, "SIMPLE": 0.2, "MEDIUM": 0.3}, None, ("SIMPLE", "MEDIUM", "REASONING")),
        ({"mini": 0.2, "maxi": 0.1}, None, ("maxi", "mini")),
        ({"mini": None, "maxi": 0.1, "alpha": None}, None, ("maxi", "alpha", "mini")),
        ({"a": 0.1, "b": 0.2, "c": 0.05}, ("b", "x", "a"), ("b", "a", "c")),
        # Nothing was served by the capable tier: it is there, or the cheap one would be held against itself.
        ({"a": 0.1}, ("a", "b"), ("a", "b")),
        ({"c": 0.1}, ("a", "b"), ("c",)),
    ],
)
def test_order(
    tmp_path: Path, costs: dict[str, float | None], given: tuple[str, ...] | None, order: tuple[str, ...]
) -> None:
    rows = [decision(i, tier=tier, cost_usd=cost) for i, (tier, cost) in enumerate(costs.items())]
    cells = read(write_jsonl(tmp_path / "d.jsonl", rows), options=CellOptions(tier_order=given))
    assert cells.tiers == order


def test_tiers_of_calls_have_codes_too(tmp_path: Path) -> None:
    calls = [
        {"tier": "cheap", "purpose": "serve", "cost_usd": 0.1},
        {"tier": "judge-model", "purpose": "judge", "cost_usd": 0.5},
        {"tier": None, "purpose": "telepathy", "cost_usd": -1},
    ]
    cells = read(write_jsonl(tmp_path / "d.jsonl", [decision(1, calls=calls), decision(2, calls=None)]))
    assert set(cells.tiers) == {"cheap", "judge-model"}
    found = zip(cells.calls.tier, cells.calls.purpose, cells.calls.calls, cells.calls.cost_usd, strict=True)
    assert sorted(tuple(map(float, row)) for row in found) == sorted(
        [
            (-1.0, 6.0, 1.0, 0.0),
            (cells.tiers.index("cheap"), 0.0, 1.0, 0.1),
            (cells.tiers.index("judge-model"), 5.0, 1.0, 0.5),
        ]
    )
