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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from undertow.attribution.changes import changes_near, dated_changes
from undertow.detectors.drift import (
    Drift,
    distribution_drift,
    mean_drift,
    population_stability_index,
    rate_drift,
    training_drift,
    wasserstein_distance,
)
from undertow.detectors.ewma import FIRST_DAYS
from undertow.detectors.multiplicity import RESERVE, late_share
from undertow.detectors.reliability import watch_reliability
from undertow.records.cells import CHANGE_KINDS, CONFIDENCE_BINS, NOVELTY_BINS, AuditCells, Table
from undertow.records.label_grid import signal_units
from undertow.records.report import Alarm, AuditSettings, Histogram
from undertow.records.segment import WHOLE, Segment
from undertow.records.trained import TrainedScores, expected_shares

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DAY_S = 86_400
WINDOW_DAYS = 14
"""Length of the periods that the histogram compares."""

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

MIN_SEGMENT_N = 50
"""Decisions a day, on half the days of a fortnight, from which on a segment is watched by itself."""

MOST_SEGMENTS = 40
FEW_PLACES = 3
"""If more segments than this drift together, the warning is about all traffic."""

MOVED_PART = 0.6
"""A segment that came this far towards its own line when another place crossed has moved with it."""

_VERSIONS = frozenset({"policy", "policy_version", "calibration_version"})
_NOTHING_LOST = "no loss is measured by that: it says where to look, and a running keeper draws more reviews and shadow answers there"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quantity is watched.

    Attributes:
        segment: The segment; `WHOLE` for all traffic and for what is left of a key.
        codes: Segments whose sums it is made of.
        rest_of: Key of which this is what is left, or empty.
        since: First day (from the log's first) with enough traffic; decides its part of the budget, never what comes later.
    """

    segment: Segment
    codes: tuple[int, ...]
    rest_of: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True)
class _Axis:
    """Days of the log, the first one as days since 1970."""

    first: int
    size: int

    def rows(self, bucket: IntArray, bucket_s: int) -> IntArray:
        return bucket * bucket_s // DAY_S - self.first

    def weekday(self, row: int) -> int:
        """0 = Monday (1970-01-01 was a Thursday)."""
        return (self.first + row + 3) % 7

    def time(self, row: int) -> datetime:
        return datetime.fromtimestamp((self.first + row) * DAY_S, UTC)


@dataclass(frozen=True, slots=True)
class _Quantity:
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


@dataclass(frozen=True, slots=True)
class _Found:
    quantity: _Quantity
    place: Place
    drift: Drift
    start: int

    @property
    def row(self) -> int:
        return self.start + (self.drift.day or 0)


def confidence_histogram(cells: AuditCells) -> Histogram | None:
    """Distribution of the routing confidence (or score) in its first fortnight and in the last; None without any."""
    table = cells.confidence.take(cells.confidence.segment == 0)
    if cells.confidence_column is None or not len(table):
        return None
    day = table.bucket * cells.bucket_s // DAY_S
    axis = _Axis(int(day.min()), int(day.max() - day.min()) + 1)
    counts = _sums(cells, axis, (Place(WHOLE, (0,)),), table, "n", CONFIDENCE_BINS)[0]
    window = max(1, min(WINDOW_DAYS, axis.size // 2))
    before, now = counts[:window].sum(0), counts[-window:].sum(0)
    if before.sum() <= 0 or now.sum() <= 0:
        return None
    edges = np.linspace(*cells.confidence_range, CONFIDENCE_BINS + 1)
    return Histogram(
        column=cells.confidence_column or "confidence",
        edges=tuple(edges.tolist()),
        baseline=tuple((before / before.sum()).tolist()),
        now=tuple((now / now.sum()).tolist()),
        baseline_period=(axis.time(0), axis.time(window)),
        now_period=(axis.time(axis.size - window), axis.time(axis.size)),
        psi=population_stability_index(before, now),
        wasserstein=wasserstein_distance(before, now),
    )


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
    axis = _Axis(int(day.min()), int(day.max() - day.min()) + 1)
    if axis.size <= FIRST_DAYS:
        return ()
    places = watched_places(cells, axis.first, axis.size)
    quantities = list(_quantities(cells, axis, places, settings, trained))
    calibrated = _calibrated_tiers(cells)
    names = {quantity.name for quantity in quantities} | ({"calibration"} if calibrated else set())
    if not names:
        return ()
    total = sum(SHARES[name] for name in names)
    budget = {name: settings.alpha / 2 * SHARES[name] / total for name in names}
    weights = place_weights(places)
    found: list[Alarm] = []
    for quantity in quantities:
        begins = _breaks(cells, axis, quantity.breaks)
        for start, stop in itertools.pairwise([0, *begins, axis.size]):
            if stop - start <= FIRST_DAYS:
                continue
            seen = []
            for i, (place, weight) in enumerate(zip(places, weights, strict=True)):
                cut = tuple(array[i, start:stop] for array in quantity.arrays)
                alpha = budget[quantity.name] / quantity.parts * weight
                seen.append(_Found(quantity, place, quantity.test(cut, alpha, axis.weekday(start)), start))
            found += _tell(cells, axis, seen)
    for tier in calibrated:
        found += _reliability(cells, axis, settings, tier, budget["calibration"] / len(calibrated))
    return tuple(found)


def watched_places(cells: AuditCells, first_day: int, days: int) -> tuple[Place, ...]:
    """All traffic, the segments with enough traffic, and what is left of each key, in that order.

    Args:
        cells: The log's sufficient statistics.
        first_day: First day of the log, since 1970.
        days: How many days it has.
    """
    axis = _Axis(first_day, days)
    every = tuple(Place(segment, (code,)) for code, segment in enumerate(cells.segments))
    n = _sums(cells, axis, every, cells.traffic, "decisions")
    enough = (n >= MIN_SEGMENT_N).astype(np.float64)
    # A fortnight, half of whose days have enough.
    window = np.lib.stride_tricks.sliding_window_view(enough, min(14, days), axis=1).sum(-1) >= min(7, days / 2)
    busy = {code: int(np.argmax(window[code])) for code in range(1, len(every)) if window[code].any()}
    kept = sorted(busy, key=lambda code: (-n[code].sum(), code))[:MOST_SEGMENTS]
    places = [Place(WHOLE, (0,))]
    places += [Place(cells.segments[code], (code,), since=busy[code]) for code in sorted(kept)]
    for key in sorted({segment.key for segment in cells.segments if segment.key}):
        left = tuple(c for c, s in enumerate(cells.segments) if s.key == key and c not in kept)
        if left and n[list(left)].sum(0).max(initial=0) >= MIN_SEGMENT_N:
            places.append(Place(WHOLE, left, rest_of=key))
    return tuple(places)


def place_weights(places: Sequence[Place]) -> tuple[float, ...]:
    """Part of a quantity's budget of each place, in all at most 1.

    Examples:
        >>> some = (Place(WHOLE, (0,)), Place(Segment("a", "b"), (1,)), Place(Segment("a", "c"), (2,), since=40))
        >>> [round(weight, 4) for weight in place_weights(some)]
        [0.5, 0.475, 0.0125]
    """
    parts = [place for place in places if place.codes != (0,)]
    if not parts:
        return (1.0,) * len(places)
    known = [place for place in parts if place.since < FIRST_DAYS]
    later = sorted({place.since for place in parts if place.since >= FIRST_DAYS})

    def of(place: Place) -> float:
        if place.codes == (0,):
            return 0.5
        if place.since < FIRST_DAYS:
            return 0.5 * (1.0 - RESERVE) / len(known)
        together = sum(other.since == place.since for other in parts)
        return 0.5 * RESERVE * late_share(1 + later.index(place.since)) / together

    return tuple(of(place) for place in places)


def _sums(
    cells: AuditCells, axis: _Axis, places: Sequence[Place], table: Table, column: str, bins: int = 0
) -> FloatArray:
    """Sums of a column per place and day (and bin), tiers together. Shape (P, T) or (P, T, B)."""
    of: IntArray = np.full(len(cells.segments), -1, dtype=np.int64)
    for i, place in enumerate(places):
        of[list(place.codes)] = i
    place = of[table.segment]  # type: ignore[attr-defined]
    row = axis.rows(table.bucket, cells.bucket_s)  # type: ignore[attr-defined]
    keep = (place >= 0) & (row >= 0) & (row < axis.size)
    shape = (len(places), axis.size, bins) if bins else (len(places), axis.size)
    at = (place[keep], row[keep], table.bin[keep]) if bins else (place[keep], row[keep])  # type: ignore[attr-defined]
    flat = np.ravel_multi_index(at, shape)
    weights = getattr(table, column)[keep].astype(np.float64)
    return np.bincount(flat, weights=weights, minlength=int(np.prod(shape))).astype(np.float64).reshape(shape)


def _quantities(
    cells: AuditCells,
    axis: _Axis,
    places: tuple[Place, ...],
    settings: AuditSettings,
    trained: TrainedScores | None,
) -> Iterable[_Quantity]:
    days, cheap = settings.horizon_days, cells.tiers[0]

    def sums(table: Table, column: str, bins: int = 0) -> FloatArray:
        return _sums(cells, axis, places, table, column, bins)

    def rate(arrays: tuple[FloatArray, ...], alpha: float, weekday: int) -> Drift:
        return rate_drift(arrays[0], arrays[1], alpha, days, first_weekday=weekday)

    if cells.confidence_column is not None and len(cells.confidence):
        low, high = cells.confidence_range
        counts = sums(cells.confidence, "n", CONFIDENCE_BINS)
        scaled = (sums(cells.confidence, "total") - low * counts.sum(-1)) / max(high - low, 1e-12)
        what = cells.confidence_column
        yield _Quantity(
            "confidence", "confidence", cheap, (counts, scaled),
            lambda a, alpha, weekday: distribution_drift(a[0], a[1], alpha, days, first_weekday=weekday),
            frozenset({"calibration_version"}),
            {"mean": f"the mean {what}", "tail": f"the share of requests with a low {what}"},
            lambda value: f"{low + value * (high - low):.3g}", signal=what,
        )  # fmt: skip
    if trained is not None and len(cells.scores):
        shares = expected_shares(trained.edges)
        yield _Quantity(
            "score against training", "confidence", cheap, (sums(cells.scores, "n", len(shares)),),
            lambda a, alpha, weekday: training_drift(
                a[0], shares, trained.labels, alpha, days, first_weekday=weekday
            ),
            frozenset({"calibration_version"}),
            {"rank": f"the mean rank of the scores among the ten shares of those that {trained.name} was fitted on"},
            lambda value: f"{value:.1f}",
        )  # fmt: skip
    if len(cells.novelty):
        yield _Quantity(
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
        yield _Quantity(
            "routing share", "share", cheap, (cheaper, total), rate, frozenset({"policy", "policy_version"}),
            {"rate": "the share of requests that the cheaper tiers answer"}, _percent,
        )  # fmt: skip
    behaviour = cells.behaviour
    if behaviour.escalated.sum() > 0:
        yield _Quantity(
            "escalation rate", "share", cheap, (sums(behaviour, "escalated"), sums(behaviour, "escalation_n")), rate,
            _VERSIONS, {"rate": "the share of requests whose cheap answer was withheld"}, _percent,
        )  # fmt: skip
    answering = [tier for tier in range(len(cells.tiers)) if behaviour.output_tokens[behaviour.tier == tier].sum() > 0]
    for tier in answering:
        mine = behaviour.take(behaviour.tier == tier)
        yield _Quantity(
            "answer length", "answer", cells.tiers[tier], (sums(mine, "output_tokens"), sums(mine, "output_n")),
            lambda a, alpha, weekday: mean_drift(a[0], a[1], alpha, days, relative_sd=0.3, first_weekday=weekday),
            _VERSIONS, {"mean": "the mean length of answers"}, lambda value: f"{value:,.0f} tokens", parts=len(answering),
        )  # fmt: skip
    for name, total, told in (
        ("refusals", "refusal_n", "the share of cheap answers that read like a refusal"),
        ("hedging", "hedging_n", "the share of hedging words in cheap answers"),
    ):
        if getattr(behaviour, total).sum() > 0:
            yield _Quantity(
                name, "answer", cheap, (sums(behaviour, name), sums(behaviour, total)), rate,
                frozenset({"calibration_version"}), {"rate": told}, _percent,
            )  # fmt: skip


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %" if value < 0.0995 else f"{100 * value:.1f} %"


def _breaks(cells: AuditCells, axis: _Axis, kinds: frozenset[str]) -> list[int]:
    """Rows on which a version of one of these kinds began to serve."""
    rows = {int(c.at.timestamp()) // DAY_S - axis.first for c in dated_changes(cells) if c.kind in kinds}
    return sorted(row for row in rows if 0 < row < axis.size)


def _tell(cells: AuditCells, axis: _Axis, tested: list[_Found]) -> list[Alarm]:
    """Warnings of one quantity and stretch: of the few segments that moved, else of all traffic once.

    Args:
        cells: The log's sufficient statistics.
        axis: Its days.
        tested: Every place, whether it crossed its line or not.
    """
    crossed = [f for f in tested if f.drift.day is not None]
    if not crossed:
        return []
    segments = [f for f in tested if not f.place.segment.is_whole]
    first = min(f.row for f in crossed) - crossed[0].start
    moved = [f for f in segments if _moves(f.drift, first)]
    named = [f for f in crossed if not f.place.segment.is_whole]
    whole = next((f for f in crossed if f.place.codes == (0,)), None)
    if named and len(moved) <= FEW_PLACES and (len(moved) < len(segments) or whole is None):
        return [_warning(cells, axis, f) for f in named]
    if whole is not None:
        also = f", in {len(moved)} of {len(segments)} segments by themselves too" if moved else ""
        return [_warning(cells, axis, whole, also)]
    if named:
        leader = min(named, key=lambda f: f.row)
        return [_warning(cells, axis, leader, f", and in {len(moved) - 1} other segments too")]
    return [_warning(cells, axis, f) for f in crossed]


def _moves(drift: Drift, since: int) -> bool:
    """Whether a place came most of the way to its line in the fortnight after the first place crossed its own."""
    shown = np.nan_to_num(drift.statistic[since : since + WINDOW_DAYS])
    return drift.day is not None or bool(drift.enough_history and shown.max(initial=0.0) >= MOVED_PART * drift.line)


def _warning(cells: AuditCells, axis: _Axis, found: _Found, also: str = "") -> Alarm:
    drift, quantity, row = found.drift, found.quantity, found.row
    moved = "moved"
    if drift.before is not None and drift.now is not None:
        verb = "rose" if drift.direction == "up" else "fell"
        unit = _percent if drift.what == "tail" else quantity.unit
        moved = f"{verb} from {unit(drift.before)} to {unit(drift.now)}"
    where = f" in what is left of the segments of {found.place.rest_of}" if found.place.rest_of else ""
    low = (axis.first + max(row - 14, found.start)) * DAY_S // cells.bucket_s
    high = (axis.first + row) * DAY_S // cells.bucket_s
    return Alarm(
        monitor=quantity.monitor,
        signal=quantity.signal or quantity.name,
        tier=quantity.tier,
        segment=found.place.segment,
        cause="unknown",
        basis="behaviour",
        detected_at=axis.time(row + 1),
        onset=None,
        onset_interval=None,
        loss=None,
        interval=None,
        evidence=None,
        kind="drift",
        note=f"{quantity.told[drift.what or 'mean']}{where} {moved}{also}; {_NOTHING_LOST}",
        changed_nearby=changes_near(cells, quantity.tier, low, high),
    )


def _calibrated_tiers(cells: AuditCells) -> list[int]:
    """Cheaper tiers with labels of answers whose confidence a calibration stated."""
    labelled = set(np.unique(cells.calibration.tier).tolist())
    return [t for t in range(len(cells.tiers) - 1) if t in labelled and _calibrated_from(cells, t) is not None]


def _calibrated_from(cells: AuditCells, tier: int) -> int | None:
    """First bucket in which a calibration version served a tier, or None: a confidence without one promises nothing."""
    models = cells.models
    mine = models.bucket[(models.tier == tier) & (models.kind == CHANGE_KINDS.index("calibration_version"))]
    return int(mine.min()) if len(mine) else None


def _reliability(cells: AuditCells, axis: _Axis, settings: AuditSettings, tier: int, alpha: float) -> Iterable[Alarm]:
    """Whether the stated confidence still holds on fresh labels: those of people and exact checks, else those of a judge."""
    units = [u for u in signal_units(cells) if u.shows_level]
    trusted = [u for u in units if u.basis in {"human", "exact"}] or units
    table = cells.calibration.take(cells.calibration.tier == tier)
    held = [u for u in trusted if (table.signal == u.code).any()]
    if not held:
        return
    signal = max(held, key=lambda u: float(table.n[table.signal == u.code].sum()))
    table = table.take(table.signal == signal.code)
    row = axis.rows(table.bucket, cells.bucket_s)
    days = max(axis.size, int(row.max()) + 1)
    begin = _calibrated_from(cells, tier)
    assert begin is not None
    first = max(int(begin * cells.bucket_s // DAY_S) - axis.first, 0)
    later = [b for b in _breaks(cells, axis, frozenset({"calibration_version"})) if b > first]
    flat = row * CONFIDENCE_BINS + table.bin

    def grid(values: FloatArray) -> FloatArray:
        summed = np.bincount(flat, weights=values, minlength=days * CONFIDENCE_BINS)
        return summed.astype(np.float64).reshape(days, CONFIDENCE_BINS)

    largest = np.zeros(days * CONFIDENCE_BINS)
    np.maximum.at(largest, flat, table.weight_max)
    n, weight, failed, stated = map(grid, (table.n, table.weight, table.weighted_failures, table.weighted_confidence))
    most = largest.reshape(days, CONFIDENCE_BINS)
    line = settings.horizon_days / alpha
    for start, stop in itertools.pairwise([first, *later, days]):
        part = slice(start, stop)
        found = watch_reliability(n[part], weight[part], failed[part], stated[part], most[part], line, settings.margin)
        if found.day is None or found.stated is None or found.observed is None:
            continue
        yield Alarm(
            monitor="calibration",
            signal=signal.name,
            tier=cells.tiers[tier],
            segment=WHOLE,
            cause="unknown",
            basis=signal.basis,
            detected_at=axis.time(start + found.day + 1),
            onset=None,
            onset_interval=None,
            loss=None,
            interval=None,
            evidence=float(np.log10(found.evidence[found.day])),
            kind="drift",
            note=f"{_percent(found.observed)} of the answers failed whose confidence says {_percent(found.stated)} "
            f"({found.labels:,} labels of the last four weeks): the confidence promises more than it keeps; no loss against the "
            "capable tier is measured by that: calibrate anew; a running keeper draws more reviews and shadow answers there",
        )
