"""Reports of a week, made of whole audits, for tests of its faces."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner

from undertow.cli.main import main
from undertow.records.guard import TrailEntry
from undertow.records.report import AuditReport, SignalEstimate
from undertow.records.segment import WHOLE, Segment
from undertow.records.weekly import Reviewing, WeekQuality, WeekReport, WeekTraffic
from unit.reports.factory import EVERY

FALLEN = SignalEstimate(200, 0.7, (0.6, 0.78))
HIGH = SignalEstimate(210, 0.93, (0.86, 0.97))


def entry(**more) -> TrailEntry:
    given = {
        "id": "e1",
        "at": "2026-03-10T08:00:00Z",
        "who": "guard",
        "kind": "route_back",
        "segment": "intent=billing",
        "why": "it loses 8 points",
    }
    return TrailEntry(**(given | more))


def week(name: str = "pareto_trap", text: str = "intent=billing", **more) -> WeekReport:
    """A week at the end of one of the audits of `unit.reports.factory`; `text` stands wherever a name from a log does."""
    now: AuditReport = EVERY[name]()
    end = now.period[1].replace(hour=0, minute=0, second=0, microsecond=0)
    key, _, value = text.partition("=")
    given = {
        "week": (end - timedelta(days=7), end),
        "headline": now.headline,
        "now": now,
        "before": replace(now, verdict="healthy"),
        "signal": now.main_signal,
        "traffic": (WeekTraffic("cheap", 6_000, 5_000, 0.6, 0.5), WeekTraffic("capable", 4_000, 5_000, 0.4, 0.5)),
        "qualities": (
            WeekQuality("cheap", WHOLE, HIGH, HIGH, "unclear"),
            WeekQuality("cheap", Segment(key, value), FALLEN, HIGH, "worse", 0.2, (0.1, 0.3), "beyond"),
            WeekQuality("cheap", Segment("intent", "faq"), HIGH, FALLEN, "better"),
        ),
        "opened": now.alarms[:1],
        "closed": now.alarms[1:2],
        "still_open": now.alarms[2:3],
        "warnings": now.warnings,
        "actions": (entry(segment=text, why=text), entry(status="suggested", kind="tighten")),
        "reviewing": Reviewing(350, 200, 0.71, (0.6, 0.8), 12),
        "unseen": (f"cheap: labels do not rule out a loss of up to so many points: 9.1 in {text}.",),
        "next": now.next,
    }
    return WeekReport(**(given | more))


def simulate_weeks(folder: Path) -> None:
    """A log of five weeks, of which routing began after two, by `undertow simulate`."""
    arguments = ["simulate", "support", "--weeks", "3", "--pre-weeks", "2", "--queries-per-day", "600", "-q", "--out"]
    result = CliRunner().invoke(main, [*arguments, str(folder)])
    assert result.exit_code == 0, result.output
