"""What the keeper works on, taken from a serving plan or from the settings, and the adapters built for it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.store.parquet_lookup import find_in_parquet
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.adapters.telemetry.otlp import OtlpSpans
from undertow.adapters.telemetry.segment_tail import SegmentTail
from undertow.adapters.telemetry.spans import provider_of
from undertow.behaviour.implicit import ImplicitSignals
from undertow.bootstrap.shadow import ShadowSide, build_shadow
from undertow.errors import ConfigError
from undertow.records.serving import (
    ImplicitPlan,
    ServingPlan,
    ShadowPlan,
    StorePlan,
    TelemetryPlan,
    TierPlan,
    TuningPlan,
    decode_plan,
)
from undertow.records.unreadable import UNREADABLE

if TYPE_CHECKING:
    from undertow.config.settings import Settings


@dataclass(frozen=True, slots=True)
class KeeperPlan:
    """What a keeper is told.

    Attributes:
        store: The store.
        tiers: All tiers, cheapest first; empty: unknown.
        providers: `gen_ai.provider.name` by tier.
        implicit: Signals read off conversations.
        telemetry: Traces and logs.
        tuning: Thresholds that follow their labels.
        calibrations: Absolute paths of calibration artefacts, by the name of the policy that uses them.
        committing: Names of the policies that serve streams from their first tokens on.
        text_days: Days that texts drawn for review or shadow are kept.
        serving: The whole plan: what upstreams, judge, monitors, guard and alerts are built from. None: the store is kept and not watched.
    """

    store: StorePlan
    tiers: tuple[str, ...] = ()
    providers: Mapping[str, str] = field(default_factory=dict)
    implicit: ImplicitPlan = field(default_factory=ImplicitPlan)
    telemetry: TelemetryPlan = field(default_factory=TelemetryPlan)
    tuning: TuningPlan = field(default_factory=TuningPlan)
    calibrations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    committing: frozenset[str] = frozenset()
    text_days: float = 14.0
    serving: ServingPlan | None = None


def keeper_plan(plan: ServingPlan) -> KeeperPlan:
    """The keeper's part of a serving plan."""
    return KeeperPlan(
        store=plan.store,
        tiers=tuple(tier.name for tier in plan.tiers),
        providers={
            tier.name: provider_of(tier.endpoints[0].base_url, tier.endpoints[0].kind)
            for tier in plan.tiers
            if tier.endpoints
        },
        implicit=plan.implicit,
        telemetry=plan.telemetry,
        tuning=plan.tuning,
        calibrations={policy.name: policy.calibrations for policy in plan.policies if policy.calibrations},
        committing=frozenset(policy.name for policy in plan.policies if policy.streaming == "commit"),
        text_days=plan.review.text_days,
        serving=plan,
    )


def read_keeper_plan(path: Path) -> KeeperPlan:
    """The keeper's part of a compiled serving plan.

    Raises:
        ConfigError: The file cannot be read, or is none.
    """
    try:
        return keeper_plan(decode_plan(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from error
    except UNREADABLE as error:
        raise ConfigError(f"{path}: this is no serving plan of this version; compile it again") from error


def watching_plan(store: Path, settings: "Settings", folder: Path, day: date) -> KeeperPlan:
    """A plan for a store that stands alone, beside whatever writes to it: no conversations and no second answers, traces if the settings say so.

    Policies are in it where the settings are enough to serve by: the guard tightens only what has a threshold, and scores are compared with
    those of the calibration.

    Args:
        store: Its root folder.
        settings: Settings as loaded; tiers without an address will do.
        folder: Where relative paths in them start.
        day: For prices.

    Raises:
        ConfigError: A calibration that they name cannot be read.
    """
    from undertow.bootstrap.plan import compiled_policies, watching_parts  # noqa: PLC0415 (pydantic)

    telemetry, tiers = settings.telemetry, settings.tier_order or ()
    plan = StorePlan(path=str(store), id_key_env=settings.store.id_key_env)
    parts = watching_parts(settings, folder, day)
    return KeeperPlan(
        store=plan,
        tiers=tiers,
        implicit=ImplicitPlan(enabled=False),
        tuning=parts["tuning"],
        serving=ServingPlan(
            tiers=tuple(TierPlan(name=name, model="", endpoints=()) for name in tiers),
            policies=compiled_policies(settings, folder, day),
            store=plan,
            shadow=ShadowPlan(share=0.0),
            **parts,
        ),
        telemetry=TelemetryPlan(
            traces=telemetry.traces,
            otlp_endpoint=telemetry.otlp_endpoint,
            service_name=telemetry.service_name,
            log_level=telemetry.log_level,
            log_format=telemetry.log_format,
        ),
        text_days=settings.retention.sampled_text_days,
    )


@dataclass(frozen=True, slots=True)
class KeeperParts:
    """Adapters of one keeper.

    Attributes:
        implicit: State of conversations, or None: no implicit signals.
        signals: Where those go, or None without them.
        tail: The log's lines for traces, or None without traces.
        connect: Opens the exporter of spans.
        find: Finds the JSON line of a decision in the converted log.
        shadow: What second answers are made with, or None: none are wanted, or there is no gateway.
    """

    implicit: ImplicitSignals | None
    signals: StoreSignalLog | None
    tail: SegmentTail | None
    connect: Callable[[], OtlpSpans]
    find: Callable[[str], bytes | None]
    shadow: ShadowSide | None = None


def build_keeper(plan: KeeperPlan, env: Mapping[str, str] = os.environ) -> KeeperParts:
    """Build what a keeper needs. Opens no file and no connection yet.

    Args:
        plan: What it works on.
        env: Environment with the secrets that the plan names.

    Raises:
        ConfigError: A named variable is unset, or a hook cannot be loaded.
    """
    store = Path(plan.store.path)
    is_watching_conversations = plan.implicit.enabled
    return KeeperParts(
        # The key lives as long as this process: nobody can tell what the hashes in its memory were made from.
        implicit=ImplicitSignals(plan.implicit, os.urandom(32)) if is_watching_conversations else None,
        signals=StoreSignalLog(plan.store, f"keeper.{os.getpid()}") if is_watching_conversations else None,
        tail=SegmentTail(store) if plan.telemetry.traces else None,
        connect=lambda: OtlpSpans(plan.telemetry.otlp_endpoint, plan.telemetry.service_name),
        find=lambda decision_id: find_in_parquet(store, decision_id),
        shadow=None if plan.serving is None else build_shadow(plan.serving, env),
    )
