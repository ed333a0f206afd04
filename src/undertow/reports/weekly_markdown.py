"""The report of a week in Markdown: for a channel, a wiki or an issue. No character of a name may act."""

from undertow.records.weekly import WeekReport
from undertow.reports import words
from undertow.reports.markdown import safe
from undertow.reports.names import clip, prose
from undertow.reports.weekly import (
    QUALITY_HEADINGS,
    SHOWN_LINES,
    SHOWN_ROWS,
    facts,
    quality_cells,
    sections,
    week_words,
)


def week_markdown(report: WeekReport) -> str:
    """The summary, ending with a newline."""
    said = words.VERDICTS[report.now.verdict]
    lines = [
        f"## {said.symbol} Undertow, {week_words(report)}: {said.title.lower()}",
        "",
        f"**{safe(prose(report.headline, 500))}**",
        "",
    ]
    lines += [f"- {safe(name)}: {safe(prose(text, 300))}" for name, text in facts(report)]
    lines.append("")
    if report.qualities:
        rule = ["---" if place in {0, 1, 8} else "---:" for place in range(len(QUALITY_HEADINGS))]
        rows = [[safe(cell) for cell in quality_cells(one)] for one in report.qualities[:SHOWN_ROWS]]
        lines += [f"### Quality by {safe(clip(report.signal or '', 60))}", ""]
        lines += [f"| {' | '.join(row)} |" for row in ([*QUALITY_HEADINGS[:-1], "change"], rule, *rows)]
        lines.append("")
    for title, sentences in sections(report):
        lines += [f"### {title}", ""]
        lines += [f"- {safe(prose(sentence, 400))}" for sentence in sentences[:SHOWN_LINES]]
        lines.append("")
    return "\n".join(lines)
