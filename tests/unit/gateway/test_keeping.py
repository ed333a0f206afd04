import pytest

from undertow.gateway.keeping import LONGEST_DELAY_S, Keeping


@pytest.fixture
def signals(monkeypatch):
    sent = []
    monkeypatch.setattr("undertow.gateway.keeping.kill", lambda pid, number: sent.append((pid, number.name)))
    return sent


def keeping(said, pids=range(100, 200), **state):
    following = iter(pids)
    return Keeping(lambda: next(following), said.append, **state)


def test_it_is_started_again_later_and_later(signals):
    said = []
    kept = keeping(said)
    kept.tick(0.0)
    assert kept.pid == 100
    now, delays = 1.0, []
    for _ in range(12):
        kept.ended(1, now)
        assert kept.pid is None
        delays.append(kept.due_at - now)
        kept.tick(kept.due_at - 0.01)
        assert kept.pid is None
        now = kept.due_at
        kept.tick(now)
        assert kept.pid is not None
    assert delays[:3] == [0.5, 1.0, 2.0]
    assert delays[-1] == LONGEST_DELAY_S
    assert kept.restarts == 12
    assert "requests are served all the same" in said[0]


def test_one_that_ran_well_is_started_again_soon(signals):
    kept = keeping([])
    now = 0.0
    for _ in range(5):
        kept.tick(now)
        kept.ended(-9, now + 1000)
        assert kept.due_at == now + 1000.5
        now += 1000.5


def test_a_new_plan_ends_it_well_and_starts_it_at_once(signals):
    said = []
    kept = keeping(said, pid=7)
    kept.tick(0.0)
    assert kept.pid == 7
    kept.renew(1.0)
    assert signals == [(7, "SIGTERM")]
    kept.ended(0, 2.0)
    kept.tick(2.0)
    assert (kept.pid, kept.restarts, said) == (100, 0, [])


def test_a_program_that_is_missing_stops_nothing(signals):
    said = []

    def missing():
        raise FileNotFoundError(2, "No such file")

    kept = Keeping(missing, said.append)
    kept.tick(0.0)
    assert kept.pid is None
    assert kept.due_at == 0.5
    assert "cannot be started (No such file)" in said[0]


def test_at_the_end_it_stays_dead(signals):
    said = []
    kept = keeping(said, pid=7)
    kept.stop()
    kept.kill()
    kept.ended(0, 1.0)
    assert (kept.due_at, said, signals) == (None, [], [(7, "SIGTERM"), (7, "SIGKILL")])
