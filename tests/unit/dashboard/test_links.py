"""Addresses hold whatever a log calls its tiers, segments and decisions."""

from urllib.parse import parse_qs, urlsplit

import pytest

from undertow.dashboard.links import decision_link, decisions_link, place_link

ODD = ["a/b", "..", "a?b#c", "é", "a b", "x=y&z=1", "one", "", "\u202e", "\ud800"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_come_back_as_they_were(name):
    parts = urlsplit(place_link(name, f"k={name}"))
    assert parts.path == "/ui/segments/one"
    whole = name.encode("utf-8", "replace").decode()
    assert parse_qs(parts.query).get("tier", [""]) == [whole]
    assert parse_qs(parts.query)["segment"] == [f"k={whole}"]
    link = urlsplit(decision_link(name, "2026-03-01"))
    assert link.path == "/ui/decisions/one"
    assert parse_qs(link.query).get("id", [""]) == [whole]


def test_what_is_not_asked_for_is_not_in_the_address():
    assert decisions_link() == "/ui/decisions"
    assert decisions_link("2026-03-01", tier=None, label="ok") == "/ui/decisions?label=ok&as_of=2026-03-01"
    assert decision_link("d0095-001794") == "/ui/decisions/d0095-001794"
