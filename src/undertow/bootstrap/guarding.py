"""What the guard of one store needs: its book, the episodes of the last audit, the versions that serve, the losses since a rollout began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.actions.at_alarm import ACTING, AlarmLook, WeighedPlace
from undertow.actions.entries import restrictable, waiting
from undertow.actions.evidence import TierEvidence
from undertow.actions.outlook import PlaceOutlook, outlook
from undertow.actions.standing import rollouts_of
from undertow.actions.versions import KnownVersion
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.guard.book import StoreGuardBook
from undertow.alerting.episodes import alarm_key, episodes_of
from undertow.bootstrap.rollout_start import serving_versions
from undertow.errors import DataError, LogError
from undertow.ports.audit_source import Progress, silent
from undertow.ports.guard import GuardBook
from undertow.records.alert import Episode, Episodes
from undertow.records.guard import Controls, RolloutState, TrailEntry
from undertow.records.moment import moment_of, rfc3339
from undertow.records.serving import GuardPlan, PolicyPlan, RolloutPlan
from undertow.services.guard import GuardLook, GuardReport, began_at, begin_rollouts, look_and_act, troubles_of
from undertow.services.guard_dry_run import DryRun, dry_run

if TYPE_CHECKING:
    from undertow.config.settings import Settings
    from undertow.records.cells import AuditCells
    from undertow.records.report import AuditReport

AUDITED = "auto"
"""Policy that the audit of a store is told of."""

WEIGHED_ON = timedelta(days=60)
"""After an episode was answered by an action, its tier's segments are weighed for so long: as long as labels since its onset count."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guard of a store works by.

    Attributes:
        guard: Modes and bounds of actions.
        rollout: How versions are exposed.
        policies: As they are compiled from the settings; empty: known from the versions that have served alone.
        is_serving: They serve. False: another gateway does, by settings that it may have read at another time; which of its versions serves is
            known from those that it has kept alone.
    """

    guard: GuardPlan
    rollout: RolloutPlan
    policies: tuple[PolicyPlan, ...] = ()
    is_serving: bool = True


def guarded_of(settings: "Settings", folder: Path, day: date) -> Guarded:
    """What the guard works by, from settings. Where they are not enough to serve by, policies are known from what has served.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start.
        day: For prices.
    """
    from undertow.bootstrap.calibration_files import with_certified_margin  # noqa: PLC0415 (pydantic)
    from undertow.bootstrap.plan import compiled_policies  # noqa: PLC0415

    margin = settings.rollout.margin or with_certified_margin(settings, folder).monitors_margin
    rollout = RolloutPlan(**settings.rollout.model_dump(exclude={"margin"}), margin=margin)
    return Guarded(GuardPlan(**settings.guard.model_dump()), rollout, compiled_policies(settings, folder, day))


@dataclass(frozen=True, slots=True)
class RolloutStanding:
    """A rollout, for people.

    Attributes:
        state: Where it stands.
        places: Its places with what they need; empty: the log cannot be audited, or is not of this policy.
        waiting: Moves that wait for a person.
        note: Why there are no places, or empty.
    """

    state: RolloutState
    places: tuple[PlaceOutlook, ...]
    waiting: tuple[TrailEntry, ...]
    note: str = ""


def rollouts_standing(
    store: Path, plan: Guarded, settings: "Settings", now: datetime, progress: Progress = silent
) -> tuple[RolloutStanding, ...]:
    """All rollouts of a store with what they need, by an audit of it now.

    Args:
        store: Its root folder.
        plan: What the guard works by.
        settings: For the audit.
        now: Aware.
        progress: Told what is done.

    Raises:
        ConfigError: The trail cannot be read.
    """
    from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells  # noqa: PLC0415 (scipy, pydantic)

    trail = StoreGuardBook(store).trail()
    if not rollouts_of(trail):
        return ()
    request = AuditRequest((str(store),), format="undertow", settings=settings, now=now)
    try:
        cells = read_cells(request, progress)
        report = audit_cells(request, cells)
    except (DataError, LogError) as error:
        return standing_of(store, plan, None, None, now, f"there is nothing to judge by yet ({error})")
    return standing_of(store, plan, report, cells, now)


def standing_of(
    store: Path,
    plan: Guarded,
    report: "AuditReport | None",
    cells: "AuditCells | None",
    now: datetime,
    note: str = "",
) -> tuple[RolloutStanding, ...]:
    """All rollouts of a store with what they need, by an audit that was made already.

    Args:
        store: Its root folder.
        plan: What the guard works by.
        report: The audit, or None: there is none.
        cells: What it was made of.
        now: Aware.
        note: Why there is none.

    Raises:
        ConfigError: The trail cannot be read.
    """
    book = StoreGuardBook(store)
    trail = book.trail()
    look = None
    if report is not None and cells is not None and rollouts_of(trail):
        episodes = episodes_of(report, StoreAlertBook(store).episodes(), AUDITED, rfc3339(now))
        look = look_of(report, episodes.episodes, cells, known_versions(book), {}, plan)
    found = []
    for policy, state in sorted(rollouts_of(trail).items()):
        asked = tuple(e for e in waiting(trail) if e.policy == policy and e.kind in {"advance", "step_back"})
        said = (
            note
            if policy == AUDITED
            else f"only policy {AUDITED} is judged by the log; this one holds until a person moves it"
        )
        places: tuple[PlaceOutlook, ...] = ()
        if look is not None and policy == AUDITED:
            alarmed = frozenset(each.segment for each in troubles_of(look, policy))
            places = outlook(state, look.evidence(state, began_at(trail, policy, now)), plan.rollout, alarmed, now)
        found.append(RolloutStanding(state, places, asked, said))
    return tuple(found)


def guard_store(
    store: Path,
    plan: Guarded,
    report: "AuditReport | None",
    cells: "AuditCells | None",
    now: datetime,
    fault: str = "",
) -> GuardReport:
    """One look of the guard at a store.

    Args:
        store: Its root folder.
        plan: What it works by.
        report: The audit, or None: there is nothing to audit yet.
        cells: What it was made of.
        now: Aware.
        fault: Why the gateway does not apply what is in force, in words; empty: it does.

    Raises:
        ConfigError: The trail cannot be read. Nothing was done.
    """
    book = StoreGuardBook(store)
    if report is None or cells is None:
        serving = serving_versions(plan.policies, None, ()) if plan.is_serving else {}
        return begin_rollouts(book, serving, plan.guard, plan.rollout, now)
    episodes = episodes_of(report, StoreAlertBook(store).episodes(), AUDITED, rfc3339(now))
    if not _has_work(book, plan, episodes):
        return GuardReport("done")
    versions = known_versions(book)
    look = look_of(
        report,
        episodes.episodes,
        cells,
        versions,
        serving_versions(plan.policies if plan.is_serving else (), _controls(book), versions),
        plan,
    )
    return look_and_act(book, replace(look, fault=fault), plan.guard, plan.rollout, now)


def look_of(
    report: "AuditReport",
    episodes: Sequence[Episode],
    cells: "AuditCells",
    versions: tuple[KnownVersion, ...],
    serving: Mapping[str, str],
    plan: Guarded,
) -> GuardLook:
    """What an audit gives the guard to decide by.

    Args:
        report: The audit.
        episodes: Open and lately closed.
        cells: What the audit was made of.
        versions: All that have served.
        serving: Version by policy.
        plan: What the guard works by.
    """
    alarms = {alarm_key(alarm): alarm for alarm in report.alarms}
    mine = {each.id: [alarms[key] for key in each.alarms if key in alarms] for each in episodes if each.kind == "alarm"}

    def evidence(state: RolloutState, began: datetime) -> tuple[TierEvidence, ...]:
        from undertow.services.rollout_evidence import rollout_evidence  # noqa: PLC0415 (scipy)

        return rollout_evidence(cells, report.settings, state, began, margin=plan.rollout.margin)

    kinds = {name: found[0].kind for name, found in mine.items() if found}
    return GuardLook(
        AlarmLook(
            episodes=tuple(episodes),
            weighed=_weighed(report, episodes, cells, kinds, plan),
            acting=frozenset(name for name, found in mine.items() if any(alarm.basis in ACTING for alarm in found)),
            serving=serving,
            versions=versions,
            tightens=frozenset(policy.name for policy in plan.policies if has_threshold(policy)),
            kinds=kinds,
        ),
        evidence=evidence,
        until=report.period[1],
        audited=AUDITED,
    )


def _weighed(
    report: "AuditReport", episodes: Sequence[Episode], cells: "AuditCells", kinds: Mapping[str, str], plan: Guarded
) -> dict[str, tuple[WeighedPlace, ...]]:
    """By episode that is open, or was answered by an action lately: the places that are worth routing back."""
    from undertow.services.weighing import Trouble, weighed_places  # noqa: PLC0415 (scipy)

    lately = rfc3339(report.period[1] - WEIGHED_ON)
    found = {}
    for each in episodes:
        is_asked = each.closed_at is None or (each.closed_by is not None and each.closed_at > lately)
        is_of_labels = restrictable(each.segment) == each.segment
        if each.policy != AUDITED or each.onset is None or each.id not in kinds or not is_asked or not is_of_labels:
            continue
        trouble = Trouble(each.tier, each.segment, moment_of(each.onset), kinds[each.id] == "level")
        # A segment with a mode of its own must not go with all others.
        places = weighed_places(
            cells,
            report.settings,
            trouble,
            plan.guard.failure_usd,
            plan.rollout.margin,
            apart=bool(plan.guard.segments),
        )
        if places is not None:
            found[each.id] = places
    return found


def has_threshold(policy: PolicyPlan) -> bool:
    """Whether a policy compares a confidence with a threshold, which can be raised."""
    return policy.kind == "cascade" or (policy.kind == "classifier" and policy.method != "rules")


def known_versions(book: GuardBook) -> tuple[KnownVersion, ...]:
    """All versions that have served, oldest first."""
    return tuple(KnownVersion(each.policy.name, each.version, each.first_served_at) for each in book.versions())


def dry_run_store(
    store: Path, plan: Guarded, settings: "Settings", days: int, now: datetime, progress: Progress = silent
) -> DryRun:
    """What the guard would have done on the last days of a store's log, one look at the end of each.

    Args:
        store: Its root folder.
        plan: What it works by.
        settings: For the audits.
        days: How many, at least 1, up to the log's last.
        now: Aware.
        progress: Told what is done.

    Raises:
        LogError: The store cannot be read.
        DataError: It has no decision with a tier.
    """
    from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells  # noqa: PLC0415 (scipy, pydantic)

    whole = AuditRequest((str(store),), format="undertow", settings=settings, now=now)
    cells = read_cells(whole, progress)
    last = datetime.fromtimestamp(max(cells.last_event, cells.last_available), UTC)
    end = min(last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1), now)
    moments = [end - timedelta(days=back) for back in reversed(range(days))]
    versions = known_versions(StoreGuardBook(store))
    episodes = Episodes(at="")

    def look_at(moment: datetime) -> GuardLook | None:
        nonlocal episodes
        progress(f"as of {moment:%Y-%m-%d}", moments.index(moment), len(moments))
        request = AuditRequest((str(store),), format="undertow", settings=settings, until=moment, now=now)
        try:
            then = read_cells(request)
            report = audit_cells(request, then)
        except (DataError, LogError):
            return None  # nothing was served by then
        episodes = episodes_of(report, episodes, AUDITED, rfc3339(moment))
        served = tuple(each for each in versions if moment_of(each.first_served_at) <= moment)
        serving = serving_versions((), None, served)
        if not serving:
            serving = {policy.name: policy.version for policy in plan.policies if policy.name == AUDITED}
        return look_of(report, episodes.episodes, then, served, serving, plan)

    return dry_run(moments, look_at, plan.guard, plan.rollout)


def _has_work(book: GuardBook, plan: Guarded, episodes: Episodes) -> bool:
    is_asked = plan.rollout.enabled or any(each.closed_at is None for each in episodes.episodes)
    return is_asked or bool(book.trail())


def _controls(book: GuardBook) -> Controls | None:
    from undertow.errors import ConfigError  # noqa: PLC0415

    try:
        return book.controls()
    except ConfigError:
        return None
