"""`undertow rollout`: begin, hold, go on, accept, stop."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from guard_factory import at, state
from undertow.actions.outlook import PlaceOutlook
from undertow.actions.standing import OFF, rollouts_of, stage_of
from undertow.adapters.guard.book import StoreGuardBook
from undertow.bootstrap.guarding import RolloutStanding
from undertow.cli import rollout
from undertow.cli.main import main

SETTINGS = """
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:9001/v1"
[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:9002/v1"
[store]
path = "s"
"""


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "undertow.toml").write_text(SETTINGS)
    (tmp_path / "s" / "decisions").mkdir(parents=True)
    return tmp_path / "s"


def run(*arguments, status=0):
    done = CliRunner().invoke(main, ["rollout", *arguments])
    assert done.exit_code == status, done.output
    return done.stdout if status == 0 else done.stderr


def stands(store):
    return rollouts_of(StoreGuardBook(store).trail())["auto"]


def test_without_one_it_says_how_one_begins():
    assert (
        run("status")
        == "no version is being rolled out; [rollout] enabled is off; `undertow rollout start` begins one\n"
    )


def test_a_rollout_by_hand(store):
    begun = json.loads(run("start", "--who", "ada", "--json"))
    assert begun["in_force"]["auto"]["restrictions"][0]["exposure"] == 0.05
    assert begun["entries"][0]["who"] == "ada"
    shown = run("status")
    assert "running" in shown
    assert "nothing to judge by yet" in shown
    assert "no step is shown to be safe yet" in run("advance", status=2)
    run("hold", "--why", "release freeze")
    assert stands(store).status == "stopped"
    run("start")
    assert stands(store).status == "running"
    run("accept", "intent=fraud", "--why", "by hand")
    assert stands(store).accepted == ("intent=fraud",)
    run("stop")
    assert (stands(store).status, stage_of(stands(store), "")) == ("stopped", OFF)
    assert "--anew" in run("start", status=2)
    run("start", "--anew")
    assert (stands(store).status, stage_of(stands(store), "")) == ("running", 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hold",), "no rollout"),
        (("accept", "intent=fraud"), "--why"),
        (("start", "--policy", "nobody"), "there is no policy 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, words):
    assert words in run(*arguments, status=2)


def test_status_shows_evidence_what_is_borrowed_and_the_date(capsys):
    place = PlaceOutlook(
        "intent=a", 1, 0.1, 0.25, "", False, True, "it may lose 9.0%", 0.09, 0.05, 0.2, 120, 300, at(9)
    )
    never = PlaceOutlook("intent=b", -1, 0.0, 0.05, "", False, False, "an alarm", None, None, 0.0, 5, None, None)
    late = PlaceOutlook("intent=c", 0, 0.05, 0.1, "", False, False, "few", 0.5, 0.1, 0.0, 5, 90_000, None)
    rollout._show(RolloutStanding(state(), (place, never, late), ()))
    shown = capsys.readouterr().out
    assert "intent=a  stage 2, 10% (next 25%), 120 labels, risk accepted" in shown
    assert "by its own labels it may lose 29.0%; 20.0 points are borrowed" in shown
    assert "next decision: about 2026-03-11, after about 300 more labels" in shown
    assert "intent=b  taken off, 0%" in shown
    assert "not by more labels" in shown
    assert "not within two years" in shown


def test_what_no_label_decides_bears_no_date_and_a_held_rollout_says_how_it_goes_on(capsys):
    held = PlaceOutlook("", 1, 0.1, 0.25, "", False, False, "an alarm is open", None, None, 0.0, 5, None, None, "alarm")
    rollout._show(RolloutStanding(state(), (held,), ()))
    assert "next decision" not in capsys.readouterr().out
    rollout._show(RolloutStanding(state(status="stopped"), (replace(held, code="margin"),), ()))
    shown = capsys.readouterr().out
    assert "`undertow rollout start` lets it go on" in shown
    assert "next decision" not in shown
