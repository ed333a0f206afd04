"""A serving plan from wherever it is: compiled beforehand (`undertow config compile`), or made from the settings on the spot.

`undertow.Client` starts here. With a compiled plan it loads neither pydantic nor the price list: those are imported for TOML alone.
"""

import os
from collections.abc import Callable, Mapping

import msgspec

from undertow.errors import ConfigError
from undertow.records.serving import (
    AlertsPlan,
    EndpointPlan,
    PolicyPlan,
    ServingPlan,
    TierPlan,
    decode_plan,
    encode_plan,
)
from undertow.records.unreadable import UNREADABLE

MAX_BYTES = 10_000_000
"""A larger file is no plan."""


def read_plan(path: str | os.PathLike[str] | None, env: Mapping[str, str]) -> ServingPlan:
    """The serving plan of a file: a compiled plan where its name ends in `.json`, else settings in TOML.

    Args:
        path: The file; None: `undertow.toml` in the current folder.
        env: The environment, as `os.environ`: settings may come from it, and variables that the plan names must be in it.

    Raises:
        ConfigError: The file cannot be read or is wrong, or an environment variable that the plan names is unset.
    """
    if path is not None and os.fspath(path).endswith(".json"):
        plan = _read_compiled(os.fspath(path))
    else:
        from pathlib import Path  # noqa: PLC0415

        from undertow.bootstrap.plan import load_plan  # noqa: PLC0415 (pydantic and the price list)

        plan = load_plan(None if path is None else Path(path), env)
    missing = [name for name in plan_variables(plan) if not env.get(name)]
    if missing:
        raise ConfigError(
            "\n".join(f"environment variable {name} is not set, and the settings name it for a key" for name in missing)
        )
    return plan


def plan_variables(plan: ServingPlan) -> tuple[str, ...]:
    """Names of the environment variables that the data plane needs: keys of upstreams and of ids."""
    endpoints = [endpoint for tier in plan.tiers for endpoint in tier.endpoints]
    if plan.passthrough is not None:
        endpoints.append(plan.passthrough)
    names = [endpoint.api_key_env for endpoint in endpoints] + [plan.store.id_key_env]
    return tuple(dict.fromkeys(name for name in names if name is not None))


def alert_variables(plan: AlertsPlan) -> tuple[str, ...]:
    """Names of the environment variables that hold secrets of `[alerts]`: a gateway needs them, a client that is embedded does not.

    Examples:
        >>> alert_variables(AlertsPlan(slack_url_env="SLACK", dead_man_url_env="PING"))
        ('SLACK', 'PING')
    """
    names = (
        plan.slack_url_env,
        plan.pagerduty_key_env,
        plan.webhook_secret_env,
        plan.smtp_url_env,
        plan.dead_man_url_env,
    )
    return tuple(dict.fromkeys(name for name in names if name is not None))


def portable(plan: ServingPlan, folder: str) -> bytes:
    """The plan as a document in `folder`: paths of files below the folder are relative to it, so that both can be moved."""

    def shorten(path: str) -> str:
        relative = os.path.relpath(path, folder)
        return path if relative.startswith(os.pardir) else relative

    return msgspec.json.format(encode_plan(_with_paths(plan, shorten)), indent=1) + b"\n"


def _read_compiled(path: str) -> ServingPlan:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib is not loaded for this)
            document = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    if len(document) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES:,} bytes; that is no compiled plan")
    try:
        plan = decode_plan(document)
    except UNREADABLE as error:
        raise ConfigError(f"{path}: is no compiled plan ({error}); `undertow config compile` writes one") from error
    if not plan.tiers or not plan.policies:
        raise ConfigError(f"{path}: has no tiers or no policies; `undertow config compile` writes a whole plan")
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    return _with_paths(plan, lambda name: os.path.join(folder, name))  # noqa: PTH118


def _with_paths(plan: ServingPlan, change: Callable[[str], str]) -> ServingPlan:
    def endpoint(given: EndpointPlan) -> EndpointPlan:
        return given if given.ca_file is None else msgspec.structs.replace(given, ca_file=change(given.ca_file))

    def tier(given: TierPlan) -> TierPlan:
        return msgspec.structs.replace(given, endpoints=tuple(map(endpoint, given.endpoints)))

    def policy(given: PolicyPlan) -> PolicyPlan:
        return msgspec.structs.replace(
            given,
            artefact=None if given.artefact is None else change(given.artefact),
            calibrations=tuple(map(change, given.calibrations)),
            predictive=None if given.predictive is None else change(given.predictive),
        )

    return msgspec.structs.replace(
        plan,
        tiers=tuple(map(tier, plan.tiers)),
        policies=tuple(map(policy, plan.policies)),
        passthrough=None if plan.passthrough is None else endpoint(plan.passthrough),
    )
