"""The version of a policy: a short hash over all that a decision depends on, and over nothing else.

Prices, addresses and names of policies decide nothing, so records before and after a change of those stay comparable. Nor does a field that
is as by default: whoever changes what a default means gives the field another name.
"""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from undertow.records.serving import ConstraintsPlan, HoldoutPlan, PolicyPlan, TierPlan

VERSION_CHARS = 12


def policy_version(
    policy: PolicyPlan,
    tiers: Mapping[str, TierPlan],
    constraints: ConstraintsPlan,
    holdout: HoldoutPlan,
    artefacts: Iterable[bytes],
) -> str:
    """The version of a policy.

    Args:
        policy: The policy; its name, its version and the paths in it do not matter.
        tiers: By name; those that it uses.
        constraints: Those that hold.
        holdout: That which holds.
        artefacts: Contents of the files that it names, in the order of `artefact_paths`.

    Examples:
        >>> tiers = {"only": TierPlan(name="only", model="m", endpoints=())}
        >>> policy = PolicyPlan(name="auto", version="", kind="fixed", tiers=("only",))
        >>> len(policy_version(policy, tiers, ConstraintsPlan(), HoldoutPlan(), []))
        12
    """
    document = msgspec.json.encode(
        [
            _set(msgspec.structs.replace(policy, name="", version="", artefact=None, calibrations=(), predictive=None)),
            [(name, tiers[name].model, tiers[name].parameters, tiers[name].context_tokens) for name in policy.tiers],
            _set(constraints),
            _set(holdout),
        ],
        order="deterministic",
    )
    digest = hashlib.sha256(document)
    for content in artefacts:
        digest.update(content)
    return digest.hexdigest()[:VERSION_CHARS]


def _set(plan: msgspec.Struct) -> dict[str, object]:
    """What is not as by default: a version of Undertow that adds a field leaves the versions of policies that do not use it as they were."""
    known = {field.name: field for field in msgspec.structs.fields(plan)}
    values = {name: getattr(plan, name) for name in known}
    return {name: value for name, value in values.items() if known[name].required or value != _default(known[name])}


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def artefact_paths(policy: PolicyPlan) -> tuple[str, ...]:
    """Paths of the files that a policy names: classifier, calibrations, the classifier that is asked before any tier.

    Examples:
        >>> artefact_paths(PolicyPlan(name="auto", version="", kind="cascade", tiers=("a", "b"), calibrations=("/c.json",)))
        ('/c.json',)
    """
    return tuple(path for path in (policy.artefact, *policy.calibrations, policy.predictive) if path is not None)
