"""Labelled answers of a store."""

import json
from datetime import UTC, datetime

import pytest

from undertow.adapters.tuning.answers import StoreAnswers
from undertow.errors import LogError

SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def rows(folder, found):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))


def test_labels_of_decisions_since_a_moment_are_read(tmp_path):
    def decision(number, day):
        return {
            "decision_id": f"d{number}", "event_time": f"2026-{day}T12:00:00.000Z", "tier": "cheap", "first_tier": "cheap",
            "reason": "confident", "confidence_kind": "calibrated", "features": {"mean_logprob": -0.1},
        }  # fmt: skip

    def signal(number):
        return {
            "signal_id": f"s{number}", "event_time": "2026-03-05T00:00:00.000Z", "decision_id": f"d{number}", "kind": "shadow",
            "name": "quality", "value": 0.0, "reference_value": 1.0, "inclusion_probability": 0.5,
        }  # fmt: skip

    rows(tmp_path / "decisions", [decision(1, "02-20"), decision(2, "03-02")])
    rows(tmp_path / "signals", [signal(1), signal(2)])
    found = StoreAnswers(tmp_path).read("cheap", "capable", SINCE)
    assert found.decision_ids == ("d2",)
    assert found.good.tolist() == [False]
    assert found.decided_at.tolist() == [datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()]
    assert found.available_at.tolist() == [datetime(2026, 3, 5, tzinfo=UTC).timestamp()]
    assert found.available_at.tolist() == [datetime(2026, 3, 5, tzinfo=UTC).timestamp()]


def test_a_young_store_has_no_labels_and_a_broken_one_says_so(tmp_path):
    (tmp_path / "decisions" / "open").mkdir(parents=True)
    assert len(StoreAnswers(tmp_path).read("cheap", "capable", SINCE)) == 0
    dated = tmp_path / "decisions" / "date=2026-03-02"
    dated.mkdir()
    (dated / "part.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(LogError):
        StoreAnswers(tmp_path).read("cheap", "capable", SINCE)
