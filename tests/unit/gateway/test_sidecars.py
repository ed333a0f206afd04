import os
import signal
import sys
import time

import msgspec
import pytest

from gateway_stub.plans import plan
from undertow.gateway.children import reap
from undertow.gateway.sidecars import HandedSidecars, Sidecars, sidecar_sockets
from undertow.records.serving import PolicyPlan

LISTEN = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[sys.argv.index('--socket') + 1]); s.listen();"
    "sys.stdin.read()"
)
STUB = (sys.executable, "-c", LISTEN)


def embedding(name, artefact):
    return PolicyPlan(
        name=name, version="v", kind="classifier", method="embedding", tiers=("cheap", "capable"), artefact=artefact
    )


def plan_of(*artefacts):
    policies = tuple(embedding(f"p{i}", artefact) for i, artefact in enumerate(artefacts))
    return msgspec.structs.replace(plan(), policies=(*plan().policies, *policies))


@pytest.fixture
def make(tmp_path):
    made, said = [], []

    def make_one(command=STUB):
        made.append(Sidecars(str(tmp_path), said.append, command))
        made[-1].said = said
        return made[-1]

    yield make_one
    for one in made:
        one.kill()
        while one.is_any_alive:
            hear(one)
        one.close()


def hear(sidecars, now=0.0):
    for pid, status in reap():
        assert sidecars.ended(pid, status, now)


def until(sidecars, holds, now=0.0):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        hear(sidecars, now)
        time.sleep(0.01)


def test_policies_with_one_artefact_share_a_socket_and_each_plan_has_its_own():
    sockets = sidecar_sockets(plan_of("/a.json", "/b.json", "/a.json"), "/run/u", 7)
    assert sockets == {"p0": "/run/u/enc-7-0.sock", "p1": "/run/u/enc-7-1.sock", "p2": "/run/u/enc-7-0.sock"}
    assert sidecar_sockets(plan(), "/run/u", 7) == {}
    longest = sidecar_sockets(plan_of("/a.json"), "/" + "x" * 79, 99_999)["p0"]
    assert len(longest) <= 100


def test_one_process_an_artefact_which_is_ready_when_it_listens(make):
    sidecars = make()
    sidecars.begin(plan_of("/a.json", "/b.json", "/a.json"), 1, 0.0)
    assert (sidecars.alive(1), sidecars.missing(1)) == (2, 0)
    until(sidecars, lambda: sidecars.are_ready(1))


def test_a_dead_one_is_started_again_after_a_pause(make):
    sidecars = make()
    sidecars.begin(plan_of("/a.json"), 1, 0.0)
    os.kill(sidecars.hand_over().each[0].pid, signal.SIGKILL)
    until(sidecars, lambda: sidecars.missing(1) == 1, now=5.0)
    assert sidecars.due_at == [5.5]
    assert sidecars.said == [
        "the encoder of a.json died (killed by SIGKILL); the capable tier answers meanwhile, it is started again in 0.5 s"
    ]
    assert sidecars.are_ready(1), "nobody waits for one that has died"
    sidecars.tick(5.5)
    assert (sidecars.alive(1), sidecars.restarts) == (1, 1)


def test_those_of_a_plan_that_nobody_serves_end(make):
    sidecars = make()
    sidecars.begin(plan_of("/a.json"), 1, 0.0)
    sidecars.begin(plan_of("/a.json"), 2, 0.0)
    until(sidecars, lambda: sidecars.are_ready(1))
    sidecars.keep({1, 2})
    assert sidecars.alive(1) == 1
    sidecars.keep({2})
    until(sidecars, lambda: sidecars.alive(1) == 0)
    assert (sidecars.alive(2), sidecars.missing(1), sidecars.due_at, sidecars.said) == (1, 0, [], [])


def test_they_end_with_whoever_started_them(make):
    sidecars = make()
    sidecars.begin(plan_of("/a.json"), 1, 0.0)
    until(sidecars, lambda: sidecars.are_ready(1))
    sidecars.close()
    until(sidecars, lambda: sidecars.alive(1) == 0)


def test_the_next_supervisor_goes_on_with_them(make):
    before, after = make(), make()
    before.begin(plan_of("/a.json"), 1, 0.0)
    handed = msgspec.json.decode(msgspec.json.encode(before.hand_over()), type=HandedSidecars)
    before._all.clear()
    after.adopt(handed)
    assert after.alive(1) == 1
    os.kill(handed.each[0].pid, signal.SIGKILL)
    until(after, lambda: after.missing(1) == 1)
    after.tick(after.due_at[0])
    assert after.alive(1) == 1
    until(after, lambda: after.are_ready(1))
