"""Nobody watches: the keeper is gone, hangs, dies again and again, or its looks do not come; and what looks like it and is not."""

import msgspec
import pytest

from undertow.gateway.lookout import Lookout, Patience
from undertow.records.runtime_files import HEARTBEAT, Heartbeat
from undertow.records.serving import AlertsPlan

PATIENCE = Patience(gone_s=60, steady_s=30, tell_again_s=60)
TOLD = AlertsPlan(webhook_url="https://x.example")
MINUTES = 10.0


class World:
    """A keeper as its lookout sees it: a heartbeat every second, a look now and then."""

    def __init__(self, folder, alerts=TOLD, minutes=MINUTES):
        self.folder, self.started, self.now = folder, [], 0.0
        self.pid, self.looks, self.is_alive = 100, 0, True
        self.lookout = Lookout(str(folder), self.start, PATIENCE)
        self.lookout.renew(alerts, minutes, 0.0)
        self.next_look = 60.0
        self.wall_offset = 0.0

    def start(self, trouble, since):
        assert since.endswith("+00:00")
        self.started.append((self.now, trouble))
        return 7000 + len(self.started)

    def run(self, seconds, every=30.0, *, is_looking=True, ends=True):
        until = self.now + seconds
        while self.now < until:
            self.now += every
            if is_looking and self.is_alive and self.now >= self.next_look:
                self.looks, self.next_look = self.looks + 1, self.now + 60 * MINUTES
            if self.is_alive:
                beat = Heartbeat(
                    pid=self.pid,
                    at=self.now + self.wall_offset,
                    jobs={},
                    counts={"looks": self.looks} if self.looks else {},
                )
                (self.folder / HEARTBEAT).write_bytes(msgspec.json.encode(beat))
            self.lookout.tick(self.now)
            if ends:
                self.lookout.ended(7000 + len(self.started))


def test_a_keeper_that_beats_and_looks_is_well(tmp_path):
    world = World(tmp_path)
    world.run(86_400)
    assert world.started == []


def test_one_that_died_is_told_of_after_a_minute_and_again_every_minute(tmp_path):
    world = World(tmp_path)
    world.run(1000)
    world.is_alive = False
    world.run(300, every=5)
    times = [at for at, _ in world.started]
    assert {trouble for _, trouble in world.started} == {"keeper_gone"}
    assert 1060 <= times[0] <= 1100
    assert [each - times[0] for each in times] == [0, 60, 120, 180, 240]
    assert world.lookout.trouble == "keeper_gone"


def test_one_that_never_started_is_told_of(tmp_path):
    world = World(tmp_path)
    world.is_alive = False
    world.run(120, every=5)
    assert world.started[0] == (60.0, "keeper_gone")


def test_a_restart_is_no_trouble(tmp_path):
    world = World(tmp_path)
    world.run(1000)
    world.pid += 1
    world.looks, world.next_look = 0, world.now + 60
    world.run(1000)
    assert world.started == []


def test_one_that_dies_again_and_again_is_gone(tmp_path):
    world = World(tmp_path)
    world.run(1000)
    for _ in range(20):
        world.pid += 1
        world.run(10, every=5, is_looking=False)
    assert world.started
    assert world.started[0][1] == "keeper_gone"


def test_one_that_hangs_is_gone_although_its_process_lives(tmp_path):
    world = World(tmp_path)
    world.run(1000)
    world.is_alive = False  # its file stays as it is
    world.run(100, every=10)
    assert world.lookout.trouble == "keeper_gone"


def test_looks_that_stop_are_overdue_after_three_periods(tmp_path):
    world = World(tmp_path)
    world.run(1000)
    last = world.now - (world.now - 660)
    world.run(3 * 3600, is_looking=False)
    at, trouble = world.started[0]
    assert trouble == "look_overdue"
    assert at == pytest.approx(last + 3 * 60 * MINUTES, abs=60)


def test_looks_of_short_periods_are_given_their_time(tmp_path):
    """A look at a large log takes longer than three periods of seconds: that is no death."""
    world = World(tmp_path, minutes=0.05)
    world.run(300, is_looking=False)
    assert world.started == []
    world.run(400, is_looking=False)
    assert {trouble for _, trouble in world.started} == {"look_overdue"}


def test_a_keeper_that_dies_at_each_look_is_found_by_its_looks(tmp_path):
    world = World(tmp_path)
    for _ in range(40):
        world.pid += 1
        world.run(90, every=10, is_looking=False)
    assert "look_overdue" in {trouble for _, trouble in world.started}


def test_a_clock_that_jumps_is_no_trouble(tmp_path):
    world = World(tmp_path)
    for offset in (0, -1e7, 1e7, 0):
        world.wall_offset = offset
        world.run(1200)
    assert world.started == []


def test_trouble_ends_when_the_keeper_is_steady_and_looks(tmp_path):
    world = World(tmp_path)
    world.run(600)
    world.is_alive = False
    world.run(120, every=5)
    assert world.lookout.trouble is not None
    world.is_alive, world.pid = True, 200
    world.run(120, every=5)
    assert world.lookout.trouble is None
    told = len(world.started)
    world.run(600, every=30)
    assert len(world.started) == told


def test_one_process_tells_at_a_time_and_nobody_waits_busily_for_it(tmp_path):
    world = World(tmp_path)
    world.is_alive = False
    world.run(600, every=5, ends=False)
    assert len(world.started) == 1
    assert world.lookout.due_at is None
    assert world.lookout.ended(7001)
    assert not world.lookout.ended(7001)
    assert world.lookout.due_at == 120.0


def test_nobody_is_told_where_nobody_is_named_or_nobody_is_meant_to_watch(tmp_path):
    for alerts, minutes in ((AlertsPlan(), MINUTES), (TOLD, 0.0)):
        world = World(tmp_path, alerts, minutes)
        world.is_alive = False
        world.run(3600)
        assert world.started == []
        assert world.lookout.due_at is None


def test_a_process_that_cannot_be_started_is_tried_again(tmp_path):
    tried = []

    def start(trouble, since):
        tried.append(since)
        raise OSError("no memory")

    lookout = Lookout(str(tmp_path), start, PATIENCE)
    lookout.renew(TOLD, MINUTES, 0.0)
    for now in range(0, 300, 10):
        lookout.tick(float(now))
    assert len(tried) == 4
    assert len(set(tried)) == 1


@pytest.mark.parametrize("garbage", [b"", b"{", b"[" * 5000, b'{"pid": "x"}'])
def test_a_heartbeat_that_is_none_is_no_sign_of_life(tmp_path, garbage):
    (tmp_path / HEARTBEAT).write_bytes(garbage)
    world = World(tmp_path)
    world.is_alive = False
    world.run(90, every=5)
    assert world.lookout.trouble == "keeper_gone"
