import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from undertow.records.report import LedgerItem
from undertow.reports.terminal import render_terminal
from unit.reports.factory import EVERY, HOSTILE, WAITS, healthy, inconclusive, many_segments, pareto_trap, sparse


class Stream(io.StringIO):
    """A stream that claims an encoding, as a terminal does."""

    def __init__(self, encoding):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding


def shown(report, *, width=80, encoding="utf-8", html_path=None, **options):
    stream = Stream(encoding)
    console = Console(file=stream, width=width, **options)
    render_terminal(report, console, html_path=html_path)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", EVERY)
def test_every_line_fits(name, width):
    text = shown(EVERY[name](), width=width)
    for line in text.splitlines():
        assert cell_len(line) <= width, line


def test_the_verdict_comes_first_in_words():
    lines = shown(pareto_trap()).splitlines()
    assert lines[0].strip() == "▼ PARETO TRAP"
    assert lines[1].strip().startswith("Pareto trap: routing saves $101k a month")


@pytest.mark.parametrize(
    ("name", "word"),
    [("healthy", "✓ HEALTHY"), ("inconclusive", "? INCONCLUSIVE"), ("pareto_trap", "▼ PARETO TRAP")],
)
def test_each_verdict_has_its_word(name, word):
    assert shown(EVERY[name]()).startswith(word)


def test_it_says_what_where_since_when_how_much_and_why():
    text = " ".join(shown(pareto_trap()).split())
    for part in (
        "1. cheap, intent=billing: review.accuracy",
        "since 2026-01-27 (2026-01-25 to 2026-01-28)",
        "detected 2026-01-31, 4 days later",
        "loss 18.0 points (9.0 to 28.0 points)",
        "loss by now 21.2 points (13.1 to 29.7 points)",
        "cause routing",
        "rests on labels given by people",
        "net −$322k −$440k to −$205k",
        "taken off the savings already: answers thrown away (cheap) $2.31k; checking answers $640.",
        "Not in the bill, and in the savings already: cheap answers not asked for (cheap) $347; 61,500 requests.",
        "capable escalated 2.4 s 4.9 s 410,000 direct 1.7 s 3.6 s 1,008,990 skipped 1.7 s 3.5 s 61,500",
        "all tiers 91.4 % 90.3 to 92.5 % 8,450",
        "248: signal names a decision that is not in the log",
        "Not in the log: prompt_hash, ttft_ms",
        "Concurrent randomised holdout (causal).",
        "1. Send intent=billing back",
        "of cheap in points, worst first",
        "intent=billing ▲ beyond margin 21.2 13.1 to 29.7 14.0 % 812",
    ):
        assert part in text, part


def test_sections_stand_in_order():
    text = shown(pareto_trap(), html_path="/tmp/report.html")  # noqa: S108
    headings = [
        "PARETO TRAP", "Why", "Money", "What the aggregate shows", "Alarms (2)", "Warnings (2)", "Loss by segment",
        "What was read", "Compared with", "Next", "Charts: /tmp/report.html",
    ]  # fmt: skip
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)


def test_without_colour_nothing_is_lost_and_no_escape_is_written(monkeypatch):
    plain = shown(pareto_trap())
    monkeypatch.setenv("NO_COLOR", "1")
    without = shown(pareto_trap(), force_terminal=True, color_system="truecolor")
    monkeypatch.delenv("NO_COLOR")
    coloured = shown(pareto_trap(), force_terminal=True, color_system="truecolor")
    strip = re.compile(r"\x1b\[[0-9;]*m")
    assert "\x1b" not in plain
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", without)
    assert strip.sub("", coloured) == strip.sub("", without) == plain


@pytest.mark.parametrize("name", EVERY)
def test_a_terminal_that_knows_only_ascii_gets_ascii(name):
    text = shown(EVERY[name](), encoding="ascii")
    assert text.isascii()
    assert "\x1b" not in text


def test_ascii_keeps_signs_and_symbols():
    text = shown(pareto_trap(), encoding="ascii")
    assert text.startswith("[!!] PARETO TRAP")
    assert "-$322k" in text


def test_hostile_names_neither_act_nor_forge_lines():
    text = shown(EVERY["hostile"](), force_terminal=True, color_system=None, width=100)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\u2028\u200e]", text)
    assert "line␊break␍␊VERDICT" in text
    assert "[bold red]" in text
    assert "x" * 200 not in text.replace("\n", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_alone_does_not_break_the_report(name):
    report = replace(pareto_trap(), headline=name, reasons=(name,), next=(name,), main_signal=name)
    assert "PARETO TRAP" in shown(report)


def test_what_is_missing_is_named_with_the_way_to_get_it():
    text = " ".join(shown(sparse()).split())
    assert "pass --signals" in text
    assert "pass --outcomes" in text
    assert "No segment can be compared yet" in text
    assert "nan" not in text.lower()


def test_many_are_cut_and_counted():
    text = shown(many_segments())
    assert "190 segments more" in text
    assert text.count("tenant-") == 10
    assert "16" in shown(EVERY["hostile"]())


def test_suspects_and_inferred_tiers_are_shown():
    report = inconclusive()
    suspect = replace(report.segments[0], state="suspect")
    coverage = replace(report.coverage, tier_source="inferred", rejects_file="rejects.jsonl")
    text = shown(replace(report, suspects=(suspect,), coverage=coverage))
    assert "~ labels suspect" in text
    assert "inferred from model prices" in text
    assert "Rejected rows: rejects.jsonl" in text


def test_a_comparison_over_time_is_marked_as_such():
    item = LedgerItem("ticket", "downstream", "cheap", 5.0, None, False)
    ledger = replace(pareto_trap().ledger, items=(item,))
    assert "ticket (cheap) *" in shown(replace(pareto_trap(), ledger=ledger))
    assert "not from a randomised holdout" in shown(replace(pareto_trap(), ledger=ledger))
    assert "not from a randomised holdout" not in shown(pareto_trap())


def test_no_alarm_is_said():
    assert "Alarms (0)\n  None." in shown(healthy())


def test_without_an_escalated_request_latency_is_not_shown():
    report = pareto_trap()
    direct = tuple(replace(tier, latency_ms=WAITS[0]) for tier in report.tiers)
    for tiers in (direct, tuple(replace(tier, latency_ms=None) for tier in report.tiers)):
        assert "95 % within" not in shown(replace(report, tiers=tiers))
    assert "95 % within" in shown(report)


def test_where_requests_were_skipped_and_none_escalated_latency_is_shown():
    report = pareto_trap()
    capable = replace(report.tiers[1], latency_ms=replace(WAITS[1], escalated=WAITS[0].escalated))
    text = " ".join(shown(replace(report, tiers=(report.tiers[0], capable))).split())
    assert "capable direct 1.7 s 3.6 s 1,008,990 skipped 1.7 s 3.5 s 61,500" in text


def test_a_log_without_calls_has_no_line_for_thrown_away_answers():
    report = pareto_trap()
    items = tuple(item for item in report.ledger.items if item.kind not in {"wasted", "checking", "skipped"})
    text = shown(replace(report, ledger=replace(report.ledger, items=items)))
    assert "In the bill" not in text
    assert "Not in the bill" not in text
