"""Ids are what an entry is; a suggestion waits until it is answered, done or overtaken."""

from undertow.actions.entries import entry_id, failures, released, restrictable, waiting
from undertow.records.guard import TrailEntry


def entry(name, kind="route_back", status="done", of=None):
    return TrailEntry(id=name, at="2026-03-01T00:00:00Z", who="guard", kind=kind, status=status, of=of)


def test_ids_differ_where_parts_do():
    assert entry_id("a", "bc") != entry_id("ab", "c")


def test_a_suggestion_waits_until_it_is_answered():
    asked = entry("s", status="suggested")
    assert waiting((asked,)) == (asked,)
    assert waiting((asked, entry("a", status="approved", of="s"))) == (asked,), "approved, but not done yet"
    assert waiting((asked, entry("a", status="done", of="s"))) == ()
    assert waiting((asked, entry("a", status="rejected", of="s"))) == ()
    assert waiting((asked, entry("a", status="failed", of="s"))) == (asked,), "it is tried again"


def test_a_suggested_release_is_overtaken_by_one_by_hand():
    asked = entry("s", "release", "suggested", of="x")
    assert waiting((entry("x"), asked)) == (asked,)
    by_hand = entry("r", "release", of="x")
    assert waiting((entry("x"), asked, by_hand)) == ()
    assert released((asked,)) == frozenset()
    assert released((by_hand,)) == {"x"}


def test_topics_are_no_labels_of_requests():
    assert restrictable("text topic=x") == ""
    assert restrictable("lang=de") == "lang=de"


def test_what_failed_is_told_until_it_was_done_or_is_old():
    failed = entry("f", status="failed")
    assert failures((failed,), "2026-02-28T23:00:00Z") == (failed,)
    assert failures((failed,), "2026-03-01T00:00:00Z") == ()
    assert failures((failed, entry("g", status="failed")), "2026-02-28")[0].id == "g", "once, however often it failed"
    assert failures((failed, entry("d")), "2026-02-28") == ()
    assert failures((failed, entry("d", "tighten")), "2026-02-28") == (failed,)
