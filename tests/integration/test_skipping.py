"""Hopeless requests that went straight up, from a log to all three reports of `undertow audit`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.cli.main import main

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, A_DAY = 10, 60
CHEAP_USD, CAPABLE_USD = 0.001, 0.01


def call(tier, status):
    usd = CHEAP_USD if tier == "cheap" else CAPABLE_USD
    return {"tier": tier, "purpose": "serve", "cost_usd": usd, "output_tokens": 40, "status": status}


CONFIDENT = {
    "tier": "cheap",
    "reason": "confident",
    "escalated": False,
    "latency_ms": 400.0,
    "calls": [call("cheap", "ok")],
}
UNSURE = {"tier": "capable", "reason": "unsure", "escalated": True, "latency_ms": 1600.0,
          "calls": [call("cheap", "discarded"), call("capable", "ok")]}  # fmt: skip
HOPELESS = {
    "tier": "capable",
    "reason": "hopeless",
    "escalated": False,
    "latency_ms": 1000.0,
    "calls": [call("capable", "ok")],
}


@pytest.fixture
def audit(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*decisions, **options):
        rows = []
        for i in range(DAYS * A_DAY):
            told = decisions[i % len(decisions)]
            at = START + timedelta(days=i // A_DAY, minutes=i % A_DAY)
            cost = sum(each["cost_usd"] for each in told["calls"])
            rows.append(
                {"decision_id": f"d{i}", "event_time": at.isoformat(), "user_id": f"u{i % 40}", "status": "ok", "cost_usd": cost,
                 "baseline_cost_usd": CAPABLE_USD, **told}
            )  # fmt: skip
        Path("log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = CliRunner().invoke(main, ["audit", "log.jsonl", *options.get("arguments", ("--json",))])
        assert done.exit_code == 3, done.output
        return done.stdout

    return run


def test_what_skipping_saved_in_money_and_time_is_in_the_report(audit):
    report = json.loads(audit(CONFIDENT, CONFIDENT, UNSURE, HOPELESS, HOPELESS))
    items = {item["kind"]: item for item in report["ledger"]["items"]}
    skipped = items["skipped"]
    assert (skipped["name"], skipped["tier"], skipped["causal"]) == ("cheap answers not asked for", "cheap", False)
    assert skipped["usd_month"] == pytest.approx(2 * items["wasted"]["usd_month"], rel=1e-9)
    assert skipped["usd_month"] == pytest.approx(240 * CHEAP_USD / DAYS * 30.4375)
    assert "240 requests, at the mean cost of 120 cheap answers thrown away" in skipped["note"]
    sooner = int(skipped["note"].split("answered ")[1].split(" ms sooner")[0])
    assert sooner == pytest.approx(600, abs=0.03 * 2600)
    assert "not a causal comparison" in skipped["note"]
    waited = {tier["tier"]: tier["latency_ms"] for tier in report["tiers"]}
    assert waited["cheap"]["skipped"] is None
    assert waited["capable"]["skipped"]["n"] == 240
    assert waited["capable"]["skipped"]["p50"] == pytest.approx(1000.0, rel=0.03)
    assert (waited["capable"]["escalated"]["n"], waited["capable"]["direct"]["n"]) == (120, 0)


def test_it_is_in_the_savings_once(audit):
    report = json.loads(audit(CONFIDENT, CONFIDENT, UNSURE, HOPELESS, HOPELESS))
    saved = 240 * (CAPABLE_USD - CHEAP_USD) - 120 * CHEAP_USD
    assert report["ledger"]["savings_usd_month"] == pytest.approx(saved / DAYS * 30.4375)


def test_people_read_it_on_the_terminal_and_on_the_page(audit):
    text = " ".join(audit(CONFIDENT, UNSURE, HOPELESS, arguments=("--html", "page.html")).split())
    assert "Not in the bill, and in the savings already: cheap answers not asked for (cheap) $" in text
    assert "200 requests, at the mean cost of 200 cheap answers thrown away" in text
    page = Path("page.html").read_text()
    assert "cheap answers not asked for" in page
    assert "not a causal comparison" in page


def test_without_an_answer_thrown_away_there_is_a_latency_but_no_price(audit):
    report = json.loads(audit(CONFIDENT, HOPELESS))
    assert "skipped" not in {item["kind"] for item in report["ledger"]["items"]}
    capable = next(tier for tier in report["tiers"] if tier["tier"] == "capable")
    assert capable["latency_ms"]["skipped"]["n"] == 300


def test_where_nothing_was_skipped_nothing_is_said(audit):
    text = audit(CONFIDENT, UNSURE, arguments=())
    assert "escalated" in text
    assert "Not in the bill" not in text
