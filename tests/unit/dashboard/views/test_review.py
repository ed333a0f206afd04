"""Reviewing in the browser: blind, one item at a time, nothing twice, and nothing lost."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from review_factory import pair, sampled, text_of, write_drawn_store, write_texts
from undertow.bootstrap.reviewing import open_desk
from undertow.dashboard.open_house import OpenHouse
from undertow.records.review import ReviewRules, SeededCase
from undertow.reviewing.queue import CLAIM_S
from unit.adapters.store.rows import Clock
from unit.dashboard.conftest import CSRF, FixedLog, made_ui


@pytest.fixture
def store(tmp_path):
    write_drawn_store(tmp_path / "store", now=datetime.now(UTC))
    return tmp_path / "store"


@pytest.fixture
def desk(store):
    with open_desk(store, ReviewRules()) as (opened, _):
        yield opened


def ui_of(store, desk, name="ada", role="reviewer"):
    return replace(made_ui(FixedLog(), store=store), desk=desk, access=OpenHouse(name, role, CSRF))


def shown(client, path="/ui/review"):
    """The page that a browser comes to, with its address."""
    answer = client.get(path)
    while answer.status == 303:
        path = answer.headers["location"]
        answer = client.get(path)
    return answer


def item_of(answer):
    return re.search(r'data-item="([^"]*)"', answer.text)[1]


def after(client, what, **form):
    """The note after a form was sent."""
    answer = client.post(f"/ui/review/{what}", form)
    assert answer.status == 303
    return answer.headers["location"].partition("note=")[2]


def tabs(store, *, rules=None):
    """Two desks over one store, as two dashboards have them; the clock that both go by is moved."""
    clock = Clock(datetime.now(UTC).timestamp())
    rules = rules or ReviewRules()
    return clock, open_desk(store, rules, clock=clock), open_desk(store, rules, clock=clock)


def test_an_item_is_shown_without_what_would_tell(client, store, desk):
    answer = shown(client(ui_of(store, desk)))
    assert answer.status == 200
    assert "question " in answer.text
    body = answer.text.partition("<main")[2]
    for word in ("cheap", "capable", "confidence", "stratum"):
        assert word not in body
    assert 'name="said" value="y"' in body


def test_a_verdict_is_kept_before_the_next_item_is_shown(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(shown(mine))
    answer = mine.post("/ui/review/vote", {"item": first, "said": "4", "shown_at": "0"})
    assert (answer.status, answer.headers["location"]) == (303, "/ui/review?note=kept")
    assert desk.has_judged("ada", first)
    assert item_of(shown(mine)) != first
    assert desk.progress().today == 1


def test_going_back_votes_nothing_twice_and_says_that_the_item_was_judged(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(shown(mine))
    assert after(mine, "vote", item=first, said="y") == "kept"
    back = mine.get(f"/ui/review?item={first}").text
    assert "You have judged this item." in back
    assert "Take the verdict back" in back
    assert 'name="said"' not in back
    assert after(mine, "vote", item=first, said="n") == "already"
    assert after(mine, "skip", item=first, why="changed my mind") == "already"
    assert desk.progress().today == 1
    assert "You judged that item already" in shown(mine, "/ui/review?note=already").text


def test_two_reviewers_never_get_the_same_item(client, store):
    _, one, two = tabs(store)
    with one as (desk, _), two as (other, _):
        ada, bob = client(ui_of(store, desk)), client(ui_of(store, other, "bob"))
        mine = item_of(shown(ada))
        assert item_of(shown(bob)) != mine
        assert ada.post("/ui/review/hold", {"item": mine}).text == "held"
        assert bob.post("/ui/review/hold", {"item": mine}).text == "gone"
        sent = bob.get(f"/ui/review?item={mine}")
        assert sent.status == 303
        assert "note=other" in sent.headers["location"]
        assert mine not in sent.headers["location"]
        assert after(bob, "vote", item=mine, said="y") == "taken"
        assert after(bob, "skip", item=mine, why="not mine") == "taken"
        assert other.progress().today == 0


def test_an_item_is_handed_on_when_its_page_was_away_and_then_counts_once(client, store):
    clock, one, two = tabs(store)
    with one as (desk, _), two as (other, _):
        ada, bob = client(ui_of(store, desk)), client(ui_of(store, other, "bob"))
        mine = item_of(shown(ada))
        for _ in range(3):  # an open page renews
            clock.now += CLAIM_S - 1
            assert ada.post("/ui/review/hold", {"item": mine}).text == "held"
        clock.now += CLAIM_S
        while item_of(shown(bob)) != mine:
            after(bob, "vote", item=item_of(shown(bob)), said="y")
        assert after(ada, "vote", item=mine, said="n") == "taken"
        assert after(bob, "vote", item=mine, said="y") == "kept"
        assert "went to somebody else" in shown(ada, "/ui/review?note=taken").text
        assert not desk.has_judged("ada", mine)


def test_two_are_asked_about_the_same_where_two_are_wanted(client, store):
    _, one, two = tabs(store, rules=ReviewRules(raters=2))
    with one as (desk, _), two as (other, _):
        ada, bob = client(ui_of(store, desk)), client(ui_of(store, other, "bob"))
        item = item_of(shown(ada))
        assert item_of(shown(bob)) == item
        assert (after(ada, "vote", item=item, said="y"), after(bob, "vote", item=item, said="n")) == ("kept", "kept")
        text = shown(ada).text
        assert "waits for one more person" in text


def test_a_closed_browser_and_a_new_desk_lose_nothing(client, store):
    with open_desk(store, ReviewRules()) as (desk, _):
        mine = client(ui_of(store, desk))
        first = item_of(shown(mine))
        after(mine, "vote", item=first, said="5")
        second = item_of(shown(mine))
    with open_desk(store, ReviewRules()) as (desk, _):
        again = client(ui_of(store, desk))
        assert desk.has_judged("ada", first)
        assert item_of(shown(again)) == second, "what was open is still theirs"
        assert 'id="undo"' not in shown(again).text, "another desk's verdicts are not taken back here"


def test_two_tabs_show_one_item_and_take_one_verdict(client, store, desk):
    one, two = client(ui_of(store, desk)), client(ui_of(store, desk))
    item = item_of(shown(one))
    assert item_of(shown(two)) == item
    assert [after(tab, "vote", item=item, said="y") for tab in (one, two)] == ["kept", "already"]


def test_a_session_that_ends_in_the_middle_says_what_to_do_and_keeps_nothing_half(client, store, desk):
    class Nobody:
        def person(self, _):
            return None

    first = item_of(shown(client(ui_of(store, desk))))
    over = client(replace(ui_of(store, desk), access=Nobody()))
    answer = over.post("/ui/review/vote", {"item": first, "said": "y"})
    assert answer.status == 401
    assert "Log in again" in answer.text
    assert "What you just sent was not done" in answer.text
    assert "freshness" not in answer.text, "nobody learns when the log was read"
    assert not desk.has_judged("ada", first)
    stale = client(ui_of(store, desk)).post("/ui/review/vote", {"item": first, "said": "y"}, csrf="of the last session")
    assert stale.status == 403
    assert "load the page again" in stale.text
    assert not desk.has_judged("ada", first)


def test_undo_and_skip(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(shown(mine))
    after(mine, "vote", item=first, said="n")
    assert 'id="undo"' in shown(mine).text
    assert after(mine, "undo", item=first) == "undone"
    assert item_of(shown(mine)) == first
    assert mine.post("/ui/review/skip", {"item": first, "why": "  "}).status == 400
    assert after(mine, "skip", item=first, why="no idea") == "skipped"
    assert item_of(shown(mine)) != first
    assert after(client(ui_of(store, desk, "eve")), "undo", item=first) == "nothing"


def test_two_presses_of_undo_take_back_one(client, store, desk):
    mine = client(ui_of(store, desk))
    items = []
    for _ in range(2):
        items.append(item_of(shown(mine)))
        after(mine, "vote", item=items[-1], said="y")
    assert [after(mine, "undo", item=items[1]) for _ in range(2)] == ["undone", "nothing"]
    assert (desk.has_judged("ada", items[0]), desk.has_judged("ada", items[1])) == (True, False)


def test_what_is_told_of_reviewers_tells_nothing_of_the_item(client, store, desk):
    desk.add_seeds((SeededCase(case_id="seed-1", prompt="?", answer="!", value=0.0),))
    for _ in range(20):
        desk.vote("bob", desk.next("bob").item, "n", 0.1)
    assert "votes sooner than the text can be read" not in shown(client(ui_of(store, desk))).text
    assert "votes sooner than the text can be read" in shown(client(ui_of(store, desk, role="operator"))).text
    assert "votes sooner than the text can be read" in shown(client(ui_of(store, desk, "bob"))).text
    body = shown(client(ui_of(store, desk, role="operator"))).text.partition("<main")[2]
    for word in ("cheap", "capable", "tail", "billing"):
        assert word not in body


def test_a_page_that_is_read_is_not_taken_away_by_news(client, store, desk):
    assert "log-changed" not in shown(client(ui_of(store, desk))).text


def test_what_is_no_verdict_or_no_item_is_said(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(shown(mine))
    assert "expected y, n or 1 to 5" in mine.post("/ui/review/vote", {"item": first, "said": "perhaps"}).text
    assert after(mine, "vote", item="<b>no</b>", said="y") == "taken"
    assert "<b>no</b>" not in shown(mine, "/ui/review?item=<b>no</b>&note=<b>x</b>").text
    assert not desk.has_judged("ada", first)


def test_texts_are_inert_and_two_answers_stand_side_by_side(client, tmp_path):
    at = text_of(datetime.now(UTC).timestamp() - 3_600)
    evil = "<script>alert(1)</script>\x1b[31m\u202e **bold**\n" + "long " * 3_000
    write_texts(
        tmp_path / "s",
        sampled("d-1", prompt=evil, answer="<img src=x onerror=alert(1)>", event_time=at),
        pairs=(pair("d-1", prompt=evil, answer="<img src=x onerror=alert(1)>", reference_answer="B it is", event_time=at, answered_at=at),),
    )  # fmt: skip
    with open_desk(tmp_path / "s", ReviewRules()) as (desk, _):
        text = shown(client(ui_of(tmp_path / "s", desk))).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "Answer A" in text
    assert 'name="said" value="t"' in text
    assert "Show all (" in text


def test_who_may_not_review_is_told(client, store, desk):
    viewer = client(ui_of(store, desk, role="viewer"))
    assert viewer.get("/ui/review").status == 403
    assert viewer.post("/ui/review/vote", {"item": "x", "said": "y"}).status == 403


def test_a_log_that_is_no_store_has_nothing_to_review(client):
    assert "This log is no store." in client(made_ui(FixedLog())).get("/ui/review").text


def test_done_for_now_gives_the_item_to_others(client, store, desk):
    ada, bob = client(ui_of(store, desk)), client(ui_of(store, desk, "bob"))
    mine = item_of(shown(ada))
    assert ada.post("/ui/review/leave").headers["location"].endswith("left")
    seen = set()
    while (page := shown(bob)).text.count('id="sheet"'):
        seen.add(item_of(page))
        after(bob, "vote", item=item_of(page), said="y")
    assert mine in seen
    assert "Nothing waits for you." in page.text
    over = ada.get("/ui/review?note=left").text
    assert "Done for now." in over
    assert 'id="sheet"' not in over
