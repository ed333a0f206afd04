"""Who is randomised to what: a pure hash of the unit, so that the same user always gets the same, in every process.

    unit      user, else conversation, else the decision itself
    arm       uniform(purpose "holdout") < share
    draw      uniform(purpose "split"), independent of the arm
    rollout   uniform(purpose "rollout") < exposure, independent of both (`undertow.policies.exposure`)

Nothing is stored. Changing the salt, the hash or a unit's spelling reassigns everybody and mixes the arms; the exact values
are pinned by a test.
"""

from hashlib import blake2b
from typing import Literal

import msgspec

from undertow.records.request import RequestFacts
from undertow.records.serving import HoldoutPlan

Purpose = Literal["holdout", "split", "rollout"]

_MANTISSA_BITS = 53


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """What chance decided for one unit.

    Attributes:
        unit: What was assigned as a whole, `user:...`, `conversation:...` or `decision:...`.
        arm: `treatment` or `holdout`.
        arm_probability: Probability of that arm, in (0, 1].
        treatment_probability: Probability of the arm `treatment`, in (0, 1].
        draw: Uniform number in [0, 1), independent of the arm.
    """

    unit: str
    arm: Literal["treatment", "holdout"]
    arm_probability: float
    treatment_probability: float
    draw: float

    @property
    def is_holdout(self) -> bool:
        """Whether the unit is held out."""
        return self.arm == "holdout"


def unit_of(facts: RequestFacts, decision_id: str, unit: Literal["user", "conversation", "decision"]) -> str:
    """The unit of randomisation of a request: what `unit` asks for, and where that is absent the next smaller one.

    Examples:
        >>> unit_of(RequestFacts("messages", "auto", conversation_id="c-1"), "d-1", "user")
        'conversation:c-1'
    """
    if unit == "user" and facts.user_id:
        return f"user:{facts.user_id}"
    if unit != "decision" and facts.conversation_id:
        return f"conversation:{facts.conversation_id}"
    return f"decision:{decision_id}"


def uniform(salt: str, unit: str, purpose: Purpose) -> float:
    """A number in [0, 1) for a unit, the same forever; independent between purposes, salts and units.

    Args:
        salt: `[holdout] salt`.
        unit: As `unit_of` gives it.
        purpose: What the number is used for.
    """
    given = f"{salt}\0{unit}".encode("utf-8", "surrogatepass")
    digest = blake2b(given, digest_size=8, person=purpose.encode()).digest()
    # The upper 53 bits: as many as a float holds exactly, so that the result never rounds up to 1.
    return (int.from_bytes(digest, "big") >> (64 - _MANTISSA_BITS)) / (1 << _MANTISSA_BITS)


def assign(holdout: HoldoutPlan, facts: RequestFacts, decision_id: str, *, needs_draw: bool = True) -> Assignment:
    """Arm and draw of a request. Assigned to all traffic, eligible or not, so that the arms stay comparable.

    Args:
        holdout: `[holdout]`.
        facts: The request.
        decision_id: Its id, the unit of last resort.
        needs_draw: The policy draws; without it the draw is 0 and costs nothing.

    Examples:
        >>> assign(HoldoutPlan(share=0.0), RequestFacts("messages", "auto", user_id="u"), "d").arm_probability
        1.0
    """
    unit = unit_of(facts, decision_id, holdout.unit)
    is_holdout = uniform(holdout.salt, unit, "holdout") < holdout.share
    treatment = 1.0 - holdout.share
    return Assignment(
        unit=unit,
        arm="holdout" if is_holdout else "treatment",
        arm_probability=holdout.share if is_holdout else treatment,
        treatment_probability=treatment,
        draw=uniform(holdout.salt, unit, "split") if needs_draw else 0.0,
    )
