"""One tier for everything."""

from dataclasses import dataclass

from undertow.policies.base import Setting, Steps, ask_upwards
from undertow.policies.holdout import serve_constrained, serve_holdout
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import RequestFacts


@dataclass(slots=True)
class FixedPolicy:
    """Serve from the tier it names; the next dearer one that can be used where constraints took that away.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Hash of its settings.
        tiers: All its tiers, cheapest first.
        tier: The one it names.
        needs: Nothing of an answer: it is not judged.
    """

    name: str
    version: str
    tiers: tuple[str, ...]
    tier: str
    needs: Evidence = NO_EVIDENCE

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:  # noqa: ARG002 (what is asked does not matter)
        """Start one decision."""
        chosen = self._usable(setting.tiers)
        if not setting.eligible:
            # Not `constraint` where nothing was changed by one: the tier it names is the tier that answers.
            if chosen == self.tier:
                yield from ask_upwards(setting.tiers[setting.tiers.index(chosen) :], "fixed")
            else:
                yield from serve_constrained(setting)
            return
        is_capable = chosen == setting.tiers[-1]
        if setting.is_holdout:
            yield from serve_holdout(setting, 1.0 if is_capable else 1.0 - setting.treatment_probability)
            return
        yield from ask_upwards(
            setting.tiers[setting.tiers.index(chosen) :],
            "fixed" if chosen == self.tier else "constraint",
            propensity=1.0 if is_capable else setting.treatment_probability,
        )

    def _usable(self, usable: tuple[str, ...]) -> str:
        """The cheapest usable tier that is no cheaper than the named one; the dearest usable one where there is none."""
        dear_enough = self.tiers[self.tiers.index(self.tier) :] if self.tier in self.tiers else (self.tier,)
        return next((tier for tier in usable if tier in dear_enough), usable[-1])
