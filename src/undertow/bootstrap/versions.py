"""Versions of policies that serve: kept when they begin to, and put in the place of one that was rolled back.

A pin says that one version, which the settings compile to, is replaced by another that has served before. What is served then is that version:
its policy, and the models, parameters and holdout that it was served with. Constraints of the settings are never loosened by it. Settings that
compile to a third version are served as they are: somebody changed them since.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from undertow.adapters.guard.controls import find_controls, guard_folder
from undertow.adapters.guard.versions import keep_version, read_version, tiers_of
from undertow.adapters.listing import files_below
from undertow.errors import ConfigError
from undertow.policies.version import artefact_paths, policy_version
from undertow.records.guard import POLICY_VERSIONS, Controls, Pin, PolicyVersion
from undertow.records.serving import ConstraintsPlan, PolicyPlan, ServingPlan, TierPlan

AGAIN_S = 60.0
"""A version that cannot be served is looked at again after so long, whatever the disk says, and at once when a file of it changes."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A plan with rolled-back versions replaced.

    Attributes:
        plan: What is to be served.
        unserved: By policy: why the good version cannot be served. The bad one stays in the plan, and workers have the capable tier answer
            for it (`undertow.policies.exposure.restrictions_of`).
    """

    plan: ServingPlan
    unserved: Mapping[str, str]


def keep_versions(plan: ServingPlan, at: str) -> tuple[str, ...]:
    """Keep every version of a plan that begins to serve.

    Args:
        plan: The plan.
        at: Now, RFC 3339.

    Returns:
        Why some could not be kept: they cannot be rolled back to.
    """
    problems: list[str] = []
    for policy in plan.policies:
        try:
            keep_version(guard_folder(plan.store.path), plan, policy, at)
        except ConfigError as error:
            problems.append(str(error))
        except OSError as error:
            why = error.strerror or type(error).__name__
            problems.append(f"policy {policy.name}, version {policy.version}: cannot be kept ({why})")
    return tuple(problems)


class Pins:
    """Replaces what was rolled back, as the store's controls tell it.

    Controls that cannot be read, or are gone after they were there, change nothing.

    Args:
        env: Names of environment variables that are set: a version that names another one cannot be served.
        clock: Seconds that never go back.

    Examples:
        >>> tiers = (TierPlan(name="only", model="m", endpoints=()),)
        >>> plan = ServingPlan(tiers=tiers, policies=(PolicyPlan(name="auto", version="v", kind="fixed", tiers=("only",)),))
        >>> Pins({}).pinned(plan).plan is plan
        True
    """

    def __init__(self, env: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._env, self._clock = env, clock
        self._controls: Controls | None = None
        self._kept: tuple[ServingPlan, Mapping[str, Pin], Pinned] | None = None
        self._looked_at = 0.0
        self._files: frozenset[_File] = frozenset()

    def pinned(self, plan: ServingPlan) -> Pinned:
        """A plan with what is rolled back now replaced.

        Args:
            plan: As the settings compile to.
        """
        self._controls = find_controls(plan.store.path).controls or self._controls
        given = {} if self._controls is None else self._controls.policies
        pins = {name: one.pin for name, one in given.items() if one.pin is not None}
        kept = self._kept
        if kept is None or kept[0] is not plan or kept[1] != pins or (kept[2].unserved and self._may_be_mended(plan)):
            self._looked_at, self._files = self._clock(), _files(plan)
            kept = self._kept = plan, pins, with_pins(plan, pins, lambda name: bool(self._env.get(name)))
        return kept[2]

    def _may_be_mended(self, plan: ServingPlan) -> bool:
        # A look reads and hashes whole files, and the supervisor asks every other second.
        return self._clock() - self._looked_at >= AGAIN_S or _files(plan) != self._files


_File = tuple[str, int, int, int]
"""Path, time of the last change in nanoseconds, size in bytes, place on the disk."""


def _files(plan: ServingPlan) -> frozenset[_File]:
    """The files that decide whether a version can be served, as far as can be told without reading them."""
    named = (Path(path) for policy in plan.policies for path in artefact_paths(policy))
    found: set[_File] = set()
    with contextlib.suppress(OSError):
        for path in (*named, *files_below(guard_folder(plan.store.path) / POLICY_VERSIONS)):
            with contextlib.suppress(OSError):
                state = path.stat()
                found.add((str(path), state.st_mtime_ns, state.st_size, state.st_ino))
    return frozenset(found)


def with_pins(plan: ServingPlan, pins: Mapping[str, Pin], is_set: Callable[[str], bool]) -> Pinned:
    """Replace the policies of a plan that were rolled back.

    A policy's tiers are those of the plan, so a good version brings its models with it, for the other policies too; their versions then say
    so. Where two good versions do not go together, the second is not served.

    Args:
        plan: As the settings compile to.
        pins: By policy.
        is_set: Whether an environment variable is set.
    """
    matching = [policy for policy in plan.policies if policy.mode == "route" and _bad(pins, policy) == policy.version]
    unserved: dict[str, str] = {}
    good: dict[str, PolicyVersion] = {}
    for policy in matching:
        try:
            found = read_version(guard_folder(plan.store.path), pins[policy.name].good)
            _check(found, plan, is_set)
            _check_together(found, good)
        except ConfigError as error:
            unserved[policy.name] = str(error)
        else:
            good[policy.name] = found
    if not good:
        return Pinned(plan, unserved)
    try:
        return Pinned(_replaced(plan, good), unserved)
    except OSError as error:
        why = f"{error.filename}: {error.strerror or type(error).__name__}"
        return Pinned(plan, unserved | dict.fromkeys(good, why))


def _bad(pins: Mapping[str, Pin], policy: PolicyPlan) -> str | None:
    pin = pins.get(policy.name)
    return None if pin is None else pin.bad


def _check(version: PolicyVersion, plan: ServingPlan, is_set: Callable[[str], bool]) -> None:
    if version.policy.mode != "route":
        raise ConfigError(f"version {version.version} only observed")
    present = {tier.name: tier for tier in plan.tiers}
    # A version's hash says nothing of addresses, so a file that was edited must not send requests, or a key, anywhere else.
    named = {(endpoint.base_url, endpoint.api_key_env) for tier in plan.tiers for endpoint in tier.endpoints}
    for name, tier in tiers_of(version).items():
        if name not in present:
            raise ConfigError(f"version {version.version} uses tier {name}, which the settings do not have any more")
        for endpoint in _tier(present[name], tier).endpoints:
            if (endpoint.base_url, endpoint.api_key_env) not in named:
                raise ConfigError(
                    f"version {version.version} was served from {endpoint.base_url}, which no tier of the settings names any more with its key"
                )
            if endpoint.api_key_env is not None and not is_set(endpoint.api_key_env):
                raise ConfigError(
                    f"version {version.version} needs environment variable {endpoint.api_key_env}, which is not set"
                )
    order = [tier.name for tier in plan.tiers if tier.name in version.tiers]
    if order != list(version.policy.tiers):
        raise ConfigError(f"version {version.version} has its tiers in another order than the settings")


def _check_together(version: PolicyVersion, others: Mapping[str, PolicyVersion]) -> None:
    for name, other in others.items():
        shared = version.tiers.keys() & other.tiers.keys()
        mine, theirs = tiers_of(version), tiers_of(other)
        if (
            version.holdout != other.holdout
            or version.constraints != other.constraints
            or any(_is_other(mine[tier], theirs[tier]) for tier in shared)
        ):
            raise ConfigError(
                f"version {version.version} does not go together with {other.version}, to which {name} was rolled back"
            )


def _replaced(plan: ServingPlan, good: Mapping[str, PolicyVersion]) -> ServingPlan:
    tiers = {tier.name: tier for tier in plan.tiers}
    constraints, holdout = plan.constraints, plan.holdout
    for version in good.values():
        tiers |= {name: _tier(tiers[name], tier) for name, tier in tiers_of(version).items()}
        constraints, holdout = _stricter(constraints, version.constraints), version.holdout
    is_same = constraints == plan.constraints and holdout == plan.holdout
    before = {tier.name: tier for tier in plan.tiers}
    policies = []
    for policy in plan.policies:
        if policy.name in good:
            policies.append(
                msgspec.structs.replace(good[policy.name].policy, name=policy.name, version=good[policy.name].version)
            )
            continue
        if is_same and not any(_is_other(before[tier], tiers[tier]) for tier in policy.tiers):
            policies.append(policy)
            continue
        contents = (Path(path).read_bytes() for path in artefact_paths(policy))
        version_now = policy_version(policy, tiers, constraints, holdout, contents)
        policies.append(msgspec.structs.replace(policy, version=version_now))
    return msgspec.structs.replace(
        plan, tiers=tuple(tiers.values()), policies=tuple(policies), constraints=constraints, holdout=holdout
    )


def _tier(now: TierPlan, then: TierPlan) -> TierPlan:
    """A tier as it was; where its model is the same, with the addresses and prices of now."""
    if now.model == then.model:
        return msgspec.structs.replace(then, endpoints=now.endpoints, prices=now.prices)
    return then


def _is_other(one: TierPlan, other: TierPlan) -> bool:
    return (one.model, one.parameters, one.context_tokens) != (other.model, other.parameters, other.context_tokens)


def _stricter(now: ConstraintsPlan, then: ConstraintsPlan) -> ConstraintsPlan:
    """What both forbid: a roll-back takes requests off cheaper tiers, and brings none there that the settings keep off.

    Examples:
        >>> _stricter(ConstraintsPlan(never_cheap=("intent=fraud",)), ConstraintsPlan(cheap_tools=False)).never_cheap
        ('intent=fraud',)
    """
    if now == then:
        return then
    limits = [limit for limit in (now.cheap_max_input_tokens, then.cheap_max_input_tokens) if limit is not None]
    return ConstraintsPlan(
        never_cheap=tuple(dict.fromkeys((*then.never_cheap, *now.never_cheap))),
        cheap_max_input_tokens=min(limits, default=None),
        cheap_tools=now.cheap_tools and then.cheap_tools,
        cheap_images=now.cheap_images and then.cheap_images,
    )
