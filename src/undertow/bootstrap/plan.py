"""Settings -> the serving plan: the one document that the data plane reads.

Whatever is slow or large (pydantic, the price list) is done here, once, so that a worker and `undertow.Client` start with neither.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.prices.serving import flat_prices, listed_model
from undertow.bootstrap.calibration_files import calibration_files, with_certified_margin
from undertow.bootstrap.reviewing import review_rules
from undertow.bootstrap.serving_check import AUTO, serving_order, serving_problems
from undertow.config import Settings, find_file, load_settings
from undertow.config.problems import Problem
from undertow.config.routing import CascadePolicy, ClassifierPolicy, FixedPolicy, PolicyBase, SplitPolicy
from undertow.config.tiers import TierSettings
from undertow.errors import ConfigError
from undertow.policies.version import artefact_paths, policy_version
from undertow.records.serving import (
    AlertsPlan,
    ConstraintsPlan,
    EndpointPlan,
    GuardPlan,
    HoldoutPlan,
    ImplicitPlan,
    JudgePlan,
    KeyPlan,
    LimitsPlan,
    PolicyPlan,
    ReviewPlan,
    RolloutPlan,
    ServingPlan,
    ShadowPlan,
    SourcePlan,
    StorePlan,
    TelemetryPlan,
    TierPlan,
    TuningPlan,
    UiPlan,
)

_CASCADE_SETTINGS = (
    "threshold", "strict", "streaming", "race_below", "self_check", "samples", "skip_below", "hysteresis", "stay_turns", "evidence",
    "prefix_tokens",
)  # fmt: skip

_JUDGE_SETTINGS = (
    "parameters", "name", "rubric", "rubrics", "both_orders", "share", "budget_usd_day", "timeout_s", "max_chars", "usd_per_call",
    "anchors_per_day",
)  # fmt: skip


def load_plan(path: Path | None, env: Mapping[str, str]) -> ServingPlan:
    """The plan of a settings file, at today's prices.

    Args:
        path: The TOML file; None: `undertow.toml` in the current folder where it exists, else the environment alone.
        env: The environment, as `os.environ`.

    Raises:
        ConfigError: The settings are wrong or not enough to serve; one line a problem.
    """
    loaded = load_settings(find_file(path, Path.cwd()), env)
    return compile_plan(loaded.settings, loaded.folder, datetime.now(UTC).date(), loaded.located)


def compile_plan(
    settings: Settings, folder: Path, day: date, located: Callable[[Problem], str] = attrgetter("message")
) -> ServingPlan:
    """The plan of some settings. It holds names of environment variables, never what is in them.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start: `LoadedSettings.folder`.
        day: Prices of this day hold.
        located: Puts the place of a problem before its message: `LoadedSettings.located`.

    Raises:
        ConfigError: The settings are not enough to serve; one line a problem.
    """
    order = serving_order(settings)
    problems = [located(problem) for problem in serving_problems(settings, folder)]
    if problems or order is None:
        raise ConfigError("\n".join(problems))
    folder = folder.resolve()
    tiers = {name: _tier(name, settings.tiers[name], folder, day) for name in order}
    constraints = ConstraintsPlan(**settings.constraints.model_dump())
    holdout = HoldoutPlan(**settings.holdout.model_dump())
    return ServingPlan(
        tiers=tuple(tiers.values()),
        policies=tuple(
            _versioned(_policy(name, policy, order, folder), tiers, constraints, holdout)
            for name, policy in {AUTO: settings.policy, **settings.policies}.items()
        ),
        constraints=constraints,
        holdout=holdout,
        keys=_keys(settings),
        limits=_limits(settings),
        store=StorePlan(
            path=settings.store.path,
            id_key_env=settings.store.id_key_env,
            keeps_text=settings.retention.text_days > 0,
            redact=settings.retention.redact,
            text_sketch=settings.retention.text_sketch,
            segment_bytes=round(settings.store.segment_mb * 1e6),
            segment_s=settings.store.segment_s,
        ),
        passthrough=_passthrough(settings, folder),
        traces=settings.telemetry.traces,
        implicit=ImplicitPlan(
            enabled=settings.implicit.enabled,
            window_s=settings.implicit.window_minutes * 60,
            repeat_similarity=settings.implicit.repeat_similarity,
            human_words=settings.implicit.human_words,
            handover_tools=settings.implicit.handover_tools,
        ),
        telemetry=TelemetryPlan(**settings.telemetry.model_dump()),
        shadow=ShadowPlan(**settings.shadow.model_dump()),
        ui=_ui(settings),
        **watching_parts(settings, folder, day),
    )


def compiled_policies(settings: Settings, folder: Path, day: date) -> tuple[PolicyPlan, ...]:
    """The policies of some settings as they would serve; none where the settings are not enough to serve. Arguments as of `compile_plan`."""
    try:
        return compile_plan(settings, folder, day).policies
    except ConfigError:
        return ()


def watching_parts(settings: Settings, folder: Path, day: date) -> dict[str, Any]:
    """What a store is watched by, as fields of a plan: monitors, reviews, judge, guard, alerts and outcomes. A gateway is not needed for any of it.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start.
        day: Prices of this day hold.

    Raises:
        ConfigError: A calibration that the settings name cannot be read.
    """
    folder = folder.resolve()
    margin = with_certified_margin(settings, folder).monitors_margin
    return {
        "tuning": TuningPlan(
            **settings.tuning.model_dump(),
            monitors_margin=margin,
            alpha=settings.monitors.alpha,
            bucket=settings.monitors.bucket,
            segments=settings.monitors.segments,
        ),
        "review": ReviewPlan(
            per_day=settings.review.per_day,
            min_per_segment=settings.review.min_per_segment,
            cheap_share=settings.review.cheap_share,
            tail_share=settings.review.tail_share,
            stakes=settings.review.stakes,
            text_days=settings.retention.sampled_text_days,
        ),
        "judge": judge_plan(settings, folder, day),
        "review_rules": review_rules(settings),
        "guard": GuardPlan(**settings.guard.model_dump()),
        "rollout": RolloutPlan(
            **settings.rollout.model_dump(exclude={"margin"}), margin=settings.rollout.margin or margin
        ),
        "alerts": AlertsPlan(**settings.alerts.model_dump()),
        "sources": source_plans(settings, folder),
        "monitor_minutes": settings.monitors.every_minutes,
    }


def judge_plan(settings: Settings, folder: Path, day: date) -> JudgePlan | None:
    """The judge of some settings, or None: there is none. Arguments as of `compile_plan`."""
    judge = settings.judge
    if judge.model is None and judge.function is None:
        return None
    folder = folder.resolve()
    endpoint = None
    if judge.base_url is not None:
        ca_file = None if judge.ca_file is None else str(folder / judge.ca_file)
        endpoint = EndpointPlan(base_url=judge.base_url, api_key_env=judge.api_key_env, ca_file=ca_file)
    listed = None if judge.model is None else listed_model(judge.model, [judge.base_url or ""], day)
    return JudgePlan(
        model=judge.model if judge.function is None else None,
        endpoint=endpoint,
        function=judge.function,
        anchors=None if judge.anchors is None else str(folder / judge.anchors),
        prices=() if listed is None else listed.prices,
        **judge.model_dump(include=set(_JUDGE_SETTINGS)),
    )


def _tier(name: str, tier: TierSettings, folder: Path, day: date) -> TierPlan:
    assert tier.model is not None, "serving_problems has refused tiers without a model"
    ca_file = None if tier.ca_file is None else str(folder / tier.ca_file)
    given = tier.endpoints or (tier,)
    endpoints = tuple(
        EndpointPlan(base_url=each.base_url, kind=each.kind, api_key_env=each.api_key_env, ca_file=ca_file)
        for each in given
        if each.base_url is not None
    )
    listed = listed_model(tier.model, [endpoint.base_url for endpoint in endpoints], day)
    table = None if isinstance(tier.prices, str) else tier.prices
    return TierPlan(
        name=name,
        model=tier.model,
        endpoints=endpoints,
        parameters=tier.parameters,
        prices=listed.prices if table is None else flat_prices(**table.model_dump()),
        context_tokens=tier.context_tokens or listed.context_tokens,
    )


def _policy(name: str, policy: PolicyBase, order: tuple[str, ...], folder: Path) -> PolicyPlan:
    own: dict[str, Any] = {}
    match policy:
        case CascadePolicy():
            own = {
                "calibrations": tuple(str(folder / file) for file in calibration_files(policy)),
                "predictive": None if policy.predictive is None else str(folder / policy.predictive),
                **{name: getattr(policy, name) for name in _CASCADE_SETTINGS},
            }
        case ClassifierPolicy():
            own = {
                "threshold": policy.threshold,
                "method": policy.method,
                "artefact": None
                if policy.artefact is None or policy.method == "rules"
                else str(folder / policy.artefact),
                "cheap_segments": policy.cheap_segments,
                "deadline_ms": policy.deadline_ms,
            }
        case FixedPolicy():
            own = {"tier": policy.tier}
        case SplitPolicy():
            own = {"shares": policy.shares}
    kind = getattr(policy, "kind")  # noqa: B009 (each kind has it; their common base, which names it nowhere, has not)
    return PolicyPlan(name=name, version="", kind=kind, mode=policy.mode, tiers=policy.tiers or order, **own)


def _versioned(
    policy: PolicyPlan, tiers: Mapping[str, TierPlan], constraints: ConstraintsPlan, holdout: HoldoutPlan
) -> PolicyPlan:
    """The policy with its version; see `undertow.policies.version`."""
    contents = (Path(file).read_bytes() for file in artefact_paths(policy))
    return msgspec.structs.replace(policy, version=policy_version(policy, tiers, constraints, holdout, contents))


def _keys(settings: Settings) -> tuple[KeyPlan, ...]:
    return tuple(
        KeyPlan(
            name=name,
            key_id=key.id,
            sha256=key.sha256,
            budget_usd_day=key.budget_usd_day,
            requests_per_minute=key.requests_per_minute,
            tiers=key.tiers,
            labels=key.labels,
            ui=key.ui,
        )
        for name, key in settings.keys.items()
    )


def _limits(settings: Settings) -> LimitsPlan:
    gateway, upstream = settings.gateway, settings.upstream
    return LimitsPlan(
        max_body_bytes=round(gateway.max_body_mb * 1e6),
        max_header_bytes=gateway.max_header_bytes,
        max_headers=gateway.max_headers,
        max_nesting=gateway.max_nesting,
        header_timeout_s=gateway.header_timeout_s,
        body_timeout_s=gateway.body_timeout_s,
        idle_timeout_s=gateway.idle_timeout_s,
        max_connections=gateway.max_connections,
        max_in_flight=gateway.max_in_flight,
        drain_timeout_s=gateway.drain_timeout_s,
        max_answer_bytes=round(upstream.max_answer_mb * 1e6),
        connect_timeout_s=upstream.connect_timeout_s,
        first_byte_timeout_s=upstream.first_byte_timeout_s,
        total_timeout_s=upstream.total_timeout_s,
        max_retries=upstream.max_retries,
        retry_budget=upstream.retry_budget,
        breaker_failures=upstream.breaker_failures,
        breaker_open_s=upstream.breaker_open_s,
        connections_per_upstream=upstream.connections,
    )


def _ui(settings: Settings) -> UiPlan:
    """The dashboard. A gateway that may be public without keys has something before it, from which everybody comes as from this machine."""
    knows_who_asks = bool(settings.keys) or settings.ui.user_header is not None
    return UiPlan(
        **settings.ui.model_dump(),
        is_open_here=not knows_who_asks and not settings.gateway.allow_public_without_keys,
    )


def source_plans(settings: Settings, folder: Path) -> tuple[SourcePlan, ...]:
    """Where outcomes come from.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start.
    """
    return tuple(
        SourcePlan(
            name=name,
            path=None if source.path is None else str(folder / source.path),
            **source.model_dump(exclude={"path"}),
        )
        for name, source in settings.sources.items()
    )


def _passthrough(settings: Settings, folder: Path) -> EndpointPlan | None:
    given = settings.passthrough
    if given.base_url is None:
        return None
    ca_file = None if given.ca_file is None else str(folder / given.ca_file)
    return EndpointPlan(base_url=given.base_url, api_key_env=given.api_key_env, ca_file=ca_file)
