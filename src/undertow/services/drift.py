"""Drift of what the router sees and does: warnings that steer and prove no harm, and the histogram of people.

What is watched, each over all traffic and in every segment with enough of it (what is left of a key's segments is watched as one):

| monitor | what | chart |
| --- | --- | --- |
| `confidence` | routing confidence, else the score | mean and lower tail |
| `confidence` | score among those that the calibration was fitted on | mean rank |
| `input` | novelty | mean and upper tail |
| `share` | routing share of the cheaper tiers; share of escalated requests | rate |
| `answer` | tokens of the answers of each tier; refusals; hedging | mean; rate; rate |
| `calibration` | failures of cheap answers against their stated confidence | e-detector (`undertow.detectors.reliability`) |

One budget: the chance of any false warning of drift over the horizon is at most alpha / 2 (the other half of the warnings' alpha is the
judge's). It is divided by the union bound: over the quantities that the log has by `SHARES`; inside one half to all traffic and half
to its segments; there equally over those known in their first fortnight, with `RESERVE` kept for those that appear later. A
change of policy or calibration version moves things on purpose, so each stretch of days between versions is a series of its own.
"""

import itertools

from undertow.detectors.ewma import FIRST_DAYS
from undertow.records.cells import AuditCells
from undertow.records.report import Alarm, AuditSettings
from undertow.records.trained import TrainedScores
from undertow.services.drift_notes import PlaceDrift, told_of
from undertow.services.drift_places import place_weights, watched_places
from undertow.services.drift_quantities import watched_quantities
from undertow.services.log_days import DAY_S, LogDays, version_starts
from undertow.services.reliability import calibrated_tiers, reliability_warnings

SHARES: dict[str, float] = {
    "confidence": 0.25,
    "calibration": 0.2,
    "input": 0.15,
    "routing share": 0.1,
    "escalation rate": 0.1,
    "score against training": 0.05,
    "answer length": 0.05,
    "refusals": 0.05,
    "hedging": 0.05,
}
"""Relative shares of the budget, divided among the quantities that a log has."""


def drift_warnings(
    cells: AuditCells, settings: AuditSettings, trained: TrainedScores | None = None
) -> tuple[Alarm, ...]:
    """Warnings of drift, in no order, all within alpha / 2 over the horizon.

    Args:
        cells: The log's sufficient statistics.
        settings: Alpha, horizon and margin.
        trained: The distribution that the calibration was fitted on, where it is known; `cells.scores` are counted by its shares.
    """
    traffic = cells.traffic.take(cells.traffic.segment == 0)
    day = traffic.bucket * cells.bucket_s // DAY_S
    axis = LogDays(int(day.min()), int(day.max() - day.min()) + 1)
    if axis.size <= FIRST_DAYS:
        return ()
    places = watched_places(cells, axis.first, axis.size)
    quantities = list(watched_quantities(cells, axis, places, settings, trained))
    calibrated = calibrated_tiers(cells)
    names = {quantity.name for quantity in quantities} | ({"calibration"} if calibrated else set())
    if not names:
        return ()
    total = sum(SHARES[name] for name in names)
    budget = {name: settings.alpha / 2 * SHARES[name] / total for name in names}
    weights = place_weights(places)
    found: list[Alarm] = []
    for quantity in quantities:
        begins = version_starts(cells, axis, quantity.breaks)
        for start, stop in itertools.pairwise([0, *begins, axis.size]):
            if stop - start <= FIRST_DAYS:
                continue
            seen = []
            for i, (place, weight) in enumerate(zip(places, weights, strict=True)):
                cut = tuple(array[i, start:stop] for array in quantity.arrays)
                alpha = budget[quantity.name] / quantity.parts * weight
                seen.append(PlaceDrift(quantity, place, quantity.test(cut, alpha, axis.weekday(start)), start))
            found += told_of(cells, axis, seen)
    for tier in calibrated:
        found += reliability_warnings(cells, axis, settings, tier, budget["calibration"] / len(calibrated))
    return tuple(found)
