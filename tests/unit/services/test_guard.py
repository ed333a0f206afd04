"""One look: what was decided is written once, whatever dies, fails, or comes in between."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guard_factory import MemoryBook, at, episode, place, text, tier
from undertow.actions.at_alarm import AlarmLook
from undertow.actions.by_person import release
from undertow.actions.controls import policies_of
from undertow.actions.standing import rollouts_of, stage_of
from undertow.actions.versions import KnownVersion
from undertow.adapters.guard.book import StoreGuardBook
from undertow.errors import ConfigError, DataError
from undertow.records.guard import GuardMemory
from undertow.records.serving import GuardPlan, RolloutPlan
from undertow.services.guard import (
    GuardLook,
    begin_rollouts,
    by_person,
    look_and_act,
    read,
    starts,
    troubles_of,
)

GUARD = GuardPlan(route_back="automatic", roll_back="automatic", stop_rollout="automatic")
OFF, ON = RolloutPlan(), RolloutPlan(enabled=True)
ALARMED = GuardLook(AlarmLook((episode(),), frozenset({"e1"}), serving={"auto": "v1"}), until=at(20))


@pytest.fixture(params=["memory", "store"])
def book(request, tmp_path):
    return MemoryBook() if request.param == "memory" else StoreGuardBook(tmp_path / "store")


def look(book, look=ALARMED, day=20.0, rollout=OFF):
    return look_and_act(book, look, GUARD, rollout, at(day))


def test_an_alarm_is_answered_written_and_not_answered_again(book):
    report = look(book)
    assert (report.outcome, [entry.kind for entry in report.entries]) == ("done", ["route_back"])
    assert book.controls().policies["auto"].restrictions[0].source == book.trail()[0].id
    assert book.memory().looked_until == text(20)
    assert book.trail()[0].controls_version == book.controls().version
    again = look(book, day=21)
    assert (again.entries, book.controls().version, len(book.trail())) == ((), 1, 1)
    assert look(book, day=10).entries == (), "nor with a clock that was set back"
    assert book.memory().looked_until == text(20)


def test_nothing_to_do_writes_nothing():
    book = MemoryBook()
    look(book, GuardLook())
    assert book.writes == 0


def test_a_second_guard_does_nothing_and_says_so():
    book = MemoryBook()
    book.is_held = True
    report = look(book)
    assert (report.outcome, report.entries) == ("busy", ())
    assert "another process" in report.problem
    with pytest.raises(DataError, match="another process"):
        by_person(book, lambda _: (), GUARD, at(1))


def test_two_books_of_one_store_exclude_each_other(tmp_path):
    one, two = StoreGuardBook(tmp_path / "store"), StoreGuardBook(tmp_path / "store")
    with one.locked() as is_mine:
        assert is_mine
        assert look(two).outcome == "busy"
    assert look(two).outcome == "done"


def test_a_write_that_fails_is_said_and_done_at_the_next_look():
    book = MemoryBook()
    book.fails = 1
    report = look(book)
    assert (report.outcome, report.controls) == ("failed", None)
    assert "cannot be written" in report.problem
    assert [(e.kind, e.status) for e in book.trail()] == [("route_back", "failed")]
    book.fails = 1
    look(book, day=20.1)
    assert len(book.trail()) == 1, "the same failure is not said at every look"
    assert [(e.kind, e.status) for e in look(book, day=20.2).entries] == [("route_back", "done")]
    assert book.controls().policies["auto"].restrictions[0].exposure == 0.0


def test_a_disk_that_takes_nothing_at_all_is_said_and_tried_again():
    book = MemoryBook()
    book.fails = 2
    report = look(book)
    assert (report.outcome, book.trail()) == ("failed", ())
    assert [(e.kind, e.status) for e in report.entries] == [("route_back", "failed")]
    assert look(book).outcome == "done"


def test_a_store_that_cannot_be_locked_is_a_failed_look(tmp_path):
    (tmp_path / "store").write_text("no folder")
    (tmp_path / "store.guard").write_text("no folder")
    report = look(StoreGuardBook(tmp_path / "store"))
    assert (report.outcome, report.entries) == ("failed", ())


def test_controls_that_an_old_copy_brought_back_are_put_right():
    book = MemoryBook()
    look(book)
    old = book.controls()
    by_person(book, lambda trail: release(trail, trail[0].id, "ada", "", at(21)), GUARD, at(21))
    assert book.controls().policies == {}
    book.kept_controls = old
    report = look(book, GuardLook(AlarmLook((episode(closed_at=text(21)),))), 22)
    assert (report.controls.policies, report.controls.version) == ({}, 3), "newer than all that was ever said"


def test_lost_controls_and_memory_follow_from_the_trail():
    book = MemoryBook()
    look(book)
    book.kept_controls = book.kept_memory = None
    report = look(book, day=21)
    assert report.entries == ()
    assert book.controls().policies == policies_of(book.trail())
    assert book.controls().version == 2


def test_a_lost_trail_undoes_nothing():
    book = MemoryBook()
    look(book)
    held = book.controls().policies
    book.lines, book.kept_memory = (), None
    look(book, GuardLook(until=at(22)), 22)
    assert book.controls().policies == held


def test_memory_and_controls_that_cannot_be_read_are_made_good_from_the_trail():
    class Broken(MemoryBook):
        def controls(self):
            raise ConfigError("broken")

        memory = controls

    book = Broken()
    MemoryBook.write(book, None, GuardMemory(at=""), look(MemoryBook()).entries)
    held = read(book, at(22))
    assert (held.controls.version, held.memory.rollouts) == (1, ())


def test_a_trail_that_cannot_be_read_stops_the_guard_before_it_does_anything():
    class Broken(MemoryBook):
        def trail(self):
            raise ConfigError("line 3: no entry")

    book = Broken()
    with pytest.raises(ConfigError):
        look(book)
    assert book.writes == 0


def test_rollouts_begin_for_new_versions_alone():
    book = MemoryBook()
    begun = begin_rollouts(book, {"auto": "v1"}, GUARD, ON, at(0))
    assert [entry.kind for entry in begun.entries] == ["start"]
    assert begun.controls.policies["auto"].restrictions[0].exposure == 0.05
    assert begin_rollouts(book, {"auto": "v1"}, GUARD, ON, at(1)).entries == ()
    assert begin_rollouts(book, {"auto": "v2"}, GUARD, ON, at(2)).entries[0].evidence["version"] == "v2"
    assert begin_rollouts(MemoryBook(), {"auto": "v1"}, GUARD, OFF, at(2)).entries == ()


def test_a_version_that_had_served_before_rollouts_were_switched_on_is_not_held_back():
    served = [KnownVersion("auto", "v1", text(0))]
    assert starts((), {"auto": "v1"}, served, ON, at(30)) == []
    assert len(starts((), {"auto": "v2"}, [*served, KnownVersion("auto", "v2", text(30))], ON, at(30))) == 1


def test_an_alarm_and_a_rollout_in_one_look():
    """The segment is taken off, the rollout stops, and the segment is routed back: each once, in one change of what is in force."""
    book = MemoryBook()
    begin_rollouts(book, {"auto": "v1"}, GUARD, ON, at(0))
    report = look(book, rollout=ON)
    assert [e.kind for e in report.entries if e.kind != "hold"] == ["step_back", "stop_rollout", "route_back"]
    assert rollouts_of(book.trail())["auto"].status == "stopped"
    assert book.controls().version == 2
    assert [e for e in look(book, rollout=ON, day=21).entries if e.kind != "hold"] == []


def test_a_roll_back_ends_the_rollout_of_the_bad_version_and_begins_none_for_the_good_one():
    book = MemoryBook()
    begin_rollouts(book, {"auto": "v2"}, GUARD, ON, at(16))
    versions = (KnownVersion("auto", "v1", text(0)), KnownVersion("auto", "v2", text(16)))
    bad = GuardLook(AlarmLook((episode(),), frozenset({"e1"}), serving={"auto": "v2"}, versions=versions))
    look(book, bad, rollout=ON)
    held = book.controls().policies["auto"]
    assert (held.pin.good, held.restrictions) == ("v1", ())
    good = GuardLook(AlarmLook((episode(),), frozenset({"e1"}), serving={"auto": "v1"}, versions=versions))
    assert look(book, good, 21, ON).entries == ()


def test_a_rollout_advances_by_what_the_audit_shows():
    book = MemoryBook()
    begin_rollouts(book, {"auto": "v1"}, GUARD, ON, at(0))

    def evidence(state, began):
        assert began == at(0)
        return (tier(state, place(state, "intent=a")),)

    seen = GuardLook(AlarmLook(serving={"auto": "v1"}), evidence)
    for day, stage in ((5, 1), (9, 2), (14, 3)):
        look(book, seen, day, ON)
        assert stage_of(rollouts_of(book.trail())["auto"], "") == stage
    assert book.memory().rollouts[0].stage == {"": 3}
    assert book.controls().policies["auto"].restrictions[0].exposure == 0.5
    look(book, seen, 1, ON)
    assert rollouts_of(book.trail())["auto"].since[""] >= text(14), "a clock that was set back makes no old label fresh"


def test_only_the_policy_that_is_audited_moves():
    book = MemoryBook()
    begin_rollouts(book, {"auto": "v1", "other": "w1"}, GUARD, ON, at(0))
    look(book, GuardLook(AlarmLook(serving={"auto": "v1", "other": "w1"}), lambda state, _: (tier(state),)), 5, ON)
    assert {name: each.stage[""] for name, each in rollouts_of(book.trail()).items()} == {"auto": 1, "other": 0}


def test_alarms_that_count_for_a_rollout():
    found = (
        episode("a"),
        episode("b", cause="mix"),
        episode("c", closed_at=text(21)),
        episode("d", "topic=x"),
        episode("e"),
    )
    seen = GuardLook(AlarmLook(found, frozenset({"a", "b", "c", "d"})))
    assert [(each.episode, each.segment) for each in troubles_of(seen, "auto")] == [("a", "intent=billing"), ("d", "")]


def test_a_roll_back_that_no_gateway_can_serve_by_is_said_once_a_day():
    book = MemoryBook()
    versions = (KnownVersion("auto", "v1", text(0)), KnownVersion("auto", "v2", text(16)))
    bad = GuardLook(AlarmLook((episode(),), frozenset({"e1"}), serving={"auto": "v2"}, versions=versions))
    look(book, bad)
    faulty = GuardLook(bad.alarms, fault="the version cannot be served")
    assert [(e.kind, e.status) for e in look(book, faulty, 20.1).entries] == [("roll_back", "failed")]
    assert look(book, faulty, 20.2).entries == ()
    assert [e.status for e in look(book, faulty, 21.5).entries] == ["failed"]
    assert book.controls().policies["auto"].pin.good == "v1", "it stays in force meanwhile"


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from guard_factory import at, episode
from undertow.actions.at_alarm import AlarmLook
from undertow.adapters.guard.book import StoreGuardBook
from undertow.records.serving import GuardPlan, RolloutPlan
from undertow.services.guard import GuardLook, look_and_act
from undertow.adapters import whole_file
import undertow.adapters.guard.book as module

left = int(sys.argv[3])
for name in ("append_trail", "write_whole", "write_controls", "_placed"):
    real = getattr(module, name)
    def counted(*given, real=real, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    setattr(module, name, counted)
look = GuardLook(AlarmLook((episode(),), frozenset({"e1"})))
look_and_act(StoreGuardBook(Path(sys.argv[1])), look, GuardPlan(route_back="automatic"), RolloutPlan(), at(20))
"""


WRITES = 10
"""So many writes a guard that acts makes: one that may make as many ends by itself."""


@pytest.mark.parametrize("writes", range(WRITES + 1))
def test_a_guard_that_is_killed_at_any_write_acts_once(tmp_path, writes):
    store = tmp_path / "store"
    folder = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(store), folder, str(writes)],
        check=False,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert ended.returncode == (-signal.SIGKILL if writes < WRITES else 0)
    book = StoreGuardBook(store)
    look(book, day=20.1)
    look(book, day=20.2)
    done = [entry for entry in book.trail() if entry.status == "done"]
    assert [entry.kind for entry in done] == ["route_back"]
    assert book.controls().policies == policies_of(book.trail())
