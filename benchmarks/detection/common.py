"""What the parts of `bench_detection.py` share: lines, delays, intervals."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import numpy as np

from undertow.detectors.e_detector import first_crossing
from undertow.detectors.multiplicity import alarm_line
from undertow.simulation.story import Scenario
from undertow.stats.confidence import beta_binomial_interval

PUBLISHED_LINE = 3600.0
PRODUCT_LINE = alarm_line(180, 0.05)
BOUND_LINE = 3509.0
"""Mean time to false alarm that corresponds to 5 % in 180 days: what the published ratios to the bound were computed with."""

T = TypeVar("T")
R = TypeVar("R")

LOSSES: tuple[Scenario, ...] = ("story", "half", "slice")
NEVER = 10**6
ENOUGH_RUNS = 500
"""Fewest runs from which a share of false alarms is held against its bar."""


def delays(statistic: np.ndarray, line: float, onset_day: int) -> np.ndarray:
    """Days from onset to alarm, alarms before onset left out; NEVER if none came."""
    day = first_crossing(statistic, line)
    day = np.where(day < 0, NEVER, day)
    late = day[day >= onset_day]
    return np.where(late >= NEVER, NEVER, late - onset_day + 1)


def quantile_interval(values: np.ndarray, q: float) -> tuple[float, float]:
    """Distribution-free interval of a quantile's difference from a published one (order statistics, normal approximation)."""
    ordered = np.sort(values)
    spread = 1.96 * np.sqrt(2 * len(ordered) * q * (1 - q))  # 2: the published figure has as much error as ours
    low, high = int(len(ordered) * q - spread), int(np.ceil(len(ordered) * q + spread))
    return float(ordered[max(low, 0)]), float(ordered[min(high, len(ordered) - 1)])


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a share (conservative: anytime-valid)."""
    interval = beta_binomial_interval(hits, n)
    return float(interval.low), float(interval.high)


def days_text(x: float) -> str:
    """Days for a table."""
    return "never" if x >= NEVER else f"{x:.0f}"


def in_processes(function: Callable[[T], R], jobs: Iterable[T]) -> list[R]:
    """Results of independent jobs in their order, on all processors; each job carries its own seed."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, jobs))
