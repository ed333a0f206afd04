"""A check of a candidate as a comment on a pull request, in GitHub's dialect. No character of a name may act."""

from undertow.records.gate import GateReport
from undertow.reports.gate import HEADINGS, SHOWN_LINES, difference_words, facts, place_cells
from undertow.reports.markdown import safe
from undertow.reports.names import clip, prose

SYMBOLS = {"loss": "✗", "hole": "?", "pass": "✓"}
TITLES = {"loss": "fails", "hole": "not shown to be safe", "pass": "passes"}
SHOWN_PLACES = 20


def gate_markdown(report: GateReport) -> str:
    """The summary, ending with a newline."""
    lines = [
        f"## {SYMBOLS[report.verdict]} Undertow check: {TITLES[report.verdict]}",
        "",
        f"**{safe(prose(report.headline, 500))}**",
        "",
    ]
    if report.differences:
        lines += [f"What differs in {safe(clip(report.candidate, 80))}:", ""]
        lines += [f"- {safe(prose(difference_words(one), 400))}" for one in report.differences[:SHOWN_LINES]]
        lines.append("")
    if report.places:
        rule = ["---" if place in {0, 1, 8} else "---:" for place in range(len(HEADINGS))]
        rows = [[safe(cell) for cell in place_cells(place)] for place in report.places[:SHOWN_PLACES]]
        lines += [f"| {' | '.join(row)} |" for row in ([*HEADINGS[:-1], "state"], rule, *rows)]
        if len(report.places) > SHOWN_PLACES:
            lines += ["", f"and {len(report.places) - SHOWN_PLACES} more places"]
        lines.append("")
    if report.next:
        lines += ["### Next", ""]
        lines += [f"{number}. {safe(prose(step, 400))}" for number, step in enumerate(report.next[:SHOWN_LINES], 1)]
        lines.append("")
    lines += ["<details><summary>How this was compared</summary>", ""]
    lines += [f"- {name}: {safe(prose(said, 600))}" for name, said in facts(report)]
    lines += ["", "</details>"]
    return "\n".join(lines) + "\n"
