"""The rates by which a worker draws decisions: the store's file, as the keeper last wrote it, within what the plan allows."""

import logging
from pathlib import Path

import msgspec

from undertow.records.sampling import SAMPLING_SCHEMA, SampleRate, SamplingRates
from undertow.records.serving import ServingPlan
from undertow.records.unreadable import UNREADABLE
from undertow.sampling.draw import CompiledRates
from undertow.sampling.initial import initial_rates

log = logging.getLogger("undertow.gateway")

LOOK_AGAIN_S = 5.0
"""New rates are in force after so long at the latest, in every worker."""


class SamplingFile:
    """Rates in force; called, it gives them, or None where nothing is to be drawn.

    Until the keeper has written a file, the plan's own rates hold; one that cannot be read, or is gone after it was there, changes
    nothing. What the plan forbids is never drawn, whatever the file says.

    Args:
        path: The keeper's file; it may come and change.
        plan: What is served.

    Examples:
        >>> from undertow.records.serving import PolicyPlan, ReviewPlan, TierPlan
        >>> tiers = tuple(TierPlan(name=name, model=name, endpoints=()) for name in ("cheap", "capable"))
        >>> policies = (PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")),)
        >>> SamplingFile(Path("nowhere"), ServingPlan(tiers=tiers, policies=policies))() is None
        True
        >>> drawing = SamplingFile(Path("nowhere"), ServingPlan(tiers=tiers, policies=policies, review=ReviewPlan(per_day=200)))
        >>> [rate.review for rate in drawing().rates.rates]
        [0.005, 0.005]
    """

    def __init__(self, path: Path, plan: ServingPlan) -> None:
        self._path = path
        self._plan = plan
        self._reviews = plan.review.per_day > 0
        self._shadows = plan.shadow.share > 0 and plan.shadow.budget_usd_day > 0
        self._looked_s = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._has_complained = False
        self._compiled = self._ready(initial_rates(plan.review, plan.shadow, [tier.name for tier in plan.tiers]))

    def __call__(self) -> CompiledRates | None:
        """The rates in force."""
        return self._compiled

    def refresh(self, now_s: float) -> None:
        """Look at the file if it is time to, and read it if it has changed."""
        if not (self._reviews or self._shadows) or now_s - self._looked_s < LOOK_AGAIN_S:
            return
        self._looked_s = now_s
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return
            self._seen = seen
            rates = msgspec.json.decode(self._path.read_bytes(), type=SamplingRates)
        except FileNotFoundError:
            return
        except (OSError, *UNREADABLE):
            self._complain("it cannot be read")
            return
        if rates.schema != SAMPLING_SCHEMA:
            self._complain(f"it is not of schema {SAMPLING_SCHEMA}")
            return
        self._has_complained = False
        self._compiled = self._ready(rates)

    def _ready(self, rates: SamplingRates) -> CompiledRates | None:
        allowed = tuple(found for entry in rates.rates if (found := self._allowed(entry)) is not None)
        if not allowed:
            return None
        never = dict.fromkeys((*rates.never_shadow, *self._plan.shadow.never))
        return CompiledRates(msgspec.structs.replace(rates, rates=allowed, never_shadow=tuple(never)))

    def _allowed(self, entry: SampleRate) -> SampleRate | None:
        if not self._reviews:
            entry = msgspec.structs.replace(entry, review=0.0, review_extra=0.0)
        if not self._shadows:
            entry = msgspec.structs.replace(entry, shadow=0.0, shadow_extra=0.0)
        is_any = entry.review or entry.review_extra or entry.shadow or entry.shadow_extra
        return entry if is_any else None

    def _complain(self, why: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning("sampling_rates_unreadable", extra={"path": str(self._path), "why": why})
