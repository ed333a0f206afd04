"""A whole day from the seed alone: repeatable, independent of order, and the same traffic for the healthy twin."""

import dataclasses

import numpy as np
import pytest

from undertow.simulation.incidents import CHEAP, INCIDENTS, SUPPORT
from undertow.simulation.incidents_log import PURPOSES, generator, population_of, simulate_day

SMALL = dataclasses.replace(SUPPORT, queries_per_day=2_000)


def arrays(traffic):
    return {f.name: getattr(traffic, f.name) for f in dataclasses.fields(traffic)}


def test_a_day_does_not_depend_on_the_days_before_it():
    population = population_of(SMALL, 5)
    alone = simulate_day(SMALL, population, 5, 50)
    for day in (49, 51):
        simulate_day(SMALL, population, 5, day)
    again = simulate_day(SMALL, population, 5, 50)
    for name, values in arrays(alone.traffic).items():
        assert np.array_equal(values, getattr(again.traffic, name), equal_nan=name == "confidence"), name
    assert [s.value.tolist() for s in alone.signals] == [s.value.tolist() for s in again.signals]


def test_seeds_days_purposes_and_incidents_have_streams_of_their_own():
    first = {
        (seed, purpose, day, name): generator(INCIDENTS[name], seed, purpose, day).random()
        for seed in (0, 1) for purpose in PURPOSES for day in (0, 1) for name in INCIDENTS
    }  # fmt: skip
    assert len(set(first.values())) == len(first)


def test_the_healthy_twin_has_the_same_traffic():
    healthy = SMALL.made_healthy()
    day = SMALL.pre_days + 60
    broken, well = (simulate_day(p, population_of(p, 3), 3, day).traffic for p in (SMALL, healthy))
    for name in ("time_ms", "user", "conversation", "eligible", "holdout", "tier", "input_tokens", "cost_usd"):
        assert np.array_equal(getattr(broken, name), getattr(well, name)), name
    assert broken.failed[broken.tier == CHEAP].mean() > 3 * well.failed[well.tier == CHEAP].mean()


@pytest.mark.parametrize("name", INCIDENTS)
def test_each_incident_has_all_its_signals(name):
    p = dataclasses.replace(INCIDENTS[name], queries_per_day=2_000)
    log = simulate_day(p, population_of(p, 1), 1, p.pre_days)
    kinds = [s.kind for s in log.signals]
    assert kinds == ["review", "thumb", "rating", "implicit", "judge", "suite"]
    assert [s.name for s in log.outcomes] == [p.early_name, p.late_name]
