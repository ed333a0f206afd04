"""From a log with a judge and people to rows of the report, and to an alarm that rests on both."""

import json
from pathlib import Path

import numpy as np
import pytest

from undertow.bootstrap.audit import AuditRequest, read_cells, run_audit
from undertow.config.settings import Settings
from undertow.reports.html import render_html
from undertow.reports.json import to_json
from undertow.services.anchored import anchored_losses
from unit.adapters.duckdb.logs import write_jsonl

DAYS, PER_DAY, LABELLED = 50, 60, 8


def log(path: Path, loss: float, seed: int = 1, days: int = DAYS, rest: float = 0.01) -> AuditRequest:
    """Days of pairs; the cheap answer of a tenth of them (intent=x) loses with this probability, and the judge mostly sees it."""
    rng = np.random.default_rng(seed)
    decisions, signals = [], []
    for day in range(days):
        date = np.datetime64("2026-03-01") + day
        for i in range(PER_DAY):
            name, at = f"{day}-{i}", f"{date}T{8 + i // 6:02d}:00:00Z"
            intent = "x" if i % 2 else "y"
            decisions.append(
                {
                    "decision_id": name,
                    "event_time": at,
                    "tier": "cheap" if i < 50 else "capable",
                    "segment": {"intent": intent},
                }
            )
            if i >= 50:
                continue
            lost = rng.random() < (loss if intent == "x" else rest)
            seen = lost if rng.random() < 0.9 else rng.random() < 0.1
            pair = {"event_time": at, "decision_id": name, "selection": "sampled", "reference_value": 1.0}
            signals.append(
                {**pair, "signal_id": f"j{name}", "kind": "judge", "name": "quality", "value": float(not seen),
                 "inclusion_probability": 0.5, "source": "judge:m"}
            )  # fmt: skip
            if i < LABELLED:
                signals.append(
                    {**pair, "signal_id": f"h{name}", "kind": "review", "name": "accuracy", "value": float(not lost),
                     "inclusion_probability": 0.1, "source": "reviewer"}
                )  # fmt: skip
    write_jsonl(path / "d.jsonl", decisions)
    write_jsonl(path / "s.jsonl", signals)
    tiers = {"cheap": {"rank": 0}, "capable": {"rank": 1}}
    return AuditRequest(
        (str(path / "d.jsonl"),), signals=(str(path / "s.jsonl"),), settings=Settings.model_validate({"tiers": tiers})
    )


@pytest.fixture(scope="module")
def losing(tmp_path_factory):
    return log(tmp_path_factory.mktemp("losing"), 0.3)


def test_rows_name_place_and_worth(losing):
    rows = anchored_losses(read_cells(losing), 0.01, 0)
    assert [str(row.segment) for row in rows] == ["whole tier", "intent=x", "intent=y"]
    whole, worst, rest = rows
    assert (whole.signal, whole.judge) == ("review.accuracy", "judge.quality")
    assert (whole.labelled, whole.judged) == (DAYS * LABELLED, DAYS * 50)
    assert worst.interval[0] <= 0.3 <= worst.interval[1]
    assert rest.interval[0] <= 0.01 <= rest.interval[1]
    assert whole.worth > 1.5
    assert whole.interval[1] - whole.interval[0] < whole.human_interval[1] - whole.human_interval[0]


def test_an_alarm_says_so_where_it_rests_on_people_and_judge_together(tmp_path):
    # A draw on which the narrowed monitor carries most of the evidence: how often it does is measured in test_anchored_pairs.
    report = run_audit(log(tmp_path, 0.05, seed=3, days=110, rest=0.05))
    assert [alarm.basis for alarm in report.alarms][:1] == ["anchored"]


def test_a_judge_alone_raises_no_alarm_and_every_face_shows_the_rows(losing):
    report = run_audit(losing)
    assert report.alarms
    assert all(alarm.basis != "judge" for alarm in report.alarms)
    document = json.loads(to_json(report))
    assert len(document["anchored"]) == 3
    assert "narrowed by the judge" in render_html(report)


def test_a_healthy_log_has_rows_and_no_alarm(tmp_path):
    report = run_audit(log(tmp_path, 0.01))
    assert report.anchored
    assert report.alarms == ()


def test_without_people_there_are_no_rows(tmp_path):
    request = log(tmp_path, 0.3)
    lines = [line for line in (tmp_path / "s.jsonl").read_text().splitlines() if '"judge"' in line]
    (tmp_path / "s.jsonl").write_text("\n".join(lines) + "\n")
    assert run_audit(request).anchored == ()
