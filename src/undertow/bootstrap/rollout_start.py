"""Beginning the rollouts of new versions, quickly enough for a supervisor that is about to serve them: no audit, nothing heavy is loaded."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from undertow.actions.versions import KnownVersion
from undertow.adapters.guard.book import StoreGuardBook
from undertow.errors import ConfigError
from undertow.records.guard import Controls
from undertow.records.serving import PolicyPlan, ServingPlan
from undertow.services.guard import GuardReport, begin_rollouts

TRIES, PAUSE_S = 20, 0.25


def begin_store_rollouts(plan: ServingPlan, now: datetime) -> GuardReport:
    """Begin the rollouts of the versions that a plan is about to serve.

    Args:
        plan: Compiled from the settings.
        now: Aware.

    Raises:
        ConfigError: The trail cannot be read. Nothing was done.

    Examples:
        >>> from datetime import UTC
        >>> begin_store_rollouts(ServingPlan(tiers=(), policies=()), datetime(2026, 3, 1, tzinfo=UTC)).outcome  # rollouts are off
        'done'
    """
    serving = serving_versions(plan.policies, None, ())
    return begin_rollouts(StoreGuardBook(Path(plan.store.path)), serving, plan.guard, plan.rollout, now)


def rollout_problems(
    plan: ServingPlan,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Begin the rollouts of what a gateway is about to serve, and say what stands in the way; nothing does where there are none.

    Args:
        plan: Compiled from the settings.
        now: The time, aware.
        pause: Waits so many seconds: another guard may be at work, and is done soon.
    """
    try:
        report = begin_store_rollouts(plan, now())
        for _ in range(TRIES):
            if report.outcome != "busy":
                break
            pause(PAUSE_S)
            report = begin_store_rollouts(plan, now())
    except ConfigError as error:
        return (f"the rollout of the new version cannot begin: {error}",)
    return () if report.outcome == "done" else (f"the rollout of the new version cannot begin: {report.problem}",)


def serving_versions(
    policies: Sequence[PolicyPlan], controls: Controls | None, versions: Sequence[KnownVersion]
) -> Mapping[str, str]:
    """Version by policy that serves now: what the settings compile to, or what replaces it.

    Args:
        policies: As compiled; empty: the latest of each policy's versions stands in.
        controls: In force, or None.
        versions: All that have served, oldest first.

    Examples:
        >>> serving_versions((), None, [KnownVersion("auto", "v1", "t1"), KnownVersion("auto", "v2", "t2")])
        {'auto': 'v2'}
    """
    found = {each.policy: each.version for each in versions} if not policies else {p.name: p.version for p in policies}
    for name, held in ({} if controls is None else controls.policies).items():
        if held.pin is not None and found.get(name) == held.pin.bad:
            found[name] = held.pin.good
    return found
