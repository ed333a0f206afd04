"""How things stand for each group of a calibration: the threshold in force, and why nothing is served cheaply where that is so."""

import msgspec

from undertow.records.calibration import Calibration, ConfidenceMap, Group, GroupState, PolicyState


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How things stand for requests of one value of the group label.

    Attributes:
        value: Of the label; None: all other requests.
        map: Score to confidence.
        threshold: In force for whole answers, or None: nothing is served cheaply.
        prefix_map: Score of the first tokens to confidence, or None.
        prefix_threshold: From which confidence on first tokens may be served, or None: never.
        blocked: Why nothing is served cheaply: `calibration_void`, `uncertified`; None: the threshold decides.
        is_void: The certificate was voided.
        acceptance: Certified share of requests that are served cheaply; 0 where nothing is, None where it is not known, as at a threshold
            that is not the calibration's own.
    """

    value: str | None
    map: ConfidenceMap
    threshold: float | None = None
    prefix_map: ConfidenceMap | None = None
    prefix_threshold: float | None = None
    blocked: str | None = None
    is_void: bool = False
    acceptance: float | None = None


def standings_of(
    calibration: Calibration, state: PolicyState | None, *, strict: bool, commits: bool
) -> dict[str | None, Standing]:
    """How things stand, by value of the group label; under None for all values that have none of their own.

    A state may name a value that the artefact holds in its rest: its certificate can be voided all the same.

    Args:
        calibration: A sound one: exactly one of its groups has no value.
        state: What was tuned and voided since, or None.
        strict: Serve nothing cheaply where a certificate is void or was never given.
        commits: Streams may be served from their first tokens on. The certificate of a prefix is of both ways to be served, early or whole,
            so its threshold then holds for whole answers too.

    Examples:
        >>> given = {
        ...     "tier": "cheap", "capable_tier": "capable", "fitted_at": "2026-01-01T00:00:00Z", "margin": 0.02, "delta": 0.1,
        ...     "fitted_on": {"source": "review", "labels": 500, "good": 400, "effective": 500.0},
        ...     "features": [{"name": "mean_logprob"}], "groups": [{"map": {"method": "platt"}, "threshold": 0.9}],
        ...     "distribution": {"edges": [], "mean": -0.2, "sd": 0.1, "n": 500},
        ... }
        >>> calibration = msgspec.convert(given, Calibration)
        >>> standings_of(calibration, None, strict=False, commits=False)[None].threshold
        0.9
        >>> voided = PolicyState(calibration_version="", version=1, groups=(GroupState(threshold=0.9, is_void=True),))
        >>> standings_of(calibration, voided, strict=True, commits=False)[None].blocked
        'calibration_void'
    """
    groups = {group.value: group for group in calibration.groups}
    prefixes = {} if calibration.prefix is None else {group.value: group for group in calibration.prefix.groups}
    states = {} if state is None else {each.value: each for each in state.groups}
    found: dict[str | None, Standing] = {}
    for value in dict.fromkeys([*groups, *states]):
        group = groups.get(value, groups[None])
        ahead = group_ahead(calibration, group) if commits else None
        found[value] = _standing(value, group, prefixes.get(group.value), ahead, states.get(value), strict=strict)
    return found


def group_ahead(calibration: Calibration, group: Group) -> Group | None:
    """The group of the prefix whose certificate is of answers that are served early or whole; None: whole answers alone are served.

    Args:
        calibration: A calibration.
        group: One of its groups, or the rest under another value.
    """
    if calibration.prefix is None or group.threshold is None:
        return None
    values = {each.value for each in calibration.groups}
    value = group.value if group.value in values else None
    found = next((each for each in calibration.prefix.groups if each.value == value), None)
    return None if found is None or found.threshold is None else found


def threshold_in_force(
    certified: float | None, state: GroupState | None, *, strict: bool, commits: bool
) -> float | None:
    """The threshold that holds for a group once what was tuned is taken into account.

    What was never certified is not opened by a number in a file. A number below the certified one holds if labels certified it: under
    `strict` always, and for answers that may be served early always, since a number that was tuned for whole answers says nothing of them.

    Args:
        certified: As it was calibrated.
        state: What was tuned, or None.
        strict: Nothing is served without a certificate.
        commits: `certified` is of answers that may be served from their first tokens on.

    Returns:
        A confidence; None: nothing is served cheaply.

    Examples:
        >>> threshold_in_force(0.8, GroupState(threshold=0.9), strict=True, commits=False)
        0.9
        >>> threshold_in_force(0.8, GroupState(threshold=0.1), strict=True, commits=False)
        0.8
        >>> threshold_in_force(0.8, GroupState(threshold=0.7, certified=True), strict=True, commits=False)
        0.7
        >>> threshold_in_force(None, GroupState(threshold=0.7), strict=False, commits=False) is None
        True
    """
    if certified is None or state is None or state.threshold is None:
        return certified if state is None else None
    if state.threshold >= certified:
        return state.threshold
    is_vouched_for = state.certified and (state.commits or not commits)
    return state.threshold if is_vouched_for or not (strict or commits) else certified


def _standing(
    value: str | None,
    group: Group,
    prefix: Group | None,
    ahead: Group | None,
    state: GroupState | None,
    *,
    strict: bool,
) -> Standing:
    certifying = group if ahead is None else ahead
    threshold = threshold_in_force(certifying.threshold, state, strict=strict, commits=ahead is not None)
    is_void = state is not None and state.is_void
    blocked = None
    if is_void and (strict or threshold is None):
        blocked = "calibration_void"
    elif threshold is None or (strict and (certifying.certificate is None or group.value != value)):
        blocked = "uncertified"
    certificate = certifying.certificate if threshold == certifying.threshold else None
    acceptance = None if certificate is None else certificate.acceptance
    return Standing(
        value=value,
        map=group.map,
        threshold=threshold,
        prefix_map=None if prefix is None else prefix.map,
        prefix_threshold=None if ahead is None else threshold,
        blocked=blocked,
        is_void=is_void,
        acceptance=acceptance if blocked is None else 0.0,
    )
