"""Expressions over decisions: buckets, tiers by model, bins, the moment before which a row counts."""

from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest

from undertow.adapters.duckdb.views import ConfidenceScale, bucket_of, tier_expression, until_filter


def value(expression: str, **columns: str) -> object:
    given = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    with duckdb.connect() as engine:
        row = engine.execute(f"SELECT {expression} FROM (SELECT {given})").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("bucket_s", [86_400, 3_600])
@pytest.mark.parametrize("moment", ["2026-03-01 00:00:00", "2026-03-01 23:59:59.999999", "2150-01-01 05:00:00"])
def test_buckets(bucket_s: int, moment: str) -> None:
    expected = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() // bucket_s)
    assert value(bucket_of("t", bucket_s), t=f"TIMESTAMP '{moment}'") == expected


def test_until_is_strict_and_knows_zones() -> None:
    moment = datetime(2026, 3, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert value(until_filter("t", moment), t="TIMESTAMP '2026-03-01 00:00:00'") is False
    assert value(until_filter("t", moment), t="TIMESTAMP '2026-02-28 23:59:59.999999'") is True
    assert until_filter("t", None) == "true"


def test_the_logged_tier_comes_before_that_of_the_model() -> None:
    expression = tier_expression({"cheap": ("mini*", "it's-*"), "capable": ("*",)})
    assert value(expression, tier="'x'", model="'mini'") == "x"
    assert value(expression, tier="NULL::VARCHAR", model="'it''s-1'") == "cheap"
    assert value(expression, tier="NULL::VARCHAR", model="'other'") == "capable"
    assert value(expression, tier="NULL::VARCHAR", model="NULL::VARCHAR") is None


@pytest.mark.parametrize(("score", "bin_"), [(-1.0, 0), (0.999, 39), (1.0, 39), (0.0, 20)])
def test_bins_of_a_score(score: float, bin_: int) -> None:
    assert value(ConfidenceScale("score", -1.0, 1.0).bin_sql(), confidence=f"{score}::DOUBLE") == bin_
