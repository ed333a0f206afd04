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
        acceptance: Certified share of requests that are served cheaply; 0 where nothing is, None where it is not known.
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
    ahead = {} if calibration.prefix is None else {group.value: group for group in calibration.prefix.groups}
    states = {} if state is None else {each.value: each for each in state.groups}
    found: dict[str | None, Standing] = {}
    for value in dict.fromkeys([*groups, *states]):
        group = groups.get(value, groups[None])
        found[value] = _standing(
            value, group, ahead.get(group.value), states.get(value), strict=strict, commits=commits
        )
    return found


def _standing(
    value: str | None, group: Group, ahead: Group | None, state: GroupState | None, *, strict: bool, commits: bool
) -> Standing:
    threshold, early = group.threshold, None
    if commits and threshold is not None and ahead is not None and ahead.threshold is not None:
        threshold = early = ahead.threshold
    if state is not None:
        tuned = state.threshold
        # What was tuned is the whole answer's threshold: it can raise that of first tokens, never lower it.
        threshold = tuned if early is None or tuned is None else max(early, tuned)
        early = None if early is None else threshold
    is_void = state is not None and state.is_void
    blocked = None
    if is_void and (strict or threshold is None):
        blocked = "calibration_void"
    elif threshold is None or (strict and (group.certificate is None or group.value != value)):
        blocked = "uncertified"
    acceptance = None if group.certificate is None else group.certificate.acceptance
    return Standing(
        value=value,
        map=group.map,
        threshold=threshold,
        prefix_map=None if ahead is None else ahead.map,
        prefix_threshold=early,
        blocked=blocked,
        is_void=is_void,
        acceptance=acceptance if blocked is None else 0.0,
    )
