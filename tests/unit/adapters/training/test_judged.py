"""Decisions become strata: where an answer of the tier came from."""

import json

import duckdb
import pytest

from undertow.adapters.training.answers import DECISIONS
from undertow.adapters.training.judged import OUTSIDE, STRATA, Asked, judged_sql

ASKED = Asked("cheap", "capable", ("live",), None)


def judged(tmp_path, row, asked=ASKED):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"decision_id": "d", "event_time": "1970-01-01T05:30:00Z", "score": -0.5} | row))
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in DECISIONS.items())
    engine = duckdb.connect()
    engine.execute(f"CREATE TABLE decisions AS SELECT * FROM read_json('{path}', columns = {{{columns}}})")
    return engine.execute(
        f"SELECT stratum, reason, hour, is_always_served FROM ({judged_sql('decisions', asked)})"
    ).fetchone()


def call(tier, status="ok", purpose="serve"):
    return {"tier": tier, "status": status, "purpose": purpose}


@pytest.mark.parametrize(
    ("row", "stratum", "reason"),
    [
        ({"tier": "cheap"}, "served", None),
        ({"tier": "capable", "first_tier": "cheap", "escalated": True}, "withheld", None),
        ({"tier": "capable", "calls": [call("cheap", "discarded"), call("capable")]}, "withheld", None),
        ({"tier": "capable", "calls": [call("capable")]}, "unasked", "no_cheap_answer"),
        ({"tier": "capable", "calls": [call("capable"), call("cheap", purpose="shadow")]}, "unasked", None),
        ({"tier": "capable", "arm": "holdout", "calls": [call("cheap", purpose="shadow")]}, "holdout", None),
        ({"tier": "capable", "arm": "holdout"}, "holdout", "no_cheap_answer"),
        ({"tier": "cheap", "arm": "holdout"}, "holdout", None),
        ({"tier": "cheap", "eligible": False}, "served", "not_eligible"),
        ({"tier": "cheap", "origin": "suite"}, "served", "not_live"),
    ],
)
def test_every_request_is_of_one_stratum(tmp_path, row, stratum, reason):
    found = judged(tmp_path, row)
    assert found[:3] == (stratum, reason, 5)
    assert stratum in STRATA
    assert reason in {None, "no_cheap_answer", *OUTSIDE}


@pytest.mark.parametrize(
    ("row", "is_always_served"),
    [
        ({"reason": "confident", "score": None}, True),
        ({"reason": "confident"}, False),
        ({"reason": "confident", "score": None, "confidence": 0.8}, False),
        ({"reason": "easy", "score": None}, False),
        ({"reason": "confident", "score": None, "tier": "capable"}, False),
    ],
)
def test_what_was_served_without_a_confidence_is_told(tmp_path, row, is_always_served):
    assert judged(tmp_path, {"tier": "cheap"} | row)[3] is is_always_served
