"""The front page: the average beside the tiers that it hides, and what was done about an alarm."""

import pytest

from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.guard.book import StoreGuardBook
from undertow.alerting.episodes import episodes_of
from undertow.dashboard.views.overview import tier_columns
from undertow.records.alert import Episodes
from undertow.records.guard import GuardMemory, TrailEntry
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY


def test_the_average_stands_beside_its_tiers():
    report = EVERY["pareto_trap"]()
    columns = tier_columns(report)
    assert [each.name for each in columns] == ["", *(tier.tier for tier in report.tiers)]
    assert columns[0].quality == report.aggregate.signals[report.main_signal]
    assert columns[0].alarms == len(report.alarms)
    cheap = report.tiers[0]
    assert columns[1].saved_usd == pytest.approx(1_000 * (cheap.baseline_cost_usd - cheap.cost_usd) / cheap.decisions)


def test_what_was_done_about_an_alarm_is_said(client, tmp_path):
    report = EVERY["pareto_trap"]()
    found = episodes_of(report, Episodes(at=""), "auto", "2026-04-01T00:00:00.000Z")
    StoreAlertBook(tmp_path).write(episodes=found, told=None)
    episode = next(each for each in found.episodes if each.kind == "alarm")
    book = StoreGuardBook(tmp_path)
    entry = TrailEntry(
        id="a1", at="2026-04-01T00:00:00Z", who="guard", kind="route_back", segment=episode.segment, episode=episode.id
    )
    with book.locked():
        book.write(None, GuardMemory(at="2026-04-01T00:00:00Z"), [entry])
    ui = made_ui(FixedLog(report), store=tmp_path)
    assert "route back (done" in client(ui).get("/ui/").text
    assert "route back" not in client(ui).get("/ui/?as_of=2026-03-01").text, "on that day it had not been done"


def test_no_alarm_is_no_proof_of_health(client):
    assert "That is no proof of health" in client(made_ui(FixedLog(EVERY["inconclusive"]()))).get("/ui/").text
    healthy = client(made_ui(FixedLog(EVERY["healthy"]()))).get("/ui/").text
    assert "Nothing is wrong, as far as is known" in healthy
