"""What is settled before any score is looked at: which tiers a request may use at all. No score overrides it.

"Cheap" is every tier but the last of the policy's tiers. A constraint takes tiers away, never adds one; if what it forbids is
all that is left, the request is refused rather than served cheaply against the rule.
"""

from collections.abc import Mapping

import msgspec

from undertow.records.request import RequestFacts
from undertow.records.serving import ConstraintsPlan


class Constrained(msgspec.Struct, frozen=True, gc=False):
    """What the constraints leave.

    Attributes:
        tiers: Tiers that can be used, cheapest first; empty where the request is refused.
        eligible: There is a choice: a cheaper tier and a dearer one that can replace it are both among `tiers`. Only such
            requests are compared between the arms.
        why: First constraint that took a tier away: `never_cheap`, `input_tokens`, `tools`, `media`, `context_length`,
            `wire_format` or `key`; None: none did.
        refused: Why there is nothing left, as one sentence for the caller; None: something is.
    """

    tiers: tuple[str, ...]
    eligible: bool
    why: str | None = None
    refused: str | None = None


def usable_tiers(
    facts: RequestFacts,
    constraints: ConstraintsPlan,
    tiers: tuple[str, ...],
    context_tokens: Mapping[str, int | None],
    speaking: frozenset[str] | set[str],
) -> Constrained:
    """Apply all constraints to one request.

    Args:
        facts: The request.
        constraints: `[constraints]`.
        tiers: The policy's tiers, cheapest first, at least one.
        context_tokens: Longest prompt and answer together by tier, None or absent: unknown, so nothing is known to be too long.
        speaking: Tiers with an endpoint that speaks the request's wire format.

    Examples:
        >>> request = RequestFacts("chat.completions", "auto", segment={"intent": "fraud"})
        >>> rules = ConstraintsPlan(never_cheap=("intent=fraud",))
        >>> usable_tiers(request, rules, ("cheap", "capable"), {}, {"cheap", "capable"}).tiers
        ('capable',)
    """
    assert tiers, "a policy has at least one tier"
    forbidden = _why_not_cheap(facts, constraints)
    needed = facts.input_tokens + (facts.output_limit or 0)
    if forbidden is None and facts.allowed_tiers is None and speaking.issuperset(tiers):
        for tier in tiers:
            if needed > (context_tokens.get(tier) or needed):
                break
        else:
            return Constrained(tiers, eligible=len(tiers) > 1)  # most requests: nothing stands in their way
    why = forbidden if len(tiers) > 1 else None
    left = tiers[-1:] if forbidden else tiers
    for reason, allowed in (("key", facts.allowed_tiers), ("wire_format", speaking)):
        if allowed is None:
            continue
        kept = tuple([tier for tier in left if tier in allowed])
        if not kept:
            return Constrained((), eligible=False, why=reason, refused=_refusal(reason, facts, forbidden))
        if len(kept) != len(left):
            why, left = why or reason, kept
    fitting = tuple([tier for tier in left if needed <= (context_tokens.get(tier) or needed)])
    if len(fitting) != len(left):
        # Lengths are estimated on the high side. Where nothing seems to fit, the dearest tier is asked all the same: its
        # upstream counts exactly, and its own error is better than a refusal by guess.
        why, left = why or "context_length", fitting or left[-1:]
    return Constrained(left, eligible=len(left) > 1, why=why)


def is_never_cheap(facts: RequestFacts, constraints: ConstraintsPlan) -> bool:
    """Whether a label of the request is among `never_cheap`: the one constraint that holds even where a tier is asked for by name.

    Examples:
        >>> request = RequestFacts("messages", "small", segment={"intent": "fraud"})
        >>> is_never_cheap(request, ConstraintsPlan(never_cheap=("intent=fraud",)))
        True
    """
    if constraints.never_cheap:
        for key, value in facts.segment.items():
            if f"{key}={value}" in constraints.never_cheap:
                return True
    return False


def _why_not_cheap(facts: RequestFacts, constraints: ConstraintsPlan) -> str | None:
    if is_never_cheap(facts, constraints):
        return "never_cheap"
    limit = constraints.cheap_max_input_tokens
    if limit is not None and facts.input_tokens > limit:
        return "input_tokens"
    if facts.has_tools and not constraints.cheap_tools:
        return "tools"
    if facts.has_media and not constraints.cheap_images:
        return "media"
    return None


def _refusal(reason: str, facts: RequestFacts, forbidden: str | None) -> str:
    if reason == "wire_format":
        return f"no tier that this request may use speaks the format of {facts.endpoint}"
    if forbidden:
        return f"a constraint ({forbidden}) keeps this request off the cheaper tiers, and this key may not use the capable one"
    return "this key may use none of the tiers of this policy"
