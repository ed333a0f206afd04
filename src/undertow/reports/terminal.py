"""The audit on a terminal: the verdict first, in words, then why, then everything that backs it.

Works at 80 columns and narrower, without colour, in plain ASCII where the terminal knows no more. Every state is a word
and a symbol; colour only repeats it. Text from the log goes through `names` and enters as `rich.text.Text`, never as markup.
"""

from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from undertow.records.report import Alarm, AuditReport, SegmentReport, SignalEstimate, TierReport
from undertow.reports import figures, money, slices, words
from undertow.reports.names import clip, prose, segment_name
from undertow.reports.order import worst_first

_TONES = {"good": "bold blue", "bad": "bold yellow", "unsure": "bold magenta"}
_TO_ASCII = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "…": "...",
        "•": "*",
        "✓": "=",
        "▲": "!",
        "▼": "!",
        "·": "-",
        "→": "->",
        "×": "x",
        "�": "?",
        "\u2068": "",
        "\u2069": "",
    }
)
_SHOWN_SEGMENTS = 10
_SHOWN_ALARMS = 12
_SHOWN_SIGNALS = 8
_SHOWN_TIERS = 6
_SHOWN_LINES = 8
_MARGIN = 2


def render_terminal(report: AuditReport, console: Console, *, html_path: Path | str | None = None) -> None:
    """Print the report.

    Args:
        report: The audit.
        console: Where to; its width, colour system and encoding are respected.
        html_path: Where the HTML page was written; named at the end.
    """
    _Page(console).show(report, html_path)


class _Page:
    """One printing of one report."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = console.options.ascii_only
        self._width = min(console.width, 100)

    def show(self, report: AuditReport, html_path: Path | str | None) -> None:
        self._verdict(report)
        self._money(report)
        self._tiers(report)
        self._alarms(report)
        self._slices(report)
        self._segments(report)
        self._anchored(report)
        self._coverage(report)
        self._reference(report)
        self._next(report)
        if html_path is not None:
            self._line()
            self._line(Text(f"Charts: {clip(str(html_path), 400)}"), indent=0)

    # Printing -----------------------------------------------------------------------------------------------

    def _text(self, text: str | Text, style: str = "") -> Text:
        result = text if isinstance(text, Text) else Text(text, style)
        if self._ascii:
            plain = result.plain.translate(_TO_ASCII).encode("ascii", "replace").decode("ascii")
            result = Text(plain, result.style)
        return result

    def _line(self, text: str | Text = "", style: str = "", indent: int = _MARGIN) -> None:
        if not text:
            self._console.print()
            return
        self._console.print(
            Padding(self._text(text, style), (0, 0, 0, indent), expand=False), width=self._width, highlight=False
        )

    def _heading(self, text: str) -> None:
        self._line()
        self._line(text, "bold", indent=0)

    def _bullet(self, text: str, mark: str = "•") -> None:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(self._text(mark), self._text(text))
        self._print(grid)

    def _print(self, table: Table) -> None:
        self._console.print(Padding(table, (0, 0, 0, _MARGIN), expand=False), width=self._width, highlight=False)

    def _table(self, *headings: str, first: int = 1, rigid: bool = True) -> Table:
        """A quiet table: a rule under the headings; the first columns are text, the others figures to the right."""
        table = Table(
            box=box.ASCII if self._ascii else box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0)
        )
        for position, heading in enumerate(headings):
            is_text = position < first
            table.add_column(
                self._text(heading),
                justify="left" if is_text else "right",
                no_wrap=rigid and not is_text,
                overflow="fold",
                header_style="",
            )
        return table

    def _row(self, table: Table, *cells: str | Text) -> None:
        table.add_row(*(self._text(cell) for cell in cells))

    def _facts(self, facts: Iterable[tuple[str, str]], indent: int = 5) -> None:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(overflow="fold")
        for name, value in facts:
            grid.add_row(self._text(name), self._text(value))
        self._console.print(Padding(grid, (0, 0, 0, indent), expand=False), width=self._width, highlight=False)

    def _more(self, left: int, what: str) -> None:
        if left > 0:
            self._line(f"... and {figures.plural(left, what)} more; --json and --html list all of them", "dim")

    def _symbol(self, said: words.VerdictWords | words.StateWords) -> str:
        return said.ascii_symbol if self._ascii else said.symbol

    # Sections -----------------------------------------------------------------------------------------------

    def _verdict(self, report: AuditReport) -> None:
        said = words.VERDICTS[report.verdict]
        self._line(f"{self._symbol(said)} {said.title.upper()}", _TONES[said.tone], indent=0)
        self._line(prose(report.headline) or said.sentence, "bold")
        self._line(
            f"{figures.moment(report.period[0])} to {figures.moment(report.period[1])} UTC, "
            f"{figures.count(report.coverage.decisions)} decisions, intervals at {figures.level(report.settings.level)}, "
            f"margin {figures.points(report.settings.margin)}, at most {figures.level(report.settings.alpha)} chance "
            f"of any false alarm in {figures.plural(report.settings.horizon_days, 'day')}.",
            "dim",
        )
        if report.reasons:
            self._heading("Why")
            for reason in report.reasons[:_SHOWN_LINES]:
                self._bullet(prose(reason))
            self._more(len(report.reasons) - _SHOWN_LINES, "reason")

    def _money(self, report: AuditReport) -> None:
        ledger = report.ledger
        self._heading("Money, USD a month")
        parts = money.steps(ledger)
        if not parts and ledger.net_usd_month is None:
            self._line(f"Not known: {prose(ledger.note)}." if ledger.note else "Not known: the log has no costs.")
        else:
            table = self._table("item", "USD a month", "interval", first=1)
            for step in parts[:20]:
                name = clip(step.label, 30) + (f" ({clip(step.tier, 16)})" if step.tier else "")
                how = {True: "", False: " *", None: ""}[step.causal if step.kind != "watching" else None]
                self._row(
                    table, name + how, figures.usd(step.usd_month, plus=True), figures.usd_interval(step.interval)
                )
            if ledger.net_usd_month is not None:
                table.add_section()
                self._row(
                    table,
                    Text("net", "bold"),
                    Text(figures.usd(ledger.net_usd_month, plus=True), "bold"),
                    figures.usd_interval(ledger.interval),
                )
            self._print(table)
            self._more(len(parts) - 20, "item")
            if any(step.causal is False and step.kind != "watching" for step in parts):
                self._line(
                    "* not from a randomised holdout: a comparison over time, which other causes can move", "dim"
                )
            if ledger.note:
                self._line(prose(ledger.note), "dim")
        inside = [
            f"{clip(item.name, 30)}{f' ({clip(item.tier, 16)})' if item.tier else ''} {figures.usd(item.usd_month)}"
            for item in money.inside(ledger)
        ]
        if inside:
            self._line(f"In the bill, and taken off the savings already: {'; '.join(inside[:_SHOWN_LINES])}.")
            self._more(len(inside) - _SHOWN_LINES, "item")
        for item in money.avoided(ledger)[:_SHOWN_LINES]:
            tier = f" ({clip(item.tier, 16)})" if item.tier else ""
            note = f"; {prose(item.note)}" if item.note else ""
            self._line(
                f"Not in the bill, and in the savings already: {clip(item.name, 30)}{tier} {figures.usd(item.usd_month)}{note}."
            )
        if ledger.downstream_usd_month is None:
            self._line("What quality costs downstream is not known: pass --outcomes (tickets, churn) to see it.", "dim")

    def _tiers(self, report: AuditReport) -> None:
        self._heading("What the aggregate shows, and the tiers beside it")
        shown = report.tiers[:_SHOWN_TIERS]
        table = self._table("", "decisions", "share", "cost", "at capable prices")
        total = report.aggregate
        self._row(table, "all tiers", figures.count(total.decisions), "", figures.usd(total.cost_usd), "")
        for tier in shown:
            self._row(
                table,
                clip(tier.tier, 24),
                figures.count(tier.decisions),
                figures.percent(tier.share),
                figures.usd(tier.cost_usd),
                figures.usd(tier.baseline_cost_usd),
            )
        self._print(table)
        self._more(len(report.tiers) - len(shown), "tier")
        self._latency(shown)
        if not total.signals and not any(tier.signals for tier in shown):
            self._line("No quality signal is joined to a decision: pass --signals (reviews, ratings, thumbs, checks).")
            return
        self._line()
        table = self._table("quality by", "tier", "mean", "interval", "labels", first=2)
        names = list(total.signals)
        names.sort(key=lambda name: name != report.main_signal)
        for name in names[:_SHOWN_SIGNALS]:
            self._signal_row(table, clip(name, 24), "all tiers", total.signals[name])
            for tier in shown:
                if name in tier.signals:
                    self._signal_row(table, "", clip(tier.tier, 18), tier.signals[name])
        self._print(table)
        self._more(len(names) - _SHOWN_SIGNALS, "signal")

    def _latency(self, tiers: tuple[TierReport, ...]) -> None:
        """How long escalated and skipped requests took; nothing where there were none."""
        known = [(tier.tier, tier.latency_ms) for tier in tiers if tier.latency_ms is not None]
        if not any(latency.is_compared for _, latency in known):
            return
        self._line()
        table = self._table("latency", "", "median", "95 % within", "decisions", first=2)
        for tier, latency in known:
            name = clip(tier, 24)
            for what, estimate in latency.ways:
                median, most = figures.milliseconds(estimate.p50), figures.milliseconds(estimate.p95)
                self._row(table, name, what, median, most, figures.count(estimate.n))
                name = ""
        self._print(table)

    def _signal_row(self, table: Table, name: str, tier: str, estimate: SignalEstimate) -> None:
        self._row(
            table,
            name,
            tier,
            figures.percent(estimate.mean),
            figures.percent_interval(estimate.interval),
            figures.count(estimate.n),
        )

    def _alarms(self, report: AuditReport) -> None:
        self._heading(f"Alarms ({len(report.alarms)})")
        if not report.alarms:
            self._line("None.")
        for number, alarm in enumerate(report.alarms[:_SHOWN_ALARMS], 1):
            self._alarm(number, alarm)
        self._more(len(report.alarms) - _SHOWN_ALARMS, "alarm")
        if report.warnings:
            self._heading(f"Warnings ({len(report.warnings)}): they prove no harm")
            for warning in report.warnings[:_SHOWN_ALARMS]:
                self._warning(warning)
            self._more(len(report.warnings) - _SHOWN_ALARMS, "warning")

    def _alarm(self, number: int, alarm: Alarm) -> None:
        where = f"{clip(alarm.tier, 24)}, {segment_name(alarm.segment, 40)}"
        self._line(Text(f"{number}. ") + Text(where, "bold") + Text(f": {clip(alarm.signal, 30)}"))
        facts = [
            ("since", _since(alarm)),
            ("detected", figures.moment(alarm.detected_at) + _delay(alarm)),
            ("loss", _loss(alarm.loss, alarm.interval)),
        ]
        if alarm.latest_loss is not None:
            facts.append(("loss by now", _loss(alarm.latest_loss, alarm.latest_interval)))
        facts += [
            ("test", f"{words.alarm_kind(alarm)}; evidence {figures.evidence(alarm.evidence)}"),
            ("cause", words.CAUSES[alarm.cause]),
            ("rests on", words.BASES[alarm.basis]),
        ]
        if alarm.parts is not None:
            facts.append(("divided", words.parts(alarm.parts, lambda segment: segment_name(segment, 30))))
        if alarm.note:
            facts.append(("note", words.sentence(prose(alarm.note, 300))))
        if alarm.story:
            facts.append(("in short", prose(alarm.story, 700)))
        elif alarm.changed_nearby:
            facts.append(("then too", "; ".join(prose(change, 120) for change in alarm.changed_nearby[:4])))
        self._facts(facts)

    def _warning(self, alarm: Alarm) -> None:
        where = f"{clip(alarm.tier, 24)}, {segment_name(alarm.segment, 40)}"
        what = prose(words.monitor_words(alarm.monitor), 60)
        loss = "" if alarm.loss is None else f", loss {_loss(alarm.loss, alarm.interval)}"
        note = f". {words.sentence(prose(alarm.note, 300))}" if alarm.note else ""
        since = f" since {_since(alarm)}," if alarm.onset is not None else ","
        self._bullet(f"{where}: {what}{since} seen {figures.moment(alarm.detected_at)}{loss}{note}")

    def _segments(self, report: AuditReport) -> None:
        ordered = worst_first((*report.segments, *report.suspects))
        tiers = {segment.tier for segment in ordered}
        of_one = f" of {clip(next(iter(tiers)), 24)}" if len(tiers) == 1 else ""
        self._heading(f"Loss by segment{of_one} in points, worst first")
        if not ordered:
            self._line("No segment can be compared yet.")
            return
        table = self._table(
            "segment" if of_one else "tier, segment", "state", "loss", "interval", "share", "labels", first=2
        )
        for segment in ordered[:_SHOWN_SEGMENTS]:
            self._segment_row(table, segment, with_tier=not of_one)
        self._print(table)
        self._more(len(ordered) - _SHOWN_SEGMENTS, "segment")

    def _segment_row(self, table: Table, segment: SegmentReport, *, with_tier: bool) -> None:
        said = words.STATES[segment.state]
        interval = figures.points_interval(segment.interval).removesuffix(" points")
        self._row(
            table,
            (f"{clip(segment.tier, 12)}, " if with_tier else "") + segment_name(segment.segment, 30),
            Text(f"{self._symbol(said)} {said.word}", _TONES[said.tone] if said.tone == "bad" else ""),
            figures.points(segment.loss).removesuffix(" points"),
            interval,
            figures.percent(segment.share),
            figures.count(segment.n),
        )

    def _slices(self, report: AuditReport) -> None:
        rows = report.slices[:_SHOWN_SEGMENTS]
        if not rows:
            return
        self._heading("Where it loses")
        for number, row in enumerate(rows, 1):
            where = Text(f"{number}. {clip(row.tier, 24)}, ") + Text(slices.slice_name(row, 60), "bold")
            self._line(where)
            facts = [
                ("requests", f"{slices.shares(row)}; {figures.plural(row.n, 'label')}"),
                ("fail", slices.failing(row)),
                ("rest fails", slices.rest(row)),
                ("of failures", slices.part(row)),
            ]
            if (unknown := slices.unknown_words(row)) is not None:
                facts.append(("texts", unknown))
            facts += [("for example" if i == 0 else "", text) for i, text in enumerate(slices.examples(row))]
            self._facts(facts)
        self._more(len(report.slices) - len(rows), "slice")
        self._line(
            "Found on half of the labels and confirmed on the others; at most "
            f"{figures.level(report.settings.alpha)} of those found are expected to be false.",
            "dim",
        )

    def _anchored(self, report: AuditReport) -> None:
        rows = report.anchored[:_SHOWN_SEGMENTS]
        if not rows:
            return
        self._heading(f"Pairs: {clip(rows[0].signal, 30)} by people, narrowed by {clip(rows[0].judge, 30)}")
        table = self._table("tier, segment", "loss", "interval", "people alone", "labels", "pairs", "worth")
        for row in rows:
            self._row(
                table,
                f"{clip(row.tier, 12)}, {segment_name(row.segment, 30)}",
                figures.points(row.loss).removesuffix(" points"),
                figures.points_interval(row.interval).removesuffix(" points"),
                figures.points_interval(row.human_interval).removesuffix(" points"),
                figures.count(row.labelled),
                figures.count(row.judged),
                f"{row.worth:.1f}x",
            )
        self._print(table)
        self._more(len(report.anchored) - _SHOWN_SEGMENTS, "place")
        self._line(
            "People's verdicts decide; the judge's on many more pairs only narrow the interval. Worth: how many times as many "
            "labels it would have taken without the judge."
        )

    def _coverage(self, report: AuditReport) -> None:
        seen = report.coverage
        self._heading("What was read")
        self._line(
            f"{figures.count(seen.decisions)} decisions; {figures.count(seen.signals)} signals, of which "
            f"{figures.count(seen.joined)} joined and {figures.count(seen.unjoined)} not; "
            f"{figures.plural(seen.duplicates, 'duplicate')}; {figures.count(seen.rejected)} rejected."
        )
        for reason, n in sorted(seen.reasons.items(), key=lambda entry: -entry[1])[:_SHOWN_LINES]:
            self._bullet(f"{figures.count(n)}: {prose(reason, 200)}")
        self._more(len(seen.reasons) - _SHOWN_LINES, "reason")
        if seen.rejects_file:
            self._line(f"Rejected rows: {clip(seen.rejects_file, 300)}")
        if seen.tier_source == "inferred":
            self._line(
                "Tiers were inferred from model prices, not logged. Name them with --map or [tiers] in undertow.toml."
            )
        if seen.missing_columns:
            shown = ", ".join(clip(column, 40) for column in seen.missing_columns[:16])
            left = len(seen.missing_columns) - 16
            self._line(f"Not in the log: {shown}" + (f" and {left} more" if left > 0 else ""))
        for note in seen.notes[:_SHOWN_LINES]:
            self._bullet(prose(note, 300))

    def _reference(self, report: AuditReport) -> None:
        reference = report.reference
        kind = words.REFERENCES.get(reference.kind, prose(reference.kind, 60))
        how_far = "causal" if reference.causal else "not causal"
        self._heading("Compared with")
        self._line(f"{kind[0].upper()}{kind[1:]} ({how_far}). {words.sentence(prose(reference.note))}".rstrip())

    def _next(self, report: AuditReport) -> None:
        if report.next:
            self._heading("Next")
            for number, step in enumerate(report.next[:_SHOWN_LINES], 1):
                self._bullet(prose(step), f"{number}.")
            self._more(len(report.next) - _SHOWN_LINES, "step")


def _since(alarm: Alarm) -> str:
    if alarm.onset is None:
        return "unknown"
    span = f" ({figures.moments(alarm.onset_interval)})" if alarm.onset_interval else ""
    return figures.moment(alarm.onset) + span


def _delay(alarm: Alarm) -> str:
    if alarm.onset is None or alarm.onset > alarm.detected_at:
        return ""
    return f", {figures.duration((alarm.detected_at - alarm.onset).total_seconds())} later"


def _loss(loss: float | None, interval: tuple[float, float] | None) -> str:
    return figures.points(loss) + (f" ({figures.points_interval(interval)})" if interval else "")
