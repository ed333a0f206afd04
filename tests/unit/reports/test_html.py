import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from undertow.reports.html import SHOWN_SEGMENTS, render_html
from undertow.reports.words import GLOSSARY
from unit.reports.factory import EVERY, healthy, hostile, many_segments, pareto_trap, sparse

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would make of the page: elements with attributes, texts, and whether tags close in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.open, self.faults = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module", params=EVERY)
def page(request):
    return Page(render_html(EVERY[request.param]()))


def test_tags_close_in_order(page):
    assert not page.faults
    assert not page.open


def test_the_page_loads_nothing(page):
    for tag, attrs in page.elements:
        for name in ("src", "srcset", "action", "data", "poster", "xlink:href", "background"):
            assert name not in attrs, (tag, attrs)
        if "href" in attrs:
            assert attrs["href"].startswith("#") or (tag, attrs["href"]) == ("link", "data:,")
        assert not any(name.startswith("on") for name in attrs)
        assert "style" not in attrs
    assert not page.of("iframe") + page.of("object") + page.of("embed") + page.of("img") + page.of("form")


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for link in page.of("a"):
        assert link["href"].removeprefix("#") in ids
    for drawing in page.of("svg"):
        assert drawing["role"] == "img"
        assert set(drawing["aria-labelledby"].split()) <= set(ids)


def test_the_document_is_named_and_readable_by_machines(page):
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("h1")) == len(page.of("main")) == 1
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    headers = page.of("th")
    assert headers
    assert all(th.get("scope") in {"col", "row"} for th in headers)


def test_only_our_script_may_run(page):
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    assert len(page.of("script")) == 1


def test_the_hash_is_that_of_the_script():
    text = render_html(pareto_trap())
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in text


def test_the_glossary_closes_the_page(page):
    assert all(term in page.text for term, _ in GLOSSARY)
    assert "All times are UTC" in page.text


def test_the_verdict_and_the_figures():
    text = Page(render_html(pareto_trap())).text
    for part in (
        "Pareto trap: routing saves $101k a month",
        "Net value a month −$322k −$440k to −$205k",
        "Largest loss shown 21.2 points cheap, intent=billing",
        "First alarm 2026-01-31 4 days after onset; 2 alarms in all",
        "Signals joined 13,102",
        "between 2026-01-25 and 2026-01-28",
        "A 2026-01-19 policy version of cheap",
        "Population stability index 0.31",
        "Concurrent randomised holdout: causal .",
    ):
        assert part in text, part


def test_every_chart_is_drawn_twice_with_caption_and_table():
    page = Page(render_html(pareto_trap()))
    assert len(page.of("svg")) == 14
    assert len(page.of("figure")) == len(page.of("figcaption")) == 7
    tables = set(re.findall(r"<summary>(.*?)</summary>", render_html(pareto_trap())))
    assert {
        "Quality over time as a table",
        "Evidence over time as a table",
        "Loss by segment as a table",
        "Ledger as a table",
        "Routing confidence as a table",
        "Share of traffic as a table",
    } <= tables


def test_what_is_missing_says_what_to_do():
    text = Page(render_html(sparse())).text
    for part in (
        "No quality over time.",
        "Pass --signals FILE",
        "One tier only.",
        "No alarm.",
        "No segment can be compared yet.",
        "No ledger.",
        "Pass --outcomes FILE",
        "No confidence column.",
        "No share over time.",
    ):
        assert part in text, part
    assert not Page(render_html(sparse())).of("svg")


def test_a_healthy_page_says_what_is_ruled_out():
    text = Page(render_html(healthy())).text
    assert "Loss not ruled out up to 1.7 points" in text
    assert "Nothing got worse." in text
    assert "Downstream cost is not known." in text


def test_many_segments_are_cut_in_the_chart_and_whole_in_the_table():
    text = render_html(many_segments())
    assert text.count('class="whisker') == 2 * SHOWN_SEGMENTS
    assert "All 200 segments as a table (the chart shows the worst 20)" in text
    assert all(f"tenant-{i:03d}" in text for i in range(200))


def test_hostile_names_are_inert_text():
    text = render_html(hostile())
    page = Page(text)
    assert len(page.of("script")) == 1
    assert "<script>window" not in text
    assert "{{ 7*7 }}" in page.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\u2028]", text)
    assert "x" * 400 not in text
    text.encode("utf-8")


def test_a_page_stays_small_enough_to_mail():
    assert all(len(render_html(make())) < 600_000 for make in EVERY.values())


def test_the_same_report_gives_the_same_page():
    assert render_html(pareto_trap()) == render_html(pareto_trap())


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_meet_wcag_aa_in_light_and_dark():
    css = render_html(pareto_trap())
    blocks = re.findall(r"--bg: #.*?--detected", css, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        full = {
            n: "#" + "".join(c * 2 for c in v) if len(v) == 3 else f"#{v}"
            for n, v in re.findall(r"--([a-z-]+): #([0-9a-f]+)", block)
        }
        for ground in ("bg", "card", "soft", "blue-soft", "orange-soft", "grey-soft"):
            assert contrast(full["ink"], full[ground]) >= 7
            assert contrast(full["muted"], full[ground]) >= 4.5, (ground, block)
        for colour in ("blue", "orange", "grey", "purple", "teal", "brown"):
            assert contrast(full[colour], full["bg"]) >= 4.5, (colour, block)
        assert contrast(full["blue"], full["card"]) >= 4.5
        for tone in ("blue", "orange", "grey"):
            assert contrast(full[tone], full[f"{tone}-soft"]) >= 4.5, (tone, block)


def test_escalated_latency_and_thrown_away_answers_are_shown_where_known():
    text = Page(render_html(pareto_trap())).text
    assert (
        "capable escalated 2.4 s 4.9 s 410,000 capable direct 1.7 s 3.6 s 1,008,990 capable skipped 1.7 s 3.5 s 61,500"
        in text
    )
    assert "A skipped one waits for no cheap answer" in text
    assert "cheap answers not asked for cheap $347 61,500 requests" in text
    assert "answers thrown away cheap $2.31k 410,000 calls checking answers $640" in text
    bare = Page(render_html(sparse())).text
    assert "How long callers waited" not in bare
    assert "In the bill" not in bare
    assert "Not in the bill" not in bare


def test_without_a_skipped_request_none_is_explained():
    report = pareto_trap()
    tiers = tuple(replace(tier, latency_ms=replace(tier.latency_ms, skipped=None)) for tier in report.tiers)
    text = Page(render_html(replace(report, tiers=tiers))).text
    assert "How long callers waited" in text
    assert "A skipped one" not in text


def test_an_alarm_says_since_when_what_changed_and_where_the_loss_lies():
    page = render_html(pareto_trap())
    text = " ".join(Page(page).texts)
    assert "Since 2 March; what changed then: policy version 2026-01-26 began" in text
    assert "answered 4 % of calls with errors" in text
    for words in ("inside segments of", "segments with few labels", "traffic that moved between them"):
        assert words in text
    widths = [float(bar["value"]) / float(bar["max"]) for bar in Page(page).of("progress")]
    assert max(widths) == 1.0
    assert min(widths) > 0.0
    bare = replace(pareto_trap(), alarms=tuple(replace(a, parts=None, story="") for a in pareto_trap().alarms))
    text = " ".join(Page(render_html(bare)).texts)
    assert "inside segments of" not in text
    assert "policy version 2026-01-26 began on 26 January" in text, "what changed is told without a sentence too"
