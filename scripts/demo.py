"""The demonstration: an incident as a plain dashboard saw it, then as Undertow sees it; then real outcomes.

    make demo                       # the simulated incident and the repository's own recording of a real local model
    make demo DATA=path/to/tables   # the same, and public tables of real outcomes

Needs neither key nor network. Every number shown is computed in this run; what is simulated and what is real is said.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from undertow.adapters.replay.recording import read_recording
from undertow.adapters.replay.store import START, write_replay
from undertow.adapters.replay.tables import TABLES
from undertow.adapters.simulated.incident import write_incident
from undertow.bootstrap.audit import AuditRequest, run_audit
from undertow.cli.drawing import progress_bar
from undertow.config.load import load_settings
from undertow.errors import UndertowError
from undertow.records.report import Alarm, AuditReport
from undertow.reports.html import render_html
from undertow.simulation.arrival import ArrivalPlan, OutcomeTable
from undertow.simulation.incidents import SUPPORT, IncidentParameters, midnight
from undertow.simulation.incidents_truth import expected_money

ROOT = Path(__file__).resolve().parent.parent
RECORDING = ROOT / "examples" / "recorded-support" / "answers.jsonl"

GATES = {"suite": 0.93, "thumbs_down": 4.0, "reviews": 0.85, "csat": 3.9}
"""What the team had agreed to call green: pass rate of the suite, thumbs down per 1,000, review score, stars of five."""

VERDICT_STYLES = {"healthy": "green", "inconclusive": "yellow", "quality_loss": "red", "pareto_trap": "bold red"}


@dataclass(frozen=True, slots=True)
class Week:
    """One week as the dashboard showed it: all tiers together. Rates are fractions; None where nothing was measured."""

    first_day: date
    bill: float
    cheap_share: float
    suite: float | None
    thumbs_down: float
    reviews: float | None
    csat: float | None

    @property
    def is_green(self) -> bool:
        """Whether every gate of the plain dashboard is passed."""
        return (
            (self.suite is None or self.suite >= GATES["suite"])
            and self.thumbs_down <= GATES["thumbs_down"]
            and (self.reviews is None or self.reviews >= GATES["reviews"])
            and (self.csat is None or self.csat >= GATES["csat"])
        )


def dashboard(store: Path, parameters: IncidentParameters) -> list[Week]:
    """What a dashboard without tiers shows of a simulated log, week by week, from the log alone."""
    query = """
        WITH live AS (
            SELECT date_trunc('week', event_time) AS week, count(*) AS requests, sum(cost_usd) / count(*) AS usd,
                avg(CAST(coalesce(tier = 'cheap', FALSE) AS INTEGER)) AS cheap
            FROM read_parquet($live) GROUP BY ALL
        ), marks AS (
            SELECT date_trunc('week', event_time) AS week,
                avg(value) FILTER (kind = 'suite') AS suite,
                count(*) FILTER (kind = 'thumb' AND value = 0) AS down,
                sum(value / inclusion_probability) FILTER (kind = 'review')
                    / sum(1 / inclusion_probability) FILTER (kind = 'review') AS reviews,
                1 + 4 * avg(value) FILTER (kind = 'rating' AND name = 'csat') AS csat
            FROM read_parquet($signals) GROUP BY ALL
        )
        SELECT week, usd, cheap, suite, 1000.0 * coalesce(down, 0) / requests, reviews, csat
        FROM live LEFT JOIN marks USING (week) ORDER BY week
    """
    files = {"live": str(store / "decisions" / "*" / "live.parquet"), "signals": str(store / "signals" / "*.parquet")}
    with duckdb.connect() as connection:
        rows = connection.execute(query, files).fetchall()
    before = [usd for week, usd, *_ in rows if week < parameters.routing_from.replace(tzinfo=None)]
    full = sum(before) / len(before)
    return [
        Week(week.date(), 100 * usd / full, cheap, suite, down, reviews, csat)
        for week, usd, cheap, suite, down, reviews, csat in rows
    ]


def audited(store: Path, html: Path | None = None) -> tuple[AuditReport, float]:
    """The audit of a store with its own settings, as `undertow audit STORE` does it, and how long it took in seconds."""
    begun = time.monotonic()
    settings = load_settings(store / "undertow.toml", os.environ).settings
    with progress_bar() as progress:
        report = run_audit(AuditRequest(inputs=(str(store),), settings=settings), progress)
    if html is not None:
        html.write_text(render_html(report), encoding="utf-8")
    return report, time.monotonic() - begun


def usd(value: float | None) -> str:
    """Money for people, `unknown` where it is not."""
    return "unknown" if value is None else f"{'-' if value < 0 else ''}${abs(value) / 1000:,.0f}k"


def day_of(moment: datetime | None) -> str:
    """A moment as a day."""
    return "unknown" if moment is None else f"{moment:%a %d %b %Y}"


class Demo:
    """Tells the story on one console."""

    def __init__(self, out: Path, data: Path | None, incident: IncidentParameters, plan: ArrivalPlan) -> None:
        self.out = out
        self.data = data
        self.parameters = incident
        self.plan = plan
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
        self.pages: list[tuple[str, Path]] = []

    def say(self, text: str, style: str = "") -> None:
        """A paragraph."""
        self.console.print(Padding(Text.from_markup(text, style=style), (0, 0, 1, 2)))

    def heading(self, text: str) -> None:
        """A section."""
        self.console.rule(f"[bold]{text}[/]", align="left", style="dim")
        self.console.print()

    def run(self) -> None:
        """All of it."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.incident()
        self.recording()
        if self.data is not None:
            self.real_tables(self.data)
        self.heading("Where everything is")
        for what, page in self.pages:
            self.console.print(f"  {what}: [bold]{page}[/]", soft_wrap=True)
        self.console.print(
            f"\n  the logs themselves: {self.out}/*/ (try: undertow audit {self.out / 'support'})", soft_wrap=True
        )
        if self.data is None:
            self.console.print("  more real outcomes: make demo DATA=folder-of-tables (README: real outcomes)")

    def incident(self) -> None:
        """The support incident: simulated, shown as a dashboard would, audited."""
        p = self.parameters
        store = self.out / "support"
        self.heading("1. The support incident (simulated)")
        self.say(
            "A support assistant with four million monthly users. A classifier sends the 65 % of requests that look simple to "
            "a model at a quarter of the token price. Offline, 94 % of its answers were as good. The rollout takes six weeks, "
            "and every gate is green."
        )
        begun = time.monotonic()
        with progress_bar() as progress:
            written = write_incident(p, store, seed=1, overwrite=True, progress=progress)
        self.say(
            f"[dim]Simulated {written.decisions:,} requests, {written.signals:,} signals and {written.outcomes:,} tickets and "
            f"cancellations in {time.monotonic() - begun:.0f} s (undertow simulate support --seed 1).[/]"
        )
        html = self.out / "support.html"
        report, seconds = audited(store, html)
        self.pages.append(("the support incident", html))
        self.weeks(dashboard(store, p), report, p)
        self.finding(report, seconds)
        self.planted(report, p)

    def weeks(self, weeks: list[Week], report: AuditReport, p: IncidentParameters) -> None:
        """The plain dashboard, week by week, with what Undertow would have said beside it."""
        table = Table(title="What the plain dashboard showed (all tiers together), week by week", title_justify="left")
        for name in ("week", "routed", "bill", "suite", "thumbs down", "reviews", "stars", "status"):
            table.add_column(name, justify="left" if name in {"week", "status"} else "right", no_wrap=True)
        table.add_column("what Undertow says that week", overflow="fold")
        for week in weeks:
            number = (week.first_day - p.routing_from.date()).days // 7 + 1
            table.add_row(
                f"{number:>2}  {week.first_day:%d %b}" if number > 0 else f"    {week.first_day:%d %b}",
                f"{week.cheap_share:.0%}",
                f"{week.bill:.0f}",
                "-" if week.suite is None else f"{week.suite:.1%}",
                f"{week.thumbs_down:.1f} in 1,000",
                "-" if week.reviews is None else f"{week.reviews:.0%}",
                "-" if week.csat is None else f"{week.csat:.1f}",
                "[green]● green[/]" if week.is_green else "[red]● red[/]",
                self.said_in(week.first_day, report, p),
            )
        self.console.print(Padding(table, (0, 0, 0, 2)))
        self.say(
            f"[dim]Green: suite at least {GATES['suite']:.0%}, at most {GATES['thumbs_down']:.0f} thumbs down in 1,000, reviews at "
            f"least {GATES['reviews']:.0%}, {GATES['csat']} stars of 5. Bill: per request, 100 = before routing. Weeks without a "
            "number are before routing. The right column uses only what was in the log by then.[/]"
        )

    def said_in(self, first_day: date, report: AuditReport, p: IncidentParameters) -> str:
        """Alarms raised in a week, and the planted onset."""
        begin = midnight(first_day)
        end = begin + timedelta(days=7)
        said = [
            f"[bold red]ALARM[/] {alarm.tier}, {alarm.segment} ({alarm.detected_at:%a %d %b})"
            for alarm in report.alarms
            if begin <= alarm.detected_at < end
        ]
        said += [
            f"[yellow]warning[/] {alarm.monitor}: {alarm.tier}, {alarm.segment}"
            for alarm in report.warnings
            if begin <= alarm.detected_at < end
        ]
        if p.onset is not None and begin <= p.onset < end:
            said.append(f"[dim](planted: hidden intents start to grow on {p.onset:%a %d %b})[/]")
        if begin == p.routing_from:
            said.append("[dim](routing starts)[/]")
        return "\n".join(said)

    def finding(self, report: AuditReport, seconds: float) -> None:
        """The audit in short: verdict, alarms, money."""
        style = VERDICT_STYLES[report.verdict]
        self.console.print(f"  [dim]Undertow, on the same log, in {seconds:.0f} s:[/]")
        self.console.print(Padding(Text(report.headline, style=style), (0, 0, 1, 2)))
        alarms = [alarm for alarm in report.alarms if alarm.cause == "routing"] or list(report.alarms)
        if alarms:
            table = Table(show_edge=False, pad_edge=False)
            for name in ("alarm", "raised on", "began about", "loss by the end", "cause"):
                table.add_column(name)
            for alarm in alarms[:5]:
                table.add_row(
                    f"{alarm.tier}, {alarm.segment}",
                    day_of(alarm.detected_at),
                    day_of(alarm.onset),
                    loss_of(alarm),
                    alarm.cause,
                )
            self.console.print(Padding(table, (0, 0, 1, 2)))
        ledger = report.ledger
        if ledger.net_usd_month is not None:
            low, high = ledger.interval or (None, None)
            self.say(
                f"Money a month, averaged over all routed weeks: {usd(ledger.savings_usd_month)} saved, "
                f"{usd(ledger.downstream_usd_month)} lost in tickets and cancellations, net [bold]{usd(ledger.net_usd_month)}[/] "
                f"({usd(low)} to {usd(high)})."
            )

    def planted(self, report: AuditReport, p: IncidentParameters) -> None:
        """The truth of the simulation beside what was found."""
        assert p.onset is not None
        routing = [alarm for alarm in report.alarms if alarm.cause == "routing"]
        money = expected_money(p)
        words = (
            f"[dim]Planted (truth.json): the loss starts on {p.onset:%a %d %b %Y}, most of it in intent={p.target_intent}; once "
            f"fully broken it costs {usd(money.downstream_usd)} a month and {usd(money.savings_usd)} are saved."
        )
        if routing:
            first = min(routing, key=lambda alarm: alarm.detected_at)
            days = (first.detected_at - p.onset).total_seconds() / 86_400
            words += f" First alarm with cause routing: {days:.0f} days after the onset; in the incident as told it took months."
        self.say(words + "[/]")

    def replay(self, table: OutcomeTable, name: str) -> None:
        """Replay a table of real outcomes and audit it."""
        plan = self.plan
        store = self.out / name
        with progress_bar() as progress:
            rows = write_replay(table, plan, store, seed=1, overwrite=True, progress=progress)
        html = self.out / f"{name}.html"
        report, seconds = audited(store, html)
        self.pages.append((table.title, html))
        shift = START + timedelta(days=plan.shift_day)
        usual, shifted = table.usual & table.eligible, table.shifted & table.eligible
        change = (
            f"on {shift:%a %d %b} the capable tier itself changes its snapshot"
            if table.provider_value is not None
            else f"from {shift:%a %d %b} half of the eligible traffic comes from where the cheap tier's real loss is "
            f"{100 * table.loss(shifted):.0f} points (before: {100 * table.loss(usual):.0f})"
        )
        self.say(
            f"[bold]{table.title}[/]\n{rows:,} requests drawn from {len(table.segment):,} real pairs of answers; {change}.\n"
            f"[dim]{' '.join(table.notes)}[/]"
        )
        self.finding(report, seconds)
        if report.suspects:
            names = ", ".join(str(suspect.segment) for suspect in report.suspects)
            self.say(f"[yellow]Set aside as suspect (the labels look broken, not the model): {names}[/]")

    def recording(self) -> None:
        """The repository's own real slice."""
        self.heading("2. A real model (real outcomes, scripted arrival)")
        self.replay(read_recording(RECORDING), "recorded-support")

    def real_tables(self, data: Path) -> None:
        """Public tables of real outcomes."""
        self.heading("3. Public benchmarks (real outcomes, scripted arrival)")
        for name, read in TABLES.items():
            try:
                table = read(data)
            except UndertowError as error:
                self.say(f"[yellow]{name}: {error}[/]")
                continue
            self.replay(table, name)


def loss_of(alarm: Alarm) -> str:
    """Loss over the whole log since the onset, in points."""
    loss, interval = (
        (alarm.latest_loss, alarm.latest_interval) if alarm.latest_loss is not None else (alarm.loss, alarm.interval)
    )
    if loss is None:
        return "unknown"
    span = "" if interval is None else f" ({100 * interval[0]:.0f} to {100 * interval[1]:.0f})"
    return f"{100 * loss:.0f} points{span}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Tell the incident, audit it, and audit real outcomes.")
    parser.add_argument("--data", type=Path, default=None, help="folder with tables of real outcomes")
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="where logs and reports go")
    parser.add_argument(
        "--queries-per-day", type=int, default=SUPPORT.queries_per_day, help="size of the simulated log"
    )
    arguments = parser.parse_args()
    if arguments.data is not None and not arguments.data.is_dir():
        sys.exit(
            f"demo: {str(arguments.data)!r} is no folder; --data takes the folder with the tables of real outcomes"
        )
    begun = time.monotonic()
    try:
        incident = replace(SUPPORT, queries_per_day=arguments.queries_per_day)
        Demo(arguments.out, arguments.data, incident, ArrivalPlan()).run()
    except UndertowError as error:
        sys.exit(f"demo: {error}")
    print(f"\n  done in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
