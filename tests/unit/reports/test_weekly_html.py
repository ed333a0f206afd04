"""The week's page: complete, self-contained, harmless."""

from html.parser import HTMLParser

import pytest

from undertow.reports.weekly_html import week_html
from unit.reports.factory import EVERY, HOSTILE
from week_factory import week


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def tags(page):
    parser = Tags()
    parser.feed(page)
    return parser.found


def test_it_says_it_all_in_order():
    page = week_html(week())
    order = [
        "Pareto trap",
        "Net value a month",
        "What to do next",
        "<h2>Alarms</h2>",
        "What was done",
        "Quality this week",
        "What cannot be seen",
    ]
    places = [page.index(said) for said in order]
    assert places == sorted(places)
    assert "▲ worse" in page
    assert "✓ better" in page


def test_without_labels_it_says_so():
    page = week_html(week("sparse", qualities=(), signal=None))
    assert "No labels." in page


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("text", ["<script>window.pwned=1</script>", '"><img src=x onerror=alert(1)>', *HOSTILE[:4]])
def test_names_are_text(name, text):
    page = week_html(week(name, text=f"intent={text}"))
    found = tags(page)
    assert [tag for tag, _ in found].count("script") == 1
    assert not [tag for tag, attrs in found if tag == "img" or any(key.startswith("on") for key in attrs)]
    assert not [attrs for tag, attrs in found if tag in {"link", "a"} and "://" in (attrs.get("href") or "")]
