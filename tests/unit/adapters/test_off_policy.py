"""Counts and labelled rows of a log with propensities."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from undertow.adapters.off_policy import read_off_policy
from undertow.records.gate import ChoiceRule

TIERS = ("cheap", "capable")
SPLIT, ALL = ChoiceRule("share", share=0.5), ChoiceRule("share", share=1.0)


@pytest.fixture
def log(tmp_path) -> tuple[Path, Path]:
    """1,000 requests that were split in half, the odd ones of intent b; every fifth has a review, every answer of the cheap tier to b fails."""
    decisions, signals = tmp_path / "decisions.parquet", tmp_path / "signals.parquet"
    con = duckdb.connect()
    con.execute(
        f"""
        COPY (SELECT 'd' || i AS decision_id, TIMESTAMP '2026-03-01' + INTERVAL (i) MINUTE AS event_time, 'live' AS origin, 'route' AS mode, true AS eligible,
                     MAP {{'intent': CASE WHEN i % 2 = 1 THEN 'b' ELSE 'a' END}} AS segment, CASE WHEN (i // 2) % 2 = 0 THEN 'cheap' ELSE 'capable' END AS tier,
                     0.5 AS propensity, CASE WHEN i = 7 THEN NULL ELSE i / 1000 END AS confidence,
                     CASE WHEN (i // 2) % 2 = 0 THEN 0.001 ELSE 0.01 END AS cost_usd, 0.01 AS baseline_cost_usd
              FROM range(1000) t(i)
              UNION ALL SELECT 'x', TIMESTAMP '2026-03-01', 'suite', 'route', true, MAP {{}}, 'cheap', 0.5, 0.5, 0.1, 0.2
              UNION ALL SELECT 'y', TIMESTAMP '2026-03-01', 'live', 'observe', true, MAP {{}}, 'capable', 1.0, 0.5, 0.1, 0.2
              UNION ALL SELECT 'z', TIMESTAMP '2026-03-01', 'live', 'route', false, MAP {{}}, 'capable', 1.0, 0.5, 0.1, 0.2)
        TO '{decisions}' (FORMAT parquet)
        """
    )
    con.execute(
        f"""
        COPY (SELECT 's' || i AS signal_id, 'd' || i AS decision_id, 'review' AS kind, 'accuracy' AS name, NULL::VARCHAR AS selection, 0.2 AS inclusion_probability,
                     NULL::DOUBLE AS reference_value, CASE WHEN i % 2 = 1 AND (i // 2) % 2 = 0 THEN 0.0 ELSE 1.0 END AS value FROM range(0, 1000, 5) t(i)
              UNION ALL SELECT 't' || i, 'd' || i, 'thumb', 'helpful', 'volunteered', NULL, NULL, 0.0 FROM range(1000) t(i)
              UNION ALL SELECT 'j' || i, 'd' || i, 'judge', 'quality', 'sampled', 0.5, NULL, 0.0 FROM range(0, 1000, 2) t(i))
        TO '{signals}' (FORMAT parquet)
        """
    )
    return decisions, signals


def test_counts_are_of_live_routed_eligible_decisions(log):
    found = read_off_policy(*log, SPLIT, ALL, TIERS)
    assert found.counts[""].n == 1_000
    assert found.counts[""].before == 500
    assert found.counts[""].after == 1_000
    assert found.counts[""].newly == 1_000
    assert found.counts["intent=b"].n == 500
    assert found.unknown == 0
    assert found.saved_usd == pytest.approx(500 * 0.009)


def test_peoples_reviews_are_the_labels_with_their_weights(log):
    found = read_off_policy(*log, SPLIT, ALL, TIERS)
    assert found.source == "review.accuracy"
    assert len(found.rows) == 200
    assert set(found.rows.weight) == {5.0}
    assert found.by_tier == pytest.approx({"cheap": 1.0, "capable": 1.0})


def test_the_estimate_is_what_the_candidate_would_lose(log):
    rows = read_off_policy(*log, SPLIT, ALL, TIERS).rows
    # The cheap tier fails every b and half of the requests go there now: a quarter fails now, a half would.
    assert (rows.weight @ rows.low) / (rows.weight @ rows.cheap) == pytest.approx(0.25, abs=0.01)
    assert np.all(rows.least <= rows.low)
    assert np.all(rows.low <= rows.most)


def test_labels_and_thresholds_decide(log):
    rule = ChoiceRule("threshold", threshold=0.6, never_cheap=("intent=b",))
    found = read_off_policy(*log, rule, rule, TIERS)
    assert found.unknown == 0  # the request without a confidence is of intent b, which needs none
    assert found.counts["intent=b"].after == 0
    assert found.counts["intent=a"].after == 200
    assert found.counts[""].changed == 0
    assert read_off_policy(*log, SPLIT, ChoiceRule("threshold", threshold=0.6), TIERS).unknown == 1
    assert (
        read_off_policy(*log, SPLIT, ChoiceRule("rules", cheap_segments=("intent=a",)), TIERS).counts["intent=b"].after
        == 0
    )
    assert read_off_policy(*log, SPLIT, ChoiceRule("share", share=1.0, holdout=0.1), TIERS).counts[
        ""
    ].after == pytest.approx(900)


def test_what_was_never_served_so_has_no_overlap(log):
    decisions, signals = log
    con = duckdb.connect()
    con.execute(
        f"CREATE TABLE d AS SELECT * REPLACE (CASE WHEN tier = 'capable' THEN 1.0 ELSE propensity END AS propensity) FROM '{decisions}'"
    )
    con.execute(f"COPY d TO '{decisions}' (FORMAT parquet)")
    found = read_off_policy(decisions, signals, SPLIT, ALL, TIERS)
    assert found.counts[""].without_overlap == 500
    assert np.abs(found.rows.most).max() <= 1.0
    # Their labels are of another answer, so they may lose all that the candidate newly serves of them.
    blind = ~found.rows.labelled
    assert blind.sum() == 100
    assert set(found.rows.low[blind]) == {0.0}
    assert set(found.rows.high[blind]) == {0.5} == set(found.rows.most[blind])
    assert np.all(found.rows.low[~blind] == found.rows.high[~blind])


def test_keys_that_are_asked_for_and_a_log_without_signals(log):
    found = read_off_policy(log[0], None, SPLIT, ALL, TIERS, keys=())
    assert list(found.counts) == [""]
    assert (found.source, len(found.rows), found.by_tier) == ("", 0, {})
