"""Weighs labels to the requests that they stand for: the frame, all eligible decisions of the labelled period.

Labels of answers that were served and of those that were withheld are two strata, as are requests that the tier was not asked. The
frame says how many requests each has; labels of a stratum are weighted to that number (post-stratification), which makes up for labels that
were lost alike everywhere.

It does not make up for withheld answers that nobody could label: shadowing that began late leaves the earlier ones with an
inclusion probability of 0, whatever the labels say. So the hours of the frame, pooled until `FEWEST` labels of withheld answers are due, are
looked at one pool after the other: where these labels stand for fewer requests than chance explains, given how many of the labels of served
answers came in, the withheld answers are not covered. If the remaining hours hold enough labels, only those hours count; else the withheld
answers that are not covered come as rows without a label. A stratum of asked requests without any label comes so too.

The holdout arm is a sample of all eligible requests by itself, and so is the treatment arm once its strata are complete. One that has enough
labels is used alone; else each arm is weighted to its own frame and both stand for all requests.

References:
    Holt and Smith (1979), Post stratification, JRSS A 142(1). The surplus or shortfall of a stratum is measured by its Horvitz-Thompson count, whose
    variance is that of Poisson sampling: Sarndal, Swensson, Wretman (1992), Model Assisted Survey Sampling, section 3.5.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

ERROR = 1e-3
"""Probability with which covered hours may be taken for uncovered ones, over all pools."""

FEWEST = 25.0
"""Labels that a pool of hours should have: a normal bound tells none from few then."""

MOST_POOLS = 100
"""More pools would each have to fall further short to be told from chance."""

SLACK = 0.05
"""Smaller shortfalls are the odd label that was lost; weighing to the frame makes up for them."""

ALIKE = 1.96
"""Labels of one inclusion probability whose strata agree with the frame within this keep one weight, which allows the sharper bound."""

ONE_WEIGHT = 1e-9

TREATMENT = ("served", "withheld", "unasked")


@dataclass(frozen=True, slots=True)
class Frame:
    """Eligible decisions of the labelled period.

    Attributes:
        counts: Stratum -> hour (since 1970) -> how many.
    """

    counts: Mapping[str, Mapping[int, int]]

    def count(self, stratum: str, hours: Iterable[int] | None = None) -> int:
        """How many of a stratum, in these hours or in all."""
        given = self.counts.get(stratum, {})
        return sum(given.values()) if hours is None else sum(given.get(hour, 0) for hour in hours)

    @property
    def hours(self) -> list[int]:
        """All of them, rising."""
        return sorted({hour for each in self.counts.values() for hour in each})


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels as columns.

    Attributes:
        stratum: Of each. Shape (n,).
        hour: Of the decision. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).
    """

    stratum: npt.NDArray[np.str_]
    hour: IntArray
    weight: FloatArray


@dataclass(frozen=True, slots=True)
class Blind:
    """Requests that come as rows without a label.

    Attributes:
        stratum: `served` or `withheld`.
        hours: Of these hours; None: of all.
    """

    stratum: str
    hours: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What becomes of labels.

    Attributes:
        weight: Requests that each stands for; 0: it is left out. Shape (n,).
        blind: What comes without a label beside them.
        left_out: Labels by the reason why they are left out.
        notes: Sentences for the reader.
    """

    weight: FloatArray
    blind: tuple[Blind, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> int:
        """How many are used."""
        return int((self.weight > 0).sum())


def plan(labels: Labels, frame: Frame, enough: int) -> Plan:
    """Weighs labels to their frame.

    Args:
        labels: At least one.
        frame: All decisions that could have been labelled, those that were among them.
        enough: Labels from which on a part of them is used alone.

    Examples:
        Labels of 2 of 4 served answers, and none of 6 that were withheld:

        >>> frame = Frame({"served": {0: 4}, "withheld": {0: 6}})
        >>> found = plan(Labels(np.array(["served", "served"]), np.zeros(2, int), np.full(2, 5.0)), frame, 200)
        >>> found.weight.tolist(), found.blind
        ([2.0, 2.0], (Blind(stratum='withheld', hours=None),))
    """
    is_held = labels.stratum == "holdout"
    held, treated = int(is_held.sum()), int((~is_held).sum())
    if not held:
        return _treatment(labels, ~is_held, frame, enough)
    alone = np.where(is_held, labels.weight, 0.0)
    alone *= frame.count("holdout") / float(alone.sum())
    if not treated:
        return Plan(alone)
    other = _treatment(labels, ~is_held, frame, enough)
    if held >= enough and (other.blind or other.labels < held):
        note = f"{held:,} labels of holdout decisions are used: they are a sample of all requests by themselves; {treated:,} of the treatment arm are left out"
        return Plan(alone, left_out={"other_arm_labels": treated}, notes=(note,))
    if not other.blind and other.labels >= enough:
        note = f"{other.labels:,} labels of the treatment arm are used, {held:,} of holdout decisions are left out"
        return Plan(
            other.weight,
            left_out={**other.left_out, "other_arm_labels": held},
            notes=(*other.notes, note),
        )
    note = f"labels of both arms: {held:,} of holdout decisions stand for {frame.count('holdout'):,} requests, those of the treatment arm for the others"
    return Plan(alone + other.weight, other.blind, other.left_out, (*other.notes, note))


def uncovered(labels: Labels, frame: Frame) -> frozenset[int] | None:
    """Hours whose withheld answers the labels do not cover, perhaps none; None: all of them.

    Examples:
        Of 1,000 answers withheld in each of two hours, half were to be labelled, and in the first hour none was:

        >>> n = 500
        >>> late = Labels(np.array(["withheld"] * n), np.ones(n, int), np.full(n, 2.0))
        >>> sorted(uncovered(late, Frame({"withheld": {0: 1000, 1: 1000}})))
        [0]
    """
    is_withheld = labels.stratum == "withheld"
    if not frame.count("withheld"):
        return frozenset()
    if not is_withheld.any():
        return None
    shown = _Shown.of(labels)
    pools = _pools(frame, 1.0 / float(labels.weight[is_withheld].mean()))
    limit = NormalDist().inv_cdf(1.0 - ERROR / len(pools))
    blind = [pool for pool in pools if shown.is_short(frame, pool, limit)]
    hours = frozenset[int]().union(*blind)
    rest = frozenset(frame.hours) - hours
    # What falls short all over falls short in no hour by enough.
    if not rest or shown.is_short(frame, rest, NormalDist().inv_cdf(1.0 - ERROR)):
        return None
    return hours


@dataclass(frozen=True, slots=True)
class _Shown:
    """How many requests the labels of a stratum stand for, hour by hour, and their mean weight over these requests."""

    mass: Mapping[str, Mapping[int, float]]
    typical: Mapping[str, float]

    @staticmethod
    def of(labels: Labels) -> "_Shown":
        mass, typical = {}, {}
        for stratum in ("served", "withheld"):
            mine = labels.stratum == stratum
            hours, place = np.unique(labels.hour[mine], return_inverse=True)
            weight = labels.weight[mine]
            mass[stratum] = dict(zip(hours.tolist(), np.bincount(place, weights=weight).tolist(), strict=True))
            if len(weight):
                typical[stratum] = float((weight**2).sum() / weight.sum())
        return _Shown(mass, typical)

    def found(self, stratum: str, hours: Iterable[int] | None) -> float:
        given = self.mass[stratum]
        return sum(given.values()) if hours is None else sum(given.get(hour, 0.0) for hour in hours)

    def is_short(self, frame: Frame, hours: frozenset[int], limit: float) -> bool:
        """Whether labels of the withheld answers of these hours stand for fewer than chance explains."""
        response, variance = self.response(frame, hours)
        n = frame.count("withheld", hours)
        spread = n * response * max(self.typical["withheld"] - response, 0.0) + n**2 * variance
        shortfall = response * n - self.found("withheld", hours)
        return shortfall > SLACK * response * n and shortfall > limit * math.sqrt(spread)

    def response(self, frame: Frame, hours: frozenset[int]) -> tuple[float, float]:
        """The share of drawn labels that came in, as served answers show it, and its variance: all of them where none of those is labelled."""
        if "served" not in self.typical:
            return 1.0, 0.0
        typical = self.typical["served"]
        within = hours if frame.count("served", hours) / typical >= FEWEST else None
        n = max(frame.count("served", within), 1)
        response = min(self.found("served", within) / n, 1.0)
        return response, response * max(typical - response, 0.0) / n


def _pools(frame: Frame, probability: float) -> list[frozenset[int]]:
    """Hours one after the other, pooled until enough labels of withheld answers are due."""
    pools: list[list[int]] = [[]]
    due, fewest = 0.0, max(FEWEST, probability * frame.count("withheld") / MOST_POOLS)
    for hour in frame.hours:
        if due >= fewest:
            pools.append([])
            due = 0.0
        pools[-1].append(hour)
        due += probability * frame.count("withheld", frozenset({hour}))
    if due < fewest and len(pools) > 1:
        last = pools.pop()
        pools[-1] += last
    return [frozenset(pool) for pool in pools]


def _treatment(labels: Labels, inside: BoolArray, frame: Frame, enough: int) -> Plan:
    """Weighs the labels of the treatment arm; the others get no weight."""
    mine = Labels(
        np.where(inside, labels.stratum, "none"),
        labels.hour,
        labels.weight,
    )
    hours = uncovered(mine, frame)
    notes: list[str] = []
    left_out: dict[str, int] = {}
    blind: list[Blind] = []
    used = inside.copy()
    within: frozenset[int] | None = None
    covered = None if hours == frozenset() else frozenset() if hours is None else frozenset(frame.hours) - hours
    if hours:
        in_covered = inside & ~np.isin(labels.hour, list(hours))
        if in_covered.sum() >= enough:
            within, used, covered = covered, in_covered, None
            left_out["withheld_not_labelled_then"] = int(inside.sum() - used.sum())
            notes.append(
                f"answers withheld at other times were not labelled: {int(used.sum()):,} of {int(inside.sum()):,} labels are used, of the hours in "
                f"which {frame.count('withheld', within):,} of {frame.count('withheld'):,} answers were withheld"
            )
    if covered is not None:
        hidden = frame.count("withheld") - frame.count("withheld", covered)
        is_hidden = used & (labels.stratum == "withheld") & ~np.isin(labels.hour, list(covered))
        used &= ~is_hidden
        if is_hidden.any():
            left_out["withheld_not_labelled_then"] = int(is_hidden.sum())
        blind.append(Blind("withheld", hours))
        notes.append(_blind_note(frame, hidden, is_labelled=bool((mine.stratum == "withheld").any())))
    if frame.count("served", within) and not (used & (labels.stratum == "served")).any():
        blind.append(Blind("served", within))
        notes.append(
            f"no answer that was served is labelled: {frame.count('served', within):,} of them count as failures wherever a threshold serves them"
        )
    sizes = {
        name: frame.count(name, covered if name == "withheld" and covered is not None else within)
        for name in TREATMENT
        if (used & (labels.stratum == name)).any()
    }
    weight, was_weighed = _weighed(labels, used, sizes)
    if was_weighed:
        shown = ", ".join(f"{int((used & (labels.stratum == name)).sum()):,} {name}" for name in sizes)
        of_them = ", ".join(f"{n:,}" for n in sizes.values())
        notes.append(f"labels ({shown}) are weighted to the requests of their kind ({of_them})")
    return Plan(weight, tuple(blind), left_out, tuple(notes))


def _blind_note(frame: Frame, hidden: int, *, is_labelled: bool) -> str:
    served, withheld = frame.count("served"), frame.count("withheld")
    if not is_labelled:
        return (
            f"no withheld answer is labelled: the labels stand for the {served:,} answers that were served, {served / (served + withheld):.1%} of "
            "those that were judged, so a threshold below the one in force cannot be shown to be safe"
        )
    return (
        f"labels of withheld answers do not cover {hidden:,} of {withheld:,} withheld answers, too few for chance: those count as requests of "
        "which nobody knows, and as failures wherever a threshold serves them"
    )


def _weighed(labels: Labels, used: BoolArray, sizes: Mapping[str, int]) -> tuple[FloatArray, bool]:
    """Weights that make each stratum stand for its size, and whether strata came to differ by that."""
    weight = np.where(used, labels.weight, 0.0)
    if _are_one_sample(labels, used, sizes):
        return np.where(used, sum(sizes.values()) / int(used.sum()), 0.0), False
    for name, size in sizes.items():
        mine = used & (labels.stratum == name)
        weight[mine] *= size / float(weight[mine].sum())
    return weight, len(sizes) > 1


def _are_one_sample(labels: Labels, used: BoolArray, sizes: Mapping[str, int]) -> bool:
    """Labels of one inclusion probability, spread over the strata as chance spreads them."""
    drawn = labels.weight[used]
    if not len(drawn) or np.ptp(drawn) > ONE_WEIGHT * float(drawn.max()):
        return False
    share = len(drawn) / max(sum(sizes.values()), 1)
    return all(_is_due(int((used & (labels.stratum == name)).sum()), size, share) for name, size in sizes.items())


def _is_due(found: int, size: int, share: float) -> bool:
    return abs(found - share * size) <= ALIKE * math.sqrt(size * share * max(1.0 - share, 0.0)) + ONE_WEIGHT * size


def frame_of(rows: Iterable[tuple[str, int, int]]) -> Frame:
    """A frame of rows stratum, hour, how many.

    Examples:
        >>> frame_of([("served", 0, 3), ("served", 1, 4)]).count("served")
        7
    """
    found: dict[str, dict[int, int]] = {}
    for stratum, hour, n in rows:
        found.setdefault(stratum, {})[hour] = n
    return Frame(found)
