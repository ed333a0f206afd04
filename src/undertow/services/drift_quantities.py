"""What drifts: each quantity with its sums per place and day, its test, and its words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.drift import Drift, distribution_drift, mean_drift, rate_drift, training_drift
from undertow.records.cells import CONFIDENCE_BINS, NOVELTY_BINS, AuditCells, Table
from undertow.records.report import AuditSettings
from undertow.records.trained import TrainedScores, expected_shares
from undertow.services.drift_places import Place, place_sums
from undertow.services.log_days import LogDays

FloatArray = npt.NDArray[np.float64]

_VERSIONS = frozenset({"policy", "policy_version", "calibration_version"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that is watched in all places.

    Attributes:
        name: Its part of the budget, and what a warning's `signal` is.
        monitor: Name of the monitor.
        tier: Tier that a warning names.
        arrays: Sums per place and day, passed to `test` cut to a stretch. Shape (P, T) or (P, T, B).
        test: From (arrays of one place and stretch, alpha, weekday of its first row) to what was found.
        breaks: Kinds of versions that move it on purpose.
        told: In words, by what crossed: what moved.
        unit: Its values as text.
        parts: Among how many quantities of the same name the name's budget is divided.
    """

    name: str
    monitor: str
    tier: str
    arrays: tuple[FloatArray, ...]
    test: Callable[[tuple[FloatArray, ...], float, int], Drift]
    breaks: frozenset[str]
    told: dict[str, str]
    unit: Callable[[float], str]
    signal: str = ""
    parts: int = 1


def watched_quantities(
    cells: AuditCells,
    axis: LogDays,
    places: tuple[Place, ...],
    settings: AuditSettings,
    trained: TrainedScores | None,
) -> Iterable[Quantity]:
    """Quantities of which the log says something, in the order in which they are told.

    Args:
        cells: The log's sufficient statistics.
        axis: Its days.
        places: Where they are watched.
        settings: The horizon.
        trained: The distribution that the calibration was fitted on, where it is known.
    """
    days, cheap = settings.horizon_days, cells.tiers[0]

    def sums(table: Table, column: str, bins: int = 0) -> FloatArray:
        return place_sums(cells, axis, places, table, column, bins)

    def rate(arrays: tuple[FloatArray, ...], alpha: float, weekday: int) -> Drift:
        return rate_drift(arrays[0], arrays[1], alpha, days, first_weekday=weekday)

    if cells.confidence_column is not None and len(cells.confidence):
        low, high = cells.confidence_range
        counts = sums(cells.confidence, "n", CONFIDENCE_BINS)
        scaled = (sums(cells.confidence, "total") - low * counts.sum(-1)) / max(high - low, 1e-12)
        what = cells.confidence_column
        yield Quantity(
            "confidence", "confidence", cheap, (counts, scaled),
            lambda a, alpha, weekday: distribution_drift(a[0], a[1], alpha, days, first_weekday=weekday),
            frozenset({"calibration_version"}),
            {"mean": f"the mean {what}", "tail": f"the share of requests with a low {what}"},
            lambda value: f"{low + value * (high - low):.3g}", signal=what,
        )  # fmt: skip
    if trained is not None and len(cells.scores):
        shares = expected_shares(trained.edges)
        yield Quantity(
            "score against training", "confidence", cheap, (sums(cells.scores, "n", len(shares)),),
            lambda a, alpha, weekday: training_drift(
                a[0], shares, trained.labels, alpha, days, first_weekday=weekday
            ),
            frozenset({"calibration_version"}),
            {"rank": f"the mean rank of the scores among the ten shares of those that {trained.name} was fitted on"},
            lambda value: f"{value:.1f}",
        )  # fmt: skip
    if len(cells.novelty):
        yield Quantity(
            "input", "input", cheap, (sums(cells.novelty, "n", NOVELTY_BINS), sums(cells.behaviour, "novelty")),
            lambda a, alpha, weekday: distribution_drift(a[0], a[1], alpha, days, tail="high", first_weekday=weekday),
            frozenset({"calibration_version"}),
            {"mean": "the mean novelty of requests", "tail": "the share of requests unlike the earlier ones"},
            lambda value: f"{value:.3g}", signal="novelty",
        )  # fmt: skip
    capable = len(cells.tiers) - 1
    served = cells.traffic.take(cells.traffic.tier >= 0)
    cheaper = sums(served.take(served.tier < capable), "decisions")
    if 0 < cheaper[0].sum() < served.decisions[served.segment == 0].sum():
        # Before the first routed day there is no share to drift.
        begin = int(np.flatnonzero(cheaper[0] > 0)[0])
        total = sums(served, "decisions")
        total[:, :begin] = 0.0
        yield Quantity(
            "routing share", "share", cheap, (cheaper, total), rate, frozenset({"policy", "policy_version"}),
            {"rate": "the share of requests that the cheaper tiers answer"}, percent_text,
        )  # fmt: skip
    behaviour = cells.behaviour
    if behaviour.escalated.sum() > 0:
        yield Quantity(
            "escalation rate", "share", cheap, (sums(behaviour, "escalated"), sums(behaviour, "escalation_n")), rate,
            _VERSIONS, {"rate": "the share of requests whose cheap answer was withheld"}, percent_text,
        )  # fmt: skip
    answering = [tier for tier in range(len(cells.tiers)) if behaviour.output_tokens[behaviour.tier == tier].sum() > 0]
    for tier in answering:
        mine = behaviour.take(behaviour.tier == tier)
        yield Quantity(
            "answer length", "answer", cells.tiers[tier], (sums(mine, "output_tokens"), sums(mine, "output_n")),
            lambda a, alpha, weekday: mean_drift(a[0], a[1], alpha, days, relative_sd=0.3, first_weekday=weekday),
            _VERSIONS, {"mean": "the mean length of answers"}, lambda value: f"{value:,.0f} tokens", parts=len(answering),
        )  # fmt: skip
    for name, total, told in (
        ("refusals", "refusal_n", "the share of cheap answers that read like a refusal"),
        ("hedging", "hedging_n", "the share of hedging words in cheap answers"),
    ):
        if getattr(behaviour, total).sum() > 0:
            yield Quantity(
                name, "answer", cheap, (sums(behaviour, name), sums(behaviour, total)), rate,
                frozenset({"calibration_version"}), {"rate": told}, percent_text,
            )  # fmt: skip


def percent_text(value: float) -> str:
    """A share in per cent, with a figure more where it is small.

    Examples:
        >>> percent_text(0.0123), percent_text(0.25)
        ('1.2 %', '25.0 %')
    """
    return f"{100 * value:.2g} %" if value < 0.0995 else f"{100 * value:.1f} %"
