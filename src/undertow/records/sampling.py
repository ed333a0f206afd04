"""Rates at which decisions are drawn for shadow answers and reviews, as the keeper writes them and the workers read them; and draws.

A draw is a pure function of the rates in force and of the decision (`undertow.sampling.draw`), so anybody who has the log can draw
again and see the same. Base rates change seldom; *extra* rates are what steering adds where something looks wrong. A decision that was
drawn only because of an extra rate is marked (its stratum goes on with `+` and the label that was steered to, as in
`tail+intent=billing`), so the plain sample stays one with base rates: it alone describes the tier and all other labels.
"""

from typing import Literal

import msgspec

SAMPLING_SCHEMA = "undertow.sampling/1"
EXTRA = "+"
"""Stands in the stratum of a decision that was drawn by an extra rate alone, before the label of that rate's entry (nothing, where that
entry is for a whole tier)."""

UNDIVIDED = "whole"
"""Stratum of what is drawn from a tier for which no long tail is known yet: labels of it are of both strata in unknown parts."""

Purpose = Literal["review", "shadow"]
StratumKind = Literal["tail", "common"]


class SampleRate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rates for some decisions. Of all entries that match a decision the largest base and the largest extra rate hold.

    Attributes:
        tier: Tier that served.
        segment: `key=value` label that it must bear; empty: any.
        stratum: Its stratum; empty: either.
        review, shadow: Base probability in [0, 1] of being drawn.
        review_extra, shadow_extra: Probability that steering adds to it.
    """

    tier: str
    segment: str = ""
    stratum: Literal["tail", "common", ""] = ""
    review: float = 0.0
    shadow: float = 0.0
    review_extra: float = 0.0
    shadow_extra: float = 0.0


class SamplingRates(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/sampling.json` of a store.

    Attributes:
        schema: Version of this document.
        version: Short hash of all that follows but `at` and `reasons`.
        at: When it was made, RFC 3339.
        salt: Begins the hash by which is drawn; kept for the life of a store.
        design: Number of this division into strata, from 1; a new cut is a new design, whose strata have names of their own.
        tail_cuts: By tier, the long-tail score (`undertow.sampling.long_tail`) from which a decision is in the long tail.
        rates: Entries.
        never_shadow: `key=value` labels whose decisions are never sent a second time.
        reasons: Why the rates are as they are, a sentence each, for people.
    """

    schema: str = SAMPLING_SCHEMA
    version: str = ""
    at: str = ""
    salt: str = "undertow"
    design: int = 1
    tail_cuts: dict[str, float] = {}
    rates: tuple[SampleRate, ...] = ()
    never_shadow: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Drawn(msgspec.Struct, frozen=True, gc=False):
    """One draw of a decision, as it stands in the record's column `draws`; all fields are always written.

    Attributes:
        purpose: What for.
        stratum: `tail` or `common` (`whole` where its tier is not divided yet), with `@N` for design N > 1, and `+LABEL` where only
            an extra rate drew it, LABEL being the segment of that rate's entry.
        inclusion_probability: With which it was drawn, extra rate included, in (0, 1].
        chosen: Whether it was.
    """

    purpose: Purpose
    stratum: str
    inclusion_probability: float
    chosen: bool
