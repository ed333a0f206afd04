"""The benchmark of the guard: money adds up, the yardstick is the published one, and runs are the same each time."""

import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def bench(project_dir):
    sys.path.insert(0, str(project_dir / "benchmarks"))
    from guard import damage_rows, group_sequential, guarded, money, rollout_rows

    yield {"rows": damage_rows, "design": group_sequential, "guarded": guarded, "money": money, "rollout": rollout_rows}
    sys.path.remove(str(project_dir / "benchmarks"))
    for name in [name for name in sys.modules if name.partition(".")[0] in {"guard", "detection", "report"}]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("kind", "looks", "last", "inflation"),
    # Jennison and Turnbull (2000), tables 2.1 to 2.4: two-sided 5 %, power 90 %.
    [("pocock", 2, 2.178, 1.100), ("pocock", 5, 2.413, 1.207), ("obrien_fleming", 2, 1.977, 1.007), ("obrien_fleming", 5, 2.040, 1.026)],
)  # fmt: skip
def test_group_sequential_boundaries_are_the_published_ones(bench, kind, looks, last, inflation):
    found = bench["design"].design(kind, looks, 0.025, 0.9)
    assert found.boundaries[-1] == pytest.approx(last, abs=1.5e-3)
    assert found.inflation == pytest.approx(inflation, abs=1.5e-3)


def test_crossing_probabilities_agree_with_simulation(bench):
    found = bench["design"].design("obrien_fleming", 5, 0.0125, 0.9)
    rng, runs = np.random.default_rng(1), 40_000
    steps = rng.normal(found.drift / np.sqrt(5), 1.0, (runs, 5)).cumsum(1) / np.sqrt(np.arange(1, 6))
    hit = steps >= found.boundaries
    first = np.where(hit.any(1), hit.argmax(1), 5)
    shares = np.bincount(first, minlength=6)[:5] / runs
    assert shares == pytest.approx(bench["design"].crossing(found.boundaries, found.drift), abs=0.01)


def test_money_is_that_of_the_incident(bench):
    money = bench["money"]
    story = money.scenario("story")
    at = money.stakes(story, 200)
    assert at.savings[-1].sum() * money.DAYS_A_MONTH == pytest.approx(100_000)
    assert at.loss[-1].sum() * money.DAYS_A_MONTH == pytest.approx(450_000)
    assert at.loss[: story.onset_day].sum() == 0.0
    assert 0.0 < at.oracle < at.unguarded
    exposed = np.stack([np.ones((200, 6)), np.zeros((200, 6)), at.loss <= at.savings], axis=1)
    assert at.damage(exposed) == pytest.approx([at.unguarded, at.savings.sum(), at.oracle])
    assert at.avoided(np.array([at.unguarded, at.oracle])) == pytest.approx([0.0, 1.0])


def test_the_guard_avoids_most_of_the_damage_and_is_the_same_each_time(bench):
    rows = bench["rows"]
    job = rows.Job(rows.OURS, "half", 12, (1, 2))
    first, again = rows.run_job(job), rows.run_job(job)
    assert np.array_equal(first.damage, again.damage)
    assert np.median(first.avoided) > 0.9
    assert np.median(first.acted) < 30 + 5
    whole = rows.run_job(rows.Job(rows.OTHERS[0], "half", 12, (1, 2)))
    assert np.median(whole.avoided) < 0.7


def test_what_was_routed_back_stays_there(bench):
    guarded, money = bench["guarded"], bench["money"]
    model = money.scenario("half")
    found = guarded.guarded(guarded.Guarding("ours"), model, 6, np.random.default_rng(3))
    worst = found.exposed[:, :, model.worst_segment]
    assert worst[50:].max() == 0.0
    assert (np.diff(found.exposed, axis=0) <= 0.0).all()


def test_a_healthy_candidate_gets_through_and_a_harmful_one_does_not(bench):
    rollout = bench["rollout"]
    rng = np.random.default_rng(4)
    for way in rollout.WAYS.values():
        assert way(rollout.draw(0.0, rng)).finished <= rollout.LONGEST_DAYS
        assert way(rollout.draw(0.06, rng)).left_first == rollout.NEVER
