"""Group-sequential designs: the classical way to look at a trial several times, as a yardstick for a rollout by evidence.

A one-sided test of "the loss is at least the margin" is looked at K times, after equal shares of the labels planned. At look k the statistic
Z_k has drift `theta sqrt(k / K)`, with `theta` the drift at the last look; the design stops and accepts the candidate once Z_k exceeds its
boundary. Crossing probabilities come from integrating the sub-density of the score from look to look, which is exact up to the grid.

References:
    Armitage, McPherson, Rowe (1969), Repeated significance tests on accumulating data, JRSS A 132 (the recursion). Pocock (1977), Biometrika
    64. O'Brien and Fleming (1979), Biometrics 35. Jennison and Turnbull (2000), Group Sequential Methods, chapters 2 and 19.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

POINTS = 1201
"""Of the integration grid; 2,401 move no boundary by 1e-4."""


@dataclass(frozen=True)
class GroupSequential:
    """A design.

    Attributes:
        kind: `pocock`: the same boundary at each look. `obrien_fleming`: sqrt(K / k) times that of the last.
        looks: K.
        boundaries: Of Z at each look.
        drift: Mean of Z at the last look under the planned alternative.
        alpha, power: Error under the null, power under the alternative.
    """

    kind: str
    looks: int
    boundaries: tuple[float, ...]
    drift: float
    alpha: float
    power: float

    @property
    def inflation(self) -> float:
        """Largest sample over that of a test with one look."""
        return float((self.drift / (ndtri(1.0 - self.alpha) + ndtri(self.power))) ** 2)

    @property
    def expected_share(self) -> float:
        """Expected sample under the alternative, as a share of the largest one."""
        stops = crossing(self.boundaries, self.drift)
        return float(np.sum(stops * np.arange(1, self.looks + 1)) / self.looks + (1.0 - stops.sum()))


def crossing(boundaries: tuple[float, ...], drift: float) -> np.ndarray:
    """Probability of crossing first at each look, in units of one look's information: S_k = S_(k-1) + N(drift / sqrt(K), 1)."""
    looks = len(boundaries)
    step = drift / np.sqrt(looks)
    tops = np.asarray(boundaries) * np.sqrt(np.arange(1, looks + 1))
    out = np.zeros(looks)
    out[0] = 1.0 - ndtr(tops[0] - step)
    grid = np.linspace(step - 8.0, tops[0], POINTS)
    density = np.exp(-0.5 * (grid - step) ** 2) / np.sqrt(2.0 * np.pi)
    for k in range(1, looks):
        weight = density * _simpson(grid)
        out[k] = weight @ (1.0 - ndtr(tops[k] - grid - step))
        nxt = np.linspace(min(grid[0] + step - 4.0, tops[k] - 1.0), tops[k], POINTS)
        density = np.exp(-0.5 * (nxt[:, None] - grid[None] - step) ** 2) @ weight / np.sqrt(2.0 * np.pi)
        grid = nxt
    return out


def _simpson(grid: np.ndarray) -> np.ndarray:
    weight = np.full(len(grid), 2.0)
    weight[1::2] = 4.0
    weight[[0, -1]] = 1.0
    return weight * (grid[1] - grid[0]) / 3.0


@cache
def design(kind: str, looks: int, alpha: float, power: float) -> GroupSequential:
    """Boundaries with this error, and the drift with this power.

    Args:
        kind: `pocock` or `obrien_fleming`.
        looks: K.
        alpha: One-sided.
        power: Under the planned alternative.
    """
    shape = np.ones(looks) if kind == "pocock" else np.sqrt(looks / np.arange(1, looks + 1))

    def at(scale: float) -> tuple[float, ...]:
        return tuple(float(x) for x in scale * shape)

    scale = brentq(lambda c: crossing(at(c), 0.0).sum() - alpha, 0.5, 6.0, xtol=1e-7)
    drift = brentq(lambda theta: crossing(at(scale), theta).sum() - power, 0.1, 12.0, xtol=1e-7)
    return GroupSequential(kind, looks, at(scale), drift, alpha, power)
