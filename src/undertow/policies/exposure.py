"""What the restrictions in force do to one request: whether its unit is exposed to the policy, and how much more confidence it needs.

    exposure   the smallest of all restrictions that match the request; its unit is exposed if `uniform(salt, unit, "rollout")` lies below it
    raise      the largest of them

The number of a unit is the same forever, so whoever is exposed at 10 % still is at 25 %, and whoever is taken off at 5 % comes back first. A
restriction only takes requests off cheaper tiers: there is none that could bring one there.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from undertow.policies.base import Policy, Setting, Steps, ask_upwards
from undertow.records.guard import PolicyControls, Restriction
from undertow.records.request import RequestFacts


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """What holds for one request.

    Attributes:
        is_exposed: The policy decides; else the capable tier answers.
        exposure: Probability of that over units, in [0, 1].
        raised_by: Added to the confidence that a cheap answer needs, in [0, 1].
        reason: Reason in the log of those that are not exposed.
    """

    is_exposed: bool = True
    exposure: float = 1.0
    raised_by: float = 0.0
    reason: str = "not_exposed"


OPEN = Exposure()
"""Nothing restricts the request."""


class Restrictions(msgspec.Struct, frozen=True, gc=False):
    """All restrictions of one policy, ready to be asked; made by `compiled`.

    Attributes:
        whole: What holds for every request.
        by_label: By `key=value`: what holds for requests with that label beside it.

    Examples:
        >>> rules = compiled([
        ...     Restriction(exposure=0.25, reason="not_exposed", source="rollout"),
        ...     Restriction(segment="intent=fraud", exposure=0.0, source="a1"),
        ... ])
        >>> rules.holds({"intent": "faq"}, 0.2).is_exposed, rules.holds({"intent": "fraud"}, 0.2)
        (True, Exposure(is_exposed=False, exposure=0.0, raised_by=0.0, reason='routed_back'))
    """

    whole: Exposure = OPEN
    by_label: dict[str, Exposure] = {}

    def holds(self, segment: Mapping[str, str], number: float) -> Exposure:
        """What holds for a request.

        Args:
            segment: Its labels.
            number: Of its unit, in [0, 1): `undertow.policies.assignment.uniform(salt, unit, "rollout")`.
        """
        held = self.whole
        if self.by_label:
            for key, value in segment.items():
                found = self.by_label.get(f"{key}={value}")
                if found is not None:
                    held = _stricter(held, found)
        if number < held.exposure:
            return held
        return Exposure(False, held.exposure, held.raised_by, held.reason)

    def in_force(self) -> Iterator[tuple[str, Exposure]]:
        """All that is in force, by label (empty: all requests), for those who watch."""
        if self.whole != OPEN:
            yield "", self.whole
        yield from self.by_label.items()


def compiled(restrictions: Iterable[Restriction]) -> Restrictions:
    """Restrictions made ready to be asked.

    Args:
        restrictions: In any order; exposures and raises in [0, 1].
    """
    whole, by_label = OPEN, dict[str, Exposure]()
    for one in restrictions:
        given = Exposure(exposure=one.exposure, raised_by=one.raised_by, reason=one.reason)
        if one.segment:
            by_label[one.segment] = _stricter(by_label.get(one.segment, OPEN), given)
        else:
            whole = _stricter(whole, given)
    return Restrictions(whole, by_label)


CLOSED = Restrictions(Exposure(exposure=0.0, reason="controls_unreadable"))
"""Under which the capable tier answers all that would have been eligible: nobody knows what restricts the policy."""


def restrictions_of(controls: PolicyControls | None, version: str) -> Restrictions | None:
    """What restricts a policy, or None: nothing does.

    A version that was rolled back is served by the capable tier alone as long as it is the one that this process has: until the good
    version has taken its place, or for good where that cannot be read.

    Args:
        controls: Of the policy; None: there are none.
        version: Version of the policy that is served here.

    Examples:
        >>> from undertow.records.guard import Pin
        >>> rolled_back = PolicyControls(pin=Pin(bad="v2", good="v1", source="a1"))
        >>> restrictions_of(rolled_back, "v2").holds({}, 0.0).is_exposed, restrictions_of(rolled_back, "v1")
        (False, None)
    """
    if controls is None:
        return None
    held = list(controls.restrictions)
    if controls.pin is not None and controls.pin.bad == version:
        held.append(Restriction(exposure=0.0, reason="routed_back", source=controls.pin.source))
    return compiled(held) if held else None


def restricted(setting: Setting, found: Exposure) -> Setting:
    """A setting with what holds for the request put in. Who is held out stays held out, and what is not eligible is as it was.

    Examples:
        >>> setting = Setting(("cheap", "capable"), eligible=True, is_holdout=False, treatment_probability=0.8, draw=0.0)
        >>> restricted(setting, Exposure(exposure=0.5)).treatment_probability
        0.4
    """
    if not setting.eligible:
        return setting
    is_kept = not setting.is_holdout and not found.is_exposed
    return msgspec.structs.replace(
        setting,
        treatment_probability=setting.treatment_probability * found.exposure,
        raised_by=found.raised_by,
        kept_for=found.reason if is_kept else None,
    )


def decided(policy: Policy, facts: RequestFacts, setting: Setting) -> Steps:
    """The steps of one decision: the policy's own, or the capable tier's for a request that restrictions keep from it.

    What the policy would have done with such a request is not known, so neither is its propensity; unless no request of the kind is
    exposed, for then the capable tier answers whatever the policy would have done.
    """
    if setting.kept_for is None:
        return policy.decide(facts, setting)
    return ask_upwards(
        setting.tiers[-1:], setting.kept_for, propensity=1.0 if setting.treatment_probability == 0.0 else None
    )


def _stricter(one: Exposure, other: Exposure) -> Exposure:
    """Both together: the smaller exposure with its reason (of equal ones an action's before a rollout's), the larger raise."""
    if other.exposure == one.exposure:
        reason = "routed_back" if "routed_back" in {one.reason, other.reason} else one.reason
    else:
        reason = one.reason if one.exposure < other.exposure else other.reason
    return Exposure(
        exposure=min(one.exposure, other.exposure), raised_by=max(one.raised_by, other.raised_by), reason=reason
    )
