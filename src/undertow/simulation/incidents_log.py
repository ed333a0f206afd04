"""One day of a simulated incident's whole log, from the seed alone: requests, draws and every signal about them.

Each day and purpose has a random generator of its own, derived from (seed, incident, purpose, day). So days may be made in
any order or in parallel, a healthy twin has the same traffic, and another signal changes no other number.
"""

from dataclasses import dataclass

import numpy as np

from undertow.simulation.incidents import INCIDENTS, IncidentParameters, as_of
from undertow.simulation.incidents_signals import (
    ReviewDraw,
    Signals,
    csat_signals,
    draw_reviews,
    implicit_signals,
    judge_signals,
    outcome_signals,
    review_signals,
    suite_signals,
    thumb_signals,
)
from undertow.simulation.incidents_traffic import Population, Traffic, draw_day, draw_population, draw_suite

PURPOSES: tuple[str, ...] = (
    "population", "traffic", "suite", "draw", "review", "thumb", "csat", "implicit", "judge", "outcome", "text",
)  # fmt: skip
"""What a random generator is for; the position is part of its seed, so new ones go to the end."""


@dataclass(frozen=True, slots=True)
class DayLog:
    """Everything of one day.

    `signals` may lie after the day; the writer drops what arrives after the log's end. `outcomes` likewise.
    """

    traffic: Traffic
    suite: Traffic | None
    draw: ReviewDraw
    signals: tuple[Signals, ...]
    outcomes: tuple[Signals, ...]


def generator(parameters: IncidentParameters, seed: int, purpose: str, day: int = 0) -> np.random.Generator:
    """The random generator for one purpose on one day.

    Examples:
        >>> from undertow.simulation.incidents import SUPPORT
        >>> a, b = (generator(SUPPORT, 7, "traffic", 3).random() for _ in range(2))
        >>> a == b, a == generator(SUPPORT, 7, "traffic", 4).random()
        (True, False)
    """
    return np.random.default_rng([seed, list(INCIDENTS).index(parameters.incident), PURPOSES.index(purpose), day])


def population_of(parameters: IncidentParameters, seed: int) -> Population:
    """The users of a log."""
    return draw_population(parameters, generator(parameters, seed, "population"))


def simulate_day(parameters: IncidentParameters, population: Population, seed: int, day: int) -> DayLog:
    """All of one day of the log.

    Args:
        parameters: The incident.
        population: From `population_of` with the same parameters and seed.
        seed: Seed of the whole log, a whole number of at least 0.
        day: Day of the log, 0 = first.
    """

    def rng(purpose: str) -> np.random.Generator:
        return generator(parameters, seed, purpose, day)

    parameters = as_of(parameters, day)
    traffic = draw_day(parameters, population, day, rng("traffic"))
    suite = draw_suite(parameters, day, rng("suite"))
    draw = draw_reviews(parameters, traffic, rng("draw"))
    signals = [
        review_signals(parameters, traffic, draw, rng("review")),
        thumb_signals(parameters, traffic, rng("thumb")),
        csat_signals(parameters, traffic, rng("csat")),
        implicit_signals(parameters, traffic, rng("implicit")),
        judge_signals(parameters, traffic, rng("judge")),
    ]
    if suite is not None:
        signals.append(suite_signals(suite))
    return DayLog(traffic, suite, draw, tuple(signals), outcome_signals(parameters, traffic, rng("outcome")))
