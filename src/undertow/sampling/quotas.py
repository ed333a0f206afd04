"""Where reviews and second answers are spent: from what people and money allow a day, and what traffic there is, to rates.

Reviews: a share for the cheaper tiers, of which most go to the long tail; a least number for each tier and segment, so that none is
blind; more where the stakes are higher. Second answers: as many as asked for and as the budget pays, half of them in the long tail.
Where something is suspected, most of a day's reviews go there, by extra rates.

A decision bears several labels, and the largest rate among its entries holds, so how many will be drawn depends on how labels go
together, which nobody counts. What is held within the daily number is therefore an upper bound of the expectation: each label's
surplus over its tier's rate, added up.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import msgspec

from undertow.records.sampling import SampleRate, SamplingRates, StratumKind
from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.sampling.initial import INITIAL_REVIEW

STRATA: tuple[StratumKind, ...] = ("tail", "common")
STEERED = 0.7
"""Share of a day's reviews that goes to one place where nothing says how much it deserves."""
MOST_STEERED = 0.8
"""Share that all places together may have: the rest stays a sample of everything (`undertow.sampling.steering.FOCUS`)."""
SHADOW_TAIL = 0.6
"""Share of the second answers for the long tail: with a fifth of the traffic there, it is drawn six times as often as the rest. Measured best
of .2 to .8 (benchmarks/detection/alternatives.py)."""
HEADROOM = 0.9
"""Of a budget, is planned for: prices of answers differ, and one that is not asked for has no known reason."""
LEAST_OF_MEAN = 0.1
"""No decision is drawn for review less often than this share of the mean rate: every cell stays in sight."""
_HALVINGS = 60
_DIGITS = 4
_NO_DIGITS = 1e-12


@dataclass(frozen=True, slots=True)
class Volume:
    """Decisions a day of one cell.

    Attributes:
        tier: Tier that served.
        segment: `key=value` label; empty: all of the tier.
        stratum: Of the long tail or not.
        per_day: How many, at least 0; a decision counts once in each of its labels.
    """

    tier: str
    segment: str
    stratum: StratumKind
    per_day: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A place that warnings point to.

    Attributes:
        tier: Tier that served.
        segment: `key=value` label; empty: all of the tier.
        stratum: Empty: both.
        share: Of a day's reviews that it deserves, in (0, 1].
    """

    tier: str
    segment: str = ""
    stratum: Literal["tail", "common", ""] = ""
    share: float = STEERED


@dataclass(slots=True)
class _Cells:
    """Volumes by tier and segment, then by stratum, in order of their names."""

    by_place: dict[tuple[str, str], dict[StratumKind, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, volumes: Iterable[Volume]) -> "_Cells":
        cells = cls()
        for volume in sorted(volumes, key=lambda each: (each.tier, each.segment, each.stratum)):
            place = cells.by_place.setdefault((volume.tier, volume.segment), dict.fromkeys(STRATA, 0.0))
            place[volume.stratum] += max(volume.per_day, 0.0)
        return cells

    def whole(self, tier: str) -> dict[StratumKind, float]:
        return self.by_place.get((tier, ""), dict.fromkeys(STRATA, 0.0))

    def total(self, tiers: Iterable[str]) -> float:
        return sum(sum(self.whole(tier).values()) for tier in tiers)

    def labels(self, tier: str) -> list[tuple[str, dict[StratumKind, float]]]:
        return [(segment, cell) for (of, segment), cell in self.by_place.items() if of == tier and segment]


_Rates = dict[tuple[str, str], dict[StratumKind, float]]
"""By tier and segment, then by stratum."""


def plan_rates(
    review: ReviewPlan,
    shadow: ShadowPlan,
    volumes: Iterable[Volume],
    *,
    tiers: Sequence[str],
    capable_usd: float | None = None,
    tail_cuts: Mapping[str, float] | None = None,
    salt: str = "undertow",
    design: int = 1,
    suspects: Sequence[Suspect] = (),
    at: str = "",
) -> SamplingRates:
    """Rates for the days to come.

    Args:
        review: Reviews a day and how they are spent. Multipliers of `stakes` below 1 change nothing, as the largest rate holds.
        shadow: Second answers.
        volumes: What was measured; of each tier as a whole (segment empty), of the labels that are to have a least number, and of
            those of `review.stakes`.
        tiers: All tiers, cheapest first; the last one is the capable tier.
        capable_usd: Mean cost of one answer of the capable tier, USD, or None: unknown, so that `shadow.share` alone holds.
        tail_cuts: As in `SamplingRates`: the cuts that `volumes` were counted by.
        salt: As in `SamplingRates`.
        design: As in `SamplingRates`.
        suspects: Where most of a day's reviews are to go; they must come from the past alone.
        at: Now, RFC 3339.

    Returns:
        Rates by which at most `review.per_day` reviews are expected a day, or as many as the least numbers take, if those
        are more (its `reasons` say so). Every decision has a probability above 0 of being reviewed, if any has; one whose tier was not
        seen yet that of `INITIAL_REVIEW`.

    Examples:
        >>> day = [Volume("cheap", "", "tail", 2000), Volume("cheap", "", "common", 8000), Volume("capable", "", "common", 5000)]
        >>> rates = plan_rates(ReviewPlan(per_day=200), ShadowPlan(share=0.02), day, tiers=("cheap", "capable"))
        >>> [(rate.tier, rate.stratum, rate.review, rate.shadow) for rate in rates.rates]
        [('cheap', 'tail', 0.042, 0.06), ('cheap', 'common', 0.007, 0.01), ('capable', '', 0.012, 0.0)]
    """
    cells = _Cells.of(volumes)
    reasons: list[str] = []
    reviews, extras = _reviews(review, cells, tiers, suspects, reasons)
    # Second answers for what is steered to come first: they are what the suspicion is settled by.
    steered = _expected({place: rates for place, rates in extras.items() if place[0] != tiers[-1]}, cells)
    affordable = _affordable(shadow, capable_usd)
    spare, part = max(affordable - steered, 0.0), min(1.0, affordable / steered) if steered > 0 else 1.0
    shadows = _shadows(shadow, cells, tiers[:-1], spare, reasons)
    if shadows:
        # What people review is answered a second time, so that they see both answers: one number draws for both.
        cheap = {place: rates for place, rates in reviews.items() if place[0] != tiers[-1]}
        shadows = _with_reviews(shadows, cheap, cells, spare, reasons)
    places = dict.fromkeys((*((tier, "") for tier in tiers), *reviews, *shadows, *extras))
    entries = []
    for tier, segment in places:
        for stratum in STRATA:
            reviewed, asked, extra = (
                rates.get((tier, segment), {}).get(stratum, 0.0) for rates in (reviews, shadows, extras)
            )
            is_asked = bool(shadows) and tier != tiers[-1]
            entries.append(
                SampleRate(
                    tier=tier,
                    segment=segment,
                    stratum=stratum,
                    review=reviewed,
                    shadow=asked,
                    review_extra=extra,
                    shadow_extra=_down(part * extra) if is_asked else 0.0,
                )
            )
    rates = SamplingRates(
        salt=salt,
        design=design,
        tail_cuts=dict(sorted((tail_cuts or {}).items())),
        rates=tuple(_joined(entries)),
        never_shadow=shadow.never,
    )
    return msgspec.structs.replace(rates, version=version_of(rates), at=at, reasons=tuple(reasons))


def version_of(rates: SamplingRates) -> str:
    """Short hash of all of the rates but their version, time and reasons: equal rates are one version.

    Examples:
        >>> version_of(SamplingRates(at="2026-03-01T00:00:00Z")) == version_of(SamplingRates(reasons=("because",)))
        True
    """
    document = msgspec.json.encode(msgspec.structs.replace(rates, version="", at="", reasons=()), order="deterministic")
    return blake2b(document, digest_size=6).hexdigest()


def most_reviews(rates: SamplingRates, volumes: Iterable[Volume]) -> float:
    """Upper bound of the reviews a day that are expected under some rates, extra ones included; see the module's docstring."""
    cells = _Cells.of(volumes)
    base: _Rates = {}
    extra: _Rates = {}
    for entry in rates.rates:
        for into, rate in ((base, entry.review), (extra, entry.review_extra)):
            place = into.setdefault((entry.tier, entry.segment), dict.fromkeys(STRATA, 0.0))
            for stratum in (entry.stratum,) if entry.stratum else STRATA:
                place[stratum] = max(place[stratum], rate)
    return _most(base, cells) + _expected(extra, cells)


# -- reviews


def _reviews(
    review: ReviewPlan, cells: _Cells, tiers: Sequence[str], suspects: Sequence[Suspect], reasons: list[str]
) -> tuple[_Rates, _Rates]:
    """Base and extra rates."""
    if review.per_day <= 0:
        return {}, {}
    seen = [tier for tier in tiers if cells.total([tier]) > 0]
    unseen = {(tier, ""): dict.fromkeys(STRATA, INITIAL_REVIEW) for tier in tiers if tier not in seen}
    if not seen:
        reasons.append("reviews: nothing was served yet, so every decision has the same small rate")
        return unseen, {}
    quotas = _review_quotas(review, cells, seen, tiers[-1])
    least = LEAST_OF_MEAN * review.per_day / cells.total(seen)

    def at(scale: float) -> _Rates:
        rates: _Rates = {}
        for tier in seen:
            rates |= _rates_of_tier(review, cells, tier, {s: scale * max(quotas[tier, s], least) for s in STRATA})
        return rates

    floors = _most(at(0.0), cells)
    most = min(MOST_STEERED * review.per_day, max(review.per_day - floors, 0.0))
    extras = _extras(review.per_day, most, cells, suspects, reasons)
    rates = at(_largest(lambda scale: _most(at(scale), cells), review.per_day - _expected(extras, cells)))
    if floors > review.per_day:
        reasons.append(
            f"reviews: {review.min_per_segment} a day for each tier and segment take {floors:.0f} of {review.per_day} a day;"
            " lower min_per_segment, or name fewer segments"
        )
    else:
        reasons.append(
            f"reviews: at most {_most(rates, cells):.0f} of {review.per_day} a day are expected as the plain sample"
        )
    return rates | unseen, extras


def _review_quotas(
    review: ReviewPlan, cells: _Cells, seen: Sequence[str], capable: str
) -> dict[tuple[str, StratumKind], float]:
    """Rates that would spend a day's reviews as the shares say, before any bound: may be above 1."""
    cheap = [tier for tier in seen if tier != capable]
    share = 1.0 if capable not in seen else review.cheap_share if cheap else 0.0
    quotas: dict[tuple[str, StratumKind], float] = {}
    for tiers, part, tail_share in (
        (cheap, share, review.tail_share),
        ([tier for tier in seen if tier == capable], 1.0 - share, None),
    ):
        volume = {stratum: sum(cells.whole(tier)[stratum] for tier in tiers) for stratum in STRATA}
        reviews = part * review.per_day
        whole = sum(volume.values())
        for stratum in STRATA:
            if tail_share is None or min(volume.values()) <= 0:
                rate = reviews / whole if whole > 0 else 0.0
            else:
                rate = reviews * (tail_share if stratum == "tail" else 1.0 - tail_share) / volume[stratum]
            quotas |= {(tier, stratum): rate for tier in tiers}
    return quotas


def _rates_of_tier(
    review: ReviewPlan, cells: _Cells, tier: str, wanted: Mapping[StratumKind, float]
) -> _Rates:  # fmt: skip
    """Rates of a tier and its labels: what is wanted, raised to the least numbers, and by stakes."""
    volume = cells.whole(tier)
    plain = _raised({stratum: _down(rate) for stratum, rate in wanted.items()}, volume, review.min_per_segment)
    rates: _Rates = {(tier, ""): plain}
    labelled = dict(cells.labels(tier))
    for label in dict.fromkeys((*labelled, *review.stakes)):
        stake = max(review.stakes.get(label, 1.0), 1.0)
        own = {stratum: _down(stake * rate) for stratum, rate in plain.items()}
        if label in labelled:
            own = _raised(own, labelled[label], review.min_per_segment)
        if own != plain:
            rates[tier, label] = own
    return rates


def _raised(
    rates: dict[StratumKind, float], volume: Mapping[StratumKind, float], least: float
) -> dict[StratumKind, float]:
    """Rates at which at least so many are expected, the lower ones raised first; all of them where there are not as many."""
    if sum(volume[stratum] * rates[stratum] for stratum in STRATA) >= least:
        return rates
    low, high = sorted(STRATA, key=lambda stratum: rates[stratum])
    if volume[low] > 0:
        level = (least - volume[high] * rates[high]) / volume[low]
        if level <= rates[high]:
            return {low: _up(level), high: rates[high]}
    whole = sum(volume.values())
    level = _up(least / whole) if whole > 0 else 1.0
    return {stratum: max(level, rates[stratum]) if whole > 0 else rates[stratum] for stratum in STRATA}


def _extras(per_day: float, most: float, cells: _Cells, suspects: Sequence[Suspect], reasons: list[str]) -> _Rates:
    """Extra rates for what is suspected: each its share of a day's reviews, all of them `most` at most, or all decisions there if they are fewer."""
    sought = [suspect for suspect in dict.fromkeys(suspects) if _in(suspect, cells) > 0 and suspect.share > 0]
    wanted = per_day * sum(suspect.share for suspect in sought)
    scale = min(1.0, most / wanted) if wanted > 0 else 0.0
    extras: _Rates = {}
    for suspect in sought if scale > 0 else ():
        rate = min(_down(scale * suspect.share * per_day / _in(suspect, cells)), 1.0)
        place = extras.setdefault((suspect.tier, suspect.segment), dict.fromkeys(STRATA, 0.0))
        for stratum in (suspect.stratum,) if suspect.stratum else STRATA:
            place[stratum] = max(place[stratum], rate)
        where = " ".join(filter(None, (suspect.tier, suspect.segment, suspect.stratum)))
        reasons.append(f"reviews: {rate * _in(suspect, cells):.0f} a day go to {where}, where a warning points")
    return extras


def _in(suspect: Suspect, cells: _Cells) -> float:
    cell = cells.by_place.get((suspect.tier, suspect.segment), {})
    return sum(volume for stratum, volume in cell.items() if suspect.stratum in ("", stratum))


# -- second answers


def _shadows(
    shadow: ShadowPlan, cells: _Cells, cheap: Sequence[str], most: float, reasons: list[str]
) -> _Rates:  # fmt: skip
    if shadow.share <= 0 or shadow.budget_usd_day <= 0:
        return {}
    seen = [tier for tier in cheap if cells.total([tier]) > 0]
    rates: _Rates = {(tier, ""): dict.fromkeys(STRATA, min(shadow.share, 1.0)) for tier in cheap if tier not in seen}
    if not seen:
        return rates
    whole = cells.total(seen)
    answers = shadow.share * whole
    if answers > most:
        answers = most
        reasons.append(
            f"second answers: {answers:.0f} a day instead of {shadow.share * whole:.0f}, for ${shadow.budget_usd_day:.2f} a day"
            " pay no more"
        )
    volume = {stratum: sum(cells.whole(tier)[stratum] for tier in seen) for stratum in STRATA}
    part = {"tail": SHADOW_TAIL, "common": 1.0 - SHADOW_TAIL}
    if min(volume.values()) <= 0:
        part = dict.fromkeys(STRATA, 1.0)
    wanted = {s: answers * part[s] / volume[s] if volume[s] > 0 else answers / whole for s in STRATA}

    def at(scale: float) -> _Rates:
        return {(tier, ""): {s: _down(scale * wanted[s]) for s in STRATA} for tier in seen}

    return rates | at(_largest(lambda scale: _most(at(scale), cells), answers))


def _affordable(shadow: ShadowPlan, capable_usd: float | None) -> float:
    """Second answers a day that the budget pays; without a price, as many as are asked for."""
    return HEADROOM * shadow.budget_usd_day / capable_usd if capable_usd is not None and capable_usd > 0 else math.inf


def _with_reviews(shadows: _Rates, reviews: _Rates, cells: _Cells, most: float, reasons: list[str]) -> _Rates:
    """Rates for second answers that are nowhere below those for reviews, as far as the budget goes: reviewed answers come first."""

    def at(of_shadows: float, of_reviews: float) -> _Rates:
        return {
            place: {
                stratum: max(
                    _down(of_shadows * shadows.get(place, shadows.get((place[0], ""), {})).get(stratum, 0.0)),
                    _down(of_reviews * reviews.get(place, {}).get(stratum, 0.0)),
                )
                for stratum in STRATA
            }
            for place in dict.fromkeys((*shadows, *reviews))
        }

    if _most(at(1.0, 1.0), cells) <= most:
        return at(1.0, 1.0)
    if _most(at(0.0, 1.0), cells) <= most:
        return at(min(1.0, _largest(lambda scale: _most(at(min(scale, 1.0), 1.0), cells), most)), 1.0)
    reasons.append("second answers: the budget pays for fewer than are reviewed, so some reviews show one answer only")
    return at(0.0, min(1.0, _largest(lambda scale: _most(at(0.0, min(scale, 1.0)), cells), most)))


# -- how many


def _expected(rates: _Rates, cells: _Cells) -> float:
    """Drawn a day if rates of different places added up."""
    return sum(
        cells.by_place.get(place, {}).get(stratum, 0.0) * rate
        for place, by_stratum in rates.items()
        for stratum, rate in by_stratum.items()
    )


def _most(rates: _Rates, cells: _Cells) -> float:
    """Upper bound of those drawn a day, as the largest rate of a decision's entries holds."""
    total = 0.0
    for (tier, segment), cell in cells.by_place.items():
        plain = rates.get((tier, ""), {})
        own = rates.get((tier, segment), {})
        for stratum, volume in cell.items():
            rate, whole = own.get(stratum, 0.0), plain.get(stratum, 0.0)
            total += volume * (rate if not segment else max(rate - whole, 0.0))
    return total


def _largest(expected: Callable[[float], float], most: float) -> float:
    """The largest scale, within rounding, at which no more than `most` are expected; `expected` never falls."""
    low, high = 0.0, 1.0
    while expected(high) <= most:
        low, high = high, 2.0 * high
        if high > 1e12:  # every rate is 1 by now
            return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if expected(middle) <= most:
            low = middle
        else:
            high = middle
    return low


def _down(rate: float) -> float:
    """A probability of four digits, which are enough and keep records short; never more than was meant, nor than 1."""
    return _rounded(rate, math.floor)


def _up(rate: float) -> float:
    return _rounded(rate, math.ceil)


def _rounded(rate: float, towards: Callable[[float], int]) -> float:
    if rate >= 1.0:
        return 1.0
    if rate < _NO_DIGITS:
        return max(rate, 0.0)
    places = _DIGITS - 1 - math.floor(math.log10(rate))
    # The last digits of a double are no digits of the rate.
    return towards(round(rate * 10.0**places, 6)) / 10.0**places


def _joined(entries: Iterable[SampleRate]) -> Iterable[SampleRate]:
    """Entries with something in them; those of both strata as one where they are alike."""
    pairs = iter(entries)
    for tail, common in zip(pairs, pairs, strict=True):
        alike = msgspec.structs.replace(tail, stratum="")
        found = (alike,) if alike == msgspec.structs.replace(common, stratum="") else (tail, common)
        for entry in found:
            if entry.review or entry.shadow or entry.review_extra or entry.shadow_extra:
                yield entry
