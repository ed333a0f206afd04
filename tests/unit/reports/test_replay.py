import json
from dataclasses import replace
from datetime import timedelta

from undertow.records.replayed import Replay, Rerouted, SettingChange
from undertow.reports.replay import headline, replay_document, replay_lines
from undertow.services.replay import time_line
from unit.reports.factory import hostile, pareto_trap

CHANGE = SettingChange("monitors.margin", "0.02", "0.01")


def a_replay(sooner=0, **more):
    was = time_line("as it was", pareto_trap())
    return Replay(
        was,
        replace(was, name="as it would have been", known_at=was.known_at - timedelta(days=sooner)),
        (CHANGE,),
        **more,
    )


def test_the_headline_says_how_much_sooner():
    assert "5 days sooner" in headline(a_replay(5))
    assert "1 day later" in headline(a_replay(-1))
    assert "same day" in headline(a_replay())
    never = a_replay()
    assert "would not have been known" in headline(replace(never, would_be=replace(never.would_be, known_at=None)))


def test_both_lines_stand_side_by_side_and_what_was_moved_is_said():
    text = "\n".join(replay_lines(a_replay(5, rerouted=Rerouted(100, 7, 2, 50, 3, 4), notes=("mind this",))))
    assert "as it was" in text
    assert "monitors.margin: 0.02 -> 0.01" in text
    assert "7 would have gone to the capable tier and 2 to a cheaper one" in text
    assert "mind this" in text


def test_what_is_not_replayed_says_why():
    replay = replace(
        a_replay(), changes=(CHANGE, SettingChange("holdout.share", "0.05", "0.1", is_replayed=False, why="no draws"))
    )
    assert "not replayed: no draws" in "\n".join(replay_lines(replay))


def test_the_document_is_json_with_times_in_utc():
    document = json.loads(json.dumps(replay_document(a_replay(2)), allow_nan=False))
    assert document["schema"] == "undertow.replay/1"
    assert document["sooner_days"] == 2
    assert document["was"]["known_at"].endswith("Z")


def test_names_from_a_log_cannot_act_on_the_terminal():
    line = time_line("x", hostile())
    text = "\n".join(replay_lines(Replay(line, line, (CHANGE,))))
    assert "\x1b" not in text
    assert "\u202e" not in text
