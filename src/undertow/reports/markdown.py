"""The audit in a screenful of Markdown: a comment on a pull request, a summary of a CI step.

Names come from a log, so no character of theirs may act: Markdown and HTML are escaped, and mentions, references and links
are broken with a word joiner, so that a segment named after a person pings nobody.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

from undertow.records.report import AuditReport
from undertow.reports import figures, slices, words
from undertow.reports.names import clip, prose, segment_name
from undertow.reports.order import worst_first

_SHOWN = 10
_TIERS = 6
_JOINER = "\u2060"
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_LEADING = re.compile(r"^([-+>=]|\d+[.)](?=\s))")
"""What opens a list, a quotation or a heading at the start of an entry."""
_ACTING = re.compile(r"(@|#|://|www(?=\.))")


def render_markdown(report: AuditReport) -> str:
    """The summary, in GitHub's dialect, ending with a newline."""
    said = words.VERDICTS[report.verdict]
    lines = [
        f"## {said.symbol} Undertow audit: {said.title.lower()}",
        "",
        f"**{safe(prose(report.headline) or said.sentence)}**",
        "",
    ]
    lines += _bullets(report.reasons)
    lines += _facts(report)
    lines += _tiers(report)
    lines += _alarms(report)
    lines += _slices(report)
    lines += _segments(report)
    if report.next:
        lines += ["### Next", ""]
        lines += [f"{number}. {safe(prose(step))}" for number, step in enumerate(report.next[:_SHOWN], 1)]
        lines += [""]
    lines.append(
        f"<sub>{figures.moment(report.period[0])} to {figures.moment(report.period[1])} UTC. Intervals at "
        f"{figures.level(report.settings.level)}; at most {figures.level(report.settings.alpha)} chance of any false alarm in "
        f"{figures.plural(report.settings.horizon_days, 'day')}.</sub>"
    )
    return "\n".join(lines) + "\n"


def safe(text: str) -> str:
    r"""Harmless text without anything that Markdown, HTML or a forge would act on.

    Examples:
        >>> safe("a|b <i>")
        'a\\|b &lt;i&gt;'
    """
    broken = _ACTING.sub(lambda match: match[0] + _JOINER, text)
    return escape(_LEADING.sub(r"\\\1", _SPECIAL.sub(r"\\\1", broken)), quote=False)


def _bullets(sentences: Iterable[str]) -> list[str]:
    lines = [f"- {safe(prose(sentence))}" for sentence in list(sentences)[:_SHOWN]]
    return [*lines, ""] if lines else []


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> list[str]:
    rule = ["---" if position < text_columns else "---:" for position in range(len(headings))]
    lines = [f"| {' | '.join(row)} |" for row in (headings, rule, *rows)]
    return [*lines, ""]


def _facts(report: AuditReport) -> list[str]:
    ledger = report.ledger
    rows = [("net value a month", figures.usd(ledger.net_usd_month, plus=True), figures.usd_interval(ledger.interval))]
    if ledger.savings_usd_month is not None:
        rows.insert(0, ("saved a month", figures.usd(ledger.savings_usd_month), ""))
    rows.append(("alarms", figures.count(len(report.alarms)), figures.plural(len(report.warnings), "warning")))
    rows.append(
        ("signals joined", figures.count(report.coverage.joined), f"of {figures.count(report.coverage.signals)}")
    )
    return _table(("", "", ""), rows)


def _tiers(report: AuditReport) -> list[str]:
    signal = report.main_signal
    if signal is None:
        return []
    total = report.aggregate.signals.get(signal)
    rows = []
    if total is not None:
        rows.append(
            (
                "all tiers",
                "",
                figures.percent(total.mean),
                figures.percent_interval(total.interval),
                figures.count(total.n),
            )
        )
    for tier in report.tiers[:_TIERS]:
        one = tier.signals.get(signal)
        if one is not None:
            rows.append(
                (
                    safe(clip(tier.tier, 30)),
                    figures.percent(tier.share),
                    figures.percent(one.mean),
                    figures.percent_interval(one.interval),
                    figures.count(one.n),
                )
            )
    if not rows:
        return []
    return [
        f"### {safe(clip(signal, 40))} by tier",
        "",
        *_table(("tier", "share", "mean", "interval", "labels"), rows),
    ]


def _slices(report: AuditReport) -> list[str]:
    """Without examples: a pull request is read by more people than may read what users wrote."""
    if not report.slices:
        return []
    rows = [
        (
            safe(clip(row.tier, 24)),
            safe(slices.slice_name(row, 60)),
            slices.shares(row),
            slices.failing(row),
            slices.rest(row),
            slices.part(row),
        )
        for row in report.slices[:_SHOWN]
    ]
    headings = ("tier", "requests", "share", "fail", "rest fails", "of failures")
    return ["### Where it loses", "", *_table(headings, rows, text_columns=2)]


def _alarms(report: AuditReport) -> list[str]:
    if not report.alarms:
        return []
    rows = [
        (
            safe(clip(alarm.tier, 24)),
            safe(segment_name(alarm.segment, 40)),
            safe(clip(alarm.signal, 30)),
            figures.moments(alarm.onset_interval),
            figures.moment(alarm.detected_at),
            f"{figures.points(alarm.loss)} ({figures.points_interval(alarm.interval)})",
            alarm.cause,
        )
        for alarm in report.alarms[:_SHOWN]
    ]
    headings = ("tier", "segment", "signal", "began", "detected", "loss", "cause")
    more = len(report.alarms) - len(rows)
    told = [
        f"- **{safe(clip(alarm.tier, 24))}, {safe(segment_name(alarm.segment, 40))}**: {safe(prose(alarm.story, 700))}"
        for alarm in report.alarms[:_SHOWN]
        if alarm.story
    ]
    return [
        "### Alarms",
        "",
        *_table(headings, rows, text_columns=7),
        *([f"and {more} more", ""] if more else []),
        *([*told, ""] if told else []),
    ]


def _segments(report: AuditReport) -> list[str]:
    shown = [one for one in worst_first(report.segments) if one.loss is not None][:_SHOWN]
    if not shown:
        return []
    rows = [
        (
            safe(clip(one.tier, 24)),
            safe(segment_name(one.segment, 40)),
            f"{words.STATES[one.state].symbol} {words.STATES[one.state].word}",
            figures.points(one.loss),
            figures.points_interval(one.interval),
        )
        for one in shown
    ]
    table = _table(("tier", "segment", "state", "loss", "interval"), rows, text_columns=3)
    return ["<details><summary>Loss by segment, worst first</summary>", "", *table, "</details>", ""]
