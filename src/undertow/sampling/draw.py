"""Draws of decisions, as a pure function of the rates in force and of the decision's id.

    u        uniform(salt, decision_id) in [0, 1)
    p        min(1, largest base rate + largest extra rate) over the entries that match
    chosen   u < p; by the plain sample where u < base, else by steering alone

Nothing is stored and nothing is random at the time of drawing, so whoever has the log and the salt can draw again and see the same.
Since one number decides for base and extra rate alike, the plain sample is the same whether steering is at work or not; and since it
decides for both purposes, whatever is drawn at the lower rate is drawn at the higher one too: what people review has a second answer
to be set beside it, and what a judge compares is checked by people. Serving path: microseconds, whatever the number of entries, and no
heavy import.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from undertow.records.sampling import EXTRA, UNDIVIDED, Drawn, Purpose, SampleRate, SamplingRates, StratumKind

_MANTISSA_BITS = 53
_SCALE = 2.0**-_MANTISSA_BITS
_KEY_BYTES = 64
_PERSON = b"undertow.draw"
"""Sets these numbers apart from others that are made of the same ids and salt."""

Rate = tuple[float, float, float, float]
"""Base rates for review and shadow, then their extra rates."""

NO_RATE: Rate = (0.0, 0.0, 0.0, 0.0)
_STRATA: tuple[StratumKind, ...] = ("common", "tail")


def uniform(salt: str, decision_id: str) -> float:
    """The number that decides the draws of a decision: BLAKE2b, keyed with the salt, of its id.

    Args:
        salt: `SamplingRates.salt`; its UTF-8 is the key, or, where that is longer than 64 bytes, its own BLAKE2b is.
        decision_id: The decision.

    Returns:
        A number in [0, 1): the first 53 bits of an 8-byte digest.

    References:
        Saarinen and Aumasson (2015), RFC 7693.

    Examples:
        >>> round(uniform("undertow", "d-1"), 6)
        0.654293
    """
    digest = blake2b(decision_id.encode(), digest_size=8, key=_key(salt), person=_PERSON).digest()
    return (int.from_bytes(digest) >> (64 - _MANTISSA_BITS)) * _SCALE


def draw(
    rates: SamplingRates,
    *,
    decision_id: str,
    tier: str,
    segment: Mapping[str, str],
    score: float,
    for_review: bool = True,
    for_shadow: bool = True,
) -> tuple[Drawn, ...]:
    """Draw one decision; see `CompiledRates.draw`, which is quicker for many.

    Examples:
        >>> rates = SamplingRates(rates=(SampleRate(tier="cheap", review=0.5), SampleRate(tier="cheap", segment="intent=fraud", review=1.0)))
        >>> draw(rates, decision_id="d-1", tier="cheap", segment={"intent": "fraud"}, score=0.9)
        (Drawn(purpose='review', stratum='whole', inclusion_probability=1.0, chosen=True),)
    """
    compiled = CompiledRates(rates)
    return compiled.draw(
        compiled.number(decision_id), tier, segment, score, for_review=for_review, for_shadow=for_shadow
    )


class CompiledRates:
    """Rates made ready for drawing: by tier and stratum, then by label.

    Rates outside [0, 1] count as the nearer end. A decision that bears a label of `never_shadow` is not drawn for shadow at all.

    Args:
        rates: What the keeper wrote.

    Examples:
        >>> compiled = CompiledRates(SamplingRates(tail_cuts={"cheap": 0.4}, rates=(
        ...     SampleRate(tier="cheap", review=0.1), SampleRate(tier="cheap", stratum="tail", review=0.2, review_extra=0.8))))
        >>> [drawn.stratum for drawn in compiled.draw(compiled.number("d-3"), "cheap", {}, 0.5, for_review=True, for_shadow=True)]
        ['tail+']
    """

    __slots__ = ("_base", "_cuts", "_has_never", "_highest", "_never", "_suffix", "_tiers", "rates")

    def __init__(self, rates: SamplingRates) -> None:
        self.rates = rates
        self._cuts = dict(rates.tail_cuts)
        self._never = frozenset(rates.never_shadow)
        self._has_never = bool(self._never)
        self._suffix = f"@{rates.design}" if rates.design > 1 else ""
        self._tiers: dict[str, dict[StratumKind, dict[str, Rate]]] = {}
        self._base = blake2b(digest_size=8, key=_key(rates.salt), person=_PERSON)
        for entry in rates.rates:
            strata = self._tiers.setdefault(entry.tier, {"common": {}, "tail": {}})
            for stratum in (entry.stratum,) if entry.stratum else _STRATA:
                by_label = strata[stratum]
                by_label[entry.segment] = _larger(by_label.get(entry.segment, NO_RATE), _rate(entry))
        self._highest = _highest(self._tiers.values())

    def number(self, decision_id: str) -> float:
        """As `uniform`; the keyed state is copied, which takes half as long as making it."""
        state = self._base.copy()
        state.update(decision_id.encode())
        return (int.from_bytes(state.digest()) >> (64 - _MANTISSA_BITS)) * _SCALE

    def may_choose(self, number: float) -> bool:
        """Whether a decision could be chosen for anything, whatever serves it: known before it is answered.

        Most cannot, and need no text to be collected.
        """
        return number < self._highest

    def draw(
        self,
        number: float,
        tier: str,
        segment: Mapping[str, str],
        score: float,
        *,
        for_review: bool,
        for_shadow: bool,
    ) -> tuple[Drawn, ...]:
        """Draw one decision.

        Args:
            number: As `number` gives it.
            tier: Tier that served it.
            segment: Its labels.
            score: Its long-tail score, in [0, 1].
            for_review: It can be reviewed.
            for_shadow: It can be answered a second time.

        Returns:
            A draw for each purpose for which its probability is above 0, chosen or not. Of a tier that is not divided yet the stratum
            is `whole`: what is drawn from all of it is no part of either.
        """
        strata = self._tiers.get(tier)
        if strata is None:
            return ()
        cut = self._cuts.get(tier)
        stratum: StratumKind = "tail" if cut is not None and score >= cut else "common"
        by_label = strata[stratum]
        whole = by_label.get("", NO_RATE)
        found: list[tuple[str, Rate]] | None = None
        if segment and (len(by_label) > 1 or self._has_never):
            labels = [f"{key}={value}" for key, value in segment.items()]
            found = [(label, rate) for label in labels if (rate := by_label.get(label)) is not None]
            if self._has_never and for_shadow and not self._never.isdisjoint(labels):
                for_shadow = False
        drawn = ()
        # Undivided is undivided, however the other tiers were cut anew.
        name = UNDIVIDED if cut is None else stratum + self._suffix
        if for_review and (one := self._drawn("review", 0, number, name, whole, found)) is not None:
            drawn = (one,)
        if for_shadow and (one := self._drawn("shadow", 1, number, name, whole, found)) is not None:
            drawn = (*drawn, one)
        return drawn

    def _drawn(
        self,
        purpose: Purpose,
        place: int,
        number: float,
        stratum: str,
        whole: Rate,
        found: list[tuple[str, Rate]] | None,
    ) -> Drawn | None:
        base, extra, steered_to = whole[place], whole[place + 2], ""
        if found:
            for label, rate in found:
                base = max(base, rate[place])
                # In order of the labels where two are alike, so that the order in which a caller sent them changes nothing.
                if rate[place + 2] > extra or (rate[place + 2] == extra and label < steered_to):
                    extra, steered_to = rate[place + 2], label
        probability = base + extra
        if probability <= 0.0:
            return None
        probability = min(probability, 1.0)
        if base <= number < probability:
            stratum = f"{stratum}{EXTRA}{steered_to}"
        return Drawn(purpose, stratum, probability, number < probability)


def _key(salt: str) -> bytes:
    key = salt.encode()
    return key if len(key) <= _KEY_BYTES else blake2b(key).digest()


def _rate(entry: SampleRate) -> Rate:
    review, shadow = _share(entry.review), _share(entry.shadow)
    return review, shadow, _share(entry.review_extra), _share(entry.shadow_extra)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _larger(one: Rate, other: Rate) -> Rate:
    return (
        max(one[0], other[0]),
        max(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _highest(tiers: Iterable[Mapping[StratumKind, Mapping[str, Rate]]]) -> float:
    """Most that any decision's probability can be, for whatever purpose."""
    most = NO_RATE
    for strata in tiers:
        for by_label in strata.values():
            for rate in by_label.values():
                most = _larger(most, rate)
    return max(most[0] + most[2], most[1] + most[3])
