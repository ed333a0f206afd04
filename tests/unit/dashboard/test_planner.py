"""Simulations in the background: the most urgent first, roughly first, each kept."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from undertow.dashboard import planner as module
from undertow.dashboard.planner import Planner, Question
from undertow.records.power import Design, PlannedLoss
from undertow.services.power import days_taken, summary

DESIGN = Design(30_000, 140, 0.6, (0.3, 0.3, 0.2, 0.1, 0.1), 0.06, 0.8, baseline_days=14, horizon_days=30)
LOSS = PlannedLoss(0.6, 0.2)
ROUNDS = (3, 5)


def question(reviews=140.0):
    return Question(replace(DESIGN, reviews_per_day=reviews), LOSS)


@pytest.fixture
def simulated(monkeypatch):
    """Every simulation that is begun, and a gate that holds them."""
    begun, gate = [], threading.Event()
    gate.set()

    def taken(design, loss, runs, rng):
        gate.wait(20)
        begun.append((design.reviews_per_day, runs))
        return np.full(runs, 1_000.0 / design.reviews_per_day + rng.random(runs))

    monkeypatch.setattr(module, "days_taken", taken)
    return begun, gate


def test_what_is_found_is_what_the_detectors_take_in_as_many_runs():
    asked = question()
    found = Planner(ROUNDS).ask([asked], 60.0, until_final=True)[asked]
    taken = [days_taken(DESIGN, LOSS, runs, np.random.default_rng([1, i])) for i, runs in enumerate(ROUNDS)]
    assert found.is_final
    assert found.delay == summary(LOSS, np.concatenate(taken))


def test_all_are_simulated_roughly_before_any_to_the_end(simulated):
    begun, _ = simulated
    many = [question(100.0), question(200.0), question(300.0)]
    assert len(Planner(ROUNDS).ask(many, 20.0, until_final=True)) == 3
    assert begun == [(100.0, 3), (200.0, 3), (300.0, 3), (100.0, 5), (200.0, 5), (300.0, 5)]


def test_a_page_waits_for_the_first_alone_and_asks_again_for_the_rest(simulated):
    _, gate = simulated
    gate.clear()
    planner = Planner(ROUNDS)
    assert planner.ask([question(100.0), question(200.0)], 0.01) == {}
    gate.set()
    found = planner.ask([question(100.0), question(200.0)], 20.0)
    assert question(100.0) in found
    assert all(
        each.is_final for each in planner.ask([question(100.0), question(200.0)], 20.0, until_final=True).values()
    )


def test_what_was_simulated_is_not_simulated_again(simulated):
    begun, _ = simulated
    planner = Planner(ROUNDS)
    first = planner.ask([question()], 20.0, until_final=True)
    assert planner.ask([question(), question()], 20.0, until_final=True) == first
    assert len(begun) == 2


def test_what_is_asked_for_last_comes_first(simulated):
    begun, gate = simulated
    gate.clear()
    planner = Planner(ROUNDS)
    planner.ask([question(100.0), question(200.0)], 0.01)
    gate_opens = threading.Timer(0.1, gate.set)
    gate_opens.start()
    planner.ask([question(900.0)], 20.0, until_final=True)
    gate_opens.join()
    planner.ask([question(100.0), question(200.0)], 20.0, until_final=True)
    # The one that ran already is finished; then those of the page that asked last, before the rest of the others.
    assert begun[:3] == [(100.0, 3), (900.0, 3), (900.0, 5)]


def test_after_a_failure_the_next_page_begins_anew(monkeypatch, simulated):
    begun, _ = simulated
    planner, whole = Planner(ROUNDS), module.days_taken
    failed = threading.Event()

    def fails(*_):
        failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(module, "days_taken", fails)
    assert planner.ask([question()], 0.2) == {}
    assert failed.wait(20)
    monkeypatch.setattr(module, "days_taken", whole)
    assert planner.ask([question()], 20.0, until_final=True)[question()].is_final
    assert len(begun) == 2
