"""Reviewing in the browser: blind, one item at a time, nothing twice, and nothing lost."""

import re
from datetime import UTC, datetime

import pytest

from review_factory import pair, sampled, text_of, write_drawn_store, write_texts
from undertow.bootstrap.reviewing import open_desk
from undertow.dashboard.open_house import OpenHouse
from undertow.records.review import ReviewRules
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
    from dataclasses import replace

    return replace(made_ui(FixedLog(), store=store), desk=desk, access=OpenHouse(name, role, CSRF))


def item_of(answer):
    return re.search(r'data-item="([^"]*)"', answer.text)[1]


def test_an_item_is_shown_without_what_would_tell(client, store, desk):
    answer = client(ui_of(store, desk)).get("/ui/review")
    assert answer.status == 200
    assert "question " in answer.text
    body = answer.text.partition("<main")[2]
    for word in ("cheap", "capable", "confidence", "stratum"):
        assert word not in body
    assert 'name="said" value="y"' in body


def test_a_verdict_is_kept_before_the_next_item_is_shown(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(mine.get("/ui/review"))
    answer = mine.post("/ui/review/vote", {"item": first, "said": "4", "shown_at": "0"})
    assert (answer.status, answer.headers["location"]) == (303, "/ui/review?note=kept")
    assert desk.has_judged("ada", first)
    assert item_of(mine.get("/ui/review")) != first
    assert desk.progress().today == 1


def test_going_back_votes_nothing_twice(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(mine.get("/ui/review"))
    mine.post("/ui/review/vote", {"item": first, "said": "y"})
    again = mine.post("/ui/review/vote", {"item": first, "said": "n"})
    assert again.headers["location"] == "/ui/review?note=already"
    assert desk.progress().today == 1
    assert "You judged that item already" in mine.get("/ui/review?note=already").text


def test_two_reviewers_never_get_the_same_item(client, store, desk):
    ada, bob = client(ui_of(store, desk)), client(ui_of(store, desk, "bob"))
    assert item_of(ada.get("/ui/review")) != item_of(bob.get("/ui/review"))
    mine = item_of(ada.get("/ui/review"))
    assert ada.get(f"/ui/review/hold?item={mine}").text == "held"
    assert bob.get(f"/ui/review/hold?item={mine}").text == "gone"


def test_undo_and_skip(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(mine.get("/ui/review"))
    mine.post("/ui/review/vote", {"item": first, "said": "n"})
    assert mine.post("/ui/review/undo").headers["location"] == "/ui/review?note=undone"
    assert item_of(mine.get("/ui/review")) == first
    assert mine.post("/ui/review/skip", {"item": first, "why": "  "}).status == 400
    assert mine.post("/ui/review/skip", {"item": first, "why": "no idea"}).headers["location"].endswith("skipped")
    assert item_of(mine.get("/ui/review")) != first
    fresh = client(ui_of(store, desk, "eve"))
    assert fresh.post("/ui/review/undo").headers["location"].endswith("nothing")


def test_what_is_no_verdict_or_no_item_is_said(client, store, desk):
    mine = client(ui_of(store, desk))
    first = item_of(mine.get("/ui/review"))
    assert "expected y, n or 1 to 5" in mine.post("/ui/review/vote", {"item": first, "said": "perhaps"}).text
    assert mine.post("/ui/review/vote", {"item": "<b>no</b>", "said": "y"}).status == 400
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
        text = client(ui_of(tmp_path / "s", desk)).get("/ui/review").text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "Answer A" in text
    assert 'name="said" value="t"' in text
    assert "Show the rest" in text


def test_who_may_not_review_is_told(client, store, desk):
    viewer = client(ui_of(store, desk, role="viewer"))
    assert viewer.get("/ui/review").status == 403
    assert viewer.post("/ui/review/vote", {"item": "x", "said": "y"}).status == 403


def test_a_log_that_is_no_store_has_nothing_to_review(client):
    assert "This log is no store." in client(made_ui(FixedLog())).get("/ui/review").text


def test_done_for_now_gives_the_item_to_others(client, store, desk):
    ada, bob = client(ui_of(store, desk)), client(ui_of(store, desk, "bob"))
    mine = item_of(ada.get("/ui/review"))
    assert ada.post("/ui/review/leave").headers["location"].endswith("left")
    shown = {item_of(bob.get("/ui/review"))}
    for _ in range(200):
        item = item_of(bob.get("/ui/review"))
        shown.add(item)
        if mine in shown:
            break
        bob.post("/ui/review/vote", {"item": item, "said": "y"})
    assert mine in shown
