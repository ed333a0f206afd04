"""`undertow guard`: verdict first, plain words, and refusals that say what to do."""

import json

import pytest
from click.testing import CliRunner

from guard_factory import at, episode
from undertow.actions.at_alarm import AlarmLook
from undertow.adapters.guard.book import StoreGuardBook
from undertow.cli.guard_options import SCHEMA
from undertow.cli.main import main
from undertow.records.serving import GuardPlan, RolloutPlan
from undertow.services.guard import GuardLook, look_and_act


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s" / "decisions").mkdir(parents=True)
    return tmp_path / "s"


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["guard", *arguments])
    assert done.exit_code == status, done.output
    return done.stdout if status == 0 else done.stderr


def ask(store, mode="suggest", **plan):
    look = GuardLook(AlarmLook((episode(),), frozenset({"e1"})))
    return look_and_act(StoreGuardBook(store), look, GuardPlan(route_back=mode, **plan), RolloutPlan(), at(20)).entries[
        0
    ]


def test_a_quiet_store(store):
    assert run("status", "--store", "s") == "nothing is restricted; nothing waits for you\n"
    assert run("list", "--store", "s") == "the guard has done nothing yet\n"
    document = json.loads(run("status", "--store", "s", "--json"))
    assert (document["schema"], document["version"], document["in_force"], document["suggestions"]) == (
        SCHEMA,
        0,
        {},
        [],
    )


def test_a_suggestion_is_shown_approved_and_released(store):
    asked = ask(store)
    shown = run("status", "--store", "s")
    assert shown.startswith("nothing is restricted; 1 suggestion waiting for you\n")
    assert asked.id in shown
    said = run("approve", asked.id[:5], "--store", "s", "--who", "ada", "--why", "seen in tickets")
    assert (
        "route_back done  auto, intent=billing: served by the policy -> served by the capable tier; seen in tickets"
        in said
    )
    assert "controls version 1" in said
    done = json.loads(run("list", "--store", "s", "--json"))["trail"][0]
    assert (done["who"], done["status"], done["of"]) == ("ada", "done", asked.id)
    assert "1 restriction in force" in run("status", "--store", "s")
    assert "release done" in run("release", done["id"], "--store", "s")
    assert run("status", "--store", "s").startswith("nothing is restricted")


def test_a_suggestion_is_rejected(store):
    asked = ask(store)
    assert "route_back rejected" in run("reject", asked.id, "--store", "s", "--why", "a holiday")
    assert run("status", "--store", "s").startswith("nothing is restricted; nothing waits")


def test_a_segment_is_routed_back_by_hand(store):
    document = json.loads(run("route-back", "intent=fraud", "--store", "s", "--json"))
    assert document["in_force"]["auto"]["restrictions"][0]["segment"] == "intent=fraud"
    assert "routed back already" in run("route-back", "intent=fraud", "--store", "s", status=2)
    run("route-back", "all", "--store", "s")
    assert "all requests: the capable tier alone" in run("status", "--store", "s")


def test_a_lost_store_still_shows_what_is_in_force(store):
    run("route-back", "intent=fraud", "--store", "s")
    import shutil

    shutil.rmtree(store)
    assert run("status", "--store", "s").startswith("1 restriction in force")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("approve", "zz", "--store", "s"), "no suggestion of this id waits"),
        (("release", "zz", "--store", "s"), "no action of this id was done"),
        (("route-back", "fraud", "--store", "s"), "key=value"),
        (("status", "--store", "nowhere"), "this is no store"),
    ],
)
def test_what_makes_no_sense_is_refused(store, arguments, words):
    assert words in run(*arguments, status=2)


def test_while_another_guard_is_at_work_it_says_so(store):
    with StoreGuardBook(store).locked() as is_mine:
        assert is_mine
        assert "try again in a moment" in run("route-back", "intent=fraud", "--store", "s", status=2)


def test_what_could_not_be_applied_comes_first(store, monkeypatch):
    from datetime import UTC, datetime

    entry = ask(store, "automatic")
    from undertow.services.guard import _told_failed, read

    book = StoreGuardBook(store)
    held = read(book, datetime.now(UTC))
    with book.locked():
        book.write(None, held.memory, _told_failed([entry], (entry,), "the disk is full", datetime.now(UTC)))
    assert run("status", "--store", "s").startswith("1 action could not be applied; 1 restriction in force")


def test_names_that_act_on_a_terminal_are_made_harmless(store):
    run("route-back", "intent=fraud", "--store", "s", "--who", "a\x1b[31m", "--why", "x\x1b]0;y\x07")
    assert "\x1b" not in run("list", "--store", "s")
    assert "\x1b" not in StoreGuardBook(store).trail()[0].who


def test_what_a_lost_trail_had_put_in_force_is_released_by_its_source(store):
    from pathlib import Path

    run("route-back", "intent=fraud", "--store", "s")
    source = StoreGuardBook(store).trail()[0].id
    for path in Path.cwd().rglob("guard.jsonl"):
        path.unlink()
    assert "1 restriction in force" in run("status", "--store", "s")
    run("release", source, "--store", "s")
    assert run("status", "--store", "s").startswith("nothing is restricted")
