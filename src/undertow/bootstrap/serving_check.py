"""What `undertow serve` refuses at start: settings that an audit can do without and a gateway cannot.

All of it is found in one go, a line each, with what to do; nothing here needs the network.
"""

import ssl
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from undertow.config import Settings, check_secrets
from undertow.config.contradictions import policies_of
from undertow.config.problems import dotted, near
from undertow.config.routing import CascadePolicy, ClassifierPolicy, FixedPolicy, PolicyBase, SplitPolicy
from undertow.errors import ConfigError

AUTO = "auto"
"""Model name behind which `[policy]` stands."""

_GATEWAY_SETS = frozenset({"model", "messages", "input", "stream"})
_SECRET_NAMES = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key"})


def check_serving(settings: Settings, env: Mapping[str, str], folder: Path = Path()) -> None:
    """Refuse what the gateway cannot start with, unset secrets included.

    Args:
        settings: Settings as loaded.
        env: The environment, as `os.environ`.
        folder: Where relative paths in the settings start, see `LoadedSettings.folder`.

    Raises:
        ConfigError: One line for each problem.
    """
    problems = list(serving_problems(settings, folder))
    try:
        check_secrets(settings, env)
    except ConfigError as error:
        problems += str(error).splitlines()
    if problems:
        raise ConfigError("\n".join(problems))


def serving_problems(settings: Settings, folder: Path) -> Iterator[str]:
    """What stands in the way of serving, apart from secrets; a line each."""
    if not settings.tiers:
        yield "no [tiers.NAME] is set; a gateway needs at least one, with model and base_url"
        return
    yield from _tier_problems(settings, folder)
    order = serving_order(settings)
    if order is None:
        names = ", ".join(settings.tiers)
        yield f"tiers: which of {names} is the cheapest cannot be told; give each a rank, 0 = cheapest"
    yield from _name_problems(settings)
    for path, policy in policies_of(settings):
        yield from _policy_problems(
            dotted(path), policy, order or tuple(settings.tiers), folder, ordered=order is not None
        )
    if settings.passthrough.ca_file is not None:
        yield from _ca_problems("passthrough.ca_file", folder / settings.passthrough.ca_file)


def serving_order(settings: Settings) -> tuple[str, ...] | None:
    """Tier names, cheapest first; None: the settings do not tell."""
    return tuple(settings.tiers) if len(settings.tiers) == 1 else settings.tier_order


def _tier_problems(settings: Settings, folder: Path) -> Iterator[str]:
    for name, tier in settings.tiers.items():
        missing = [
            *(["model"] if tier.model is None else []),
            *(["base_url (or endpoints)"] if tier.base_url is None and not tier.endpoints else []),
        ]
        if missing:
            yield f"tiers.{name} has no {' and no '.join(missing)}; a gateway needs both to reach it"
        for parameter in sorted(_GATEWAY_SETS & tier.parameters.keys()):
            yield f"tiers.{name}.parameters.{parameter}: the gateway sets this of each request itself; remove it"
        for parameter in _secrets_in(tier.parameters):
            yield (
                f"tiers.{name}.parameters has {parameter!r}: a key never stands in the file; put it into an environment variable "
                "and name that in api_key_env"
            )
        if tier.ca_file is not None:
            yield from _ca_problems(f"tiers.{name}.ca_file", folder / tier.ca_file)


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.lower().replace("_", "-") in _SECRET_NAMES:
                yield name
            yield from _secrets_in(inner)


def _name_problems(settings: Settings) -> Iterator[str]:
    """Callers ask for policies, tiers and models by one name, so each name must mean one thing."""
    if AUTO in settings.policies:
        yield f"policies.{AUTO}: the policy behind the model name {AUTO!r} is [policy]; rename this one"
    if AUTO in settings.tiers:
        yield f"tiers.{AUTO}: {AUTO!r} is the model name behind which [policy] stands; rename the tier"
    models = {tier.model for tier in settings.tiers.values()}
    for name in settings.policies:
        if name in settings.tiers or name in models:
            what = "tier" if name in settings.tiers else "tier's model"
            yield f"policies.{name} is also the name of a {what}; callers ask for both by that name, so rename it"


def _policy_problems(
    where: str, policy: PolicyBase, order: tuple[str, ...], folder: Path, *, ordered: bool
) -> Iterator[str]:
    used = policy.tiers or order
    unknown = [name for name in used if name not in order]  # with [tiers] set, the loader has refused them already
    for name in unknown:
        yield f"{where}.tiers names the tier {name!r}, which has no [tiers.{name}]; {near(name, list(order))}"
    if len(set(used)) < len(used):
        yield f"{where}.tiers names a tier twice"
    elif ordered and not unknown and any(order.index(low) > order.index(high) for low, high in pairwise(used)):
        yield f"{where}.tiers must go from the cheapest up: {', '.join(name for name in order if name in used)}"
    match policy:
        case FixedPolicy():
            if policy.tier not in used:
                yield f"{where}.tier is {policy.tier!r}, which is none of its tiers; {near(policy.tier, list(used))}"
        case SplitPolicy():
            for name in policy.shares:
                if name not in used:
                    yield f"{where}.shares names {name!r}, which is none of its tiers; {near(name, list(used))}"
            if sum(share > 0 for share in policy.shares.values()) < 2:
                yield f'{where} is a split with one share; give two tiers a share, or set kind = "fixed"'
        case CascadePolicy():
            yield from _single_tier(where, "cascade", used)
            later = [name for name in ("calibration", "strict") if getattr(policy, name)]
            later += ["streaming"] if policy.streaming != "hold" else []
            for name in later:
                yield f"{where}.{name} is set, but this version serves no calibrated cascade yet; leave it at its default"
        case ClassifierPolicy():
            yield from _single_tier(where, "classifier", used)
            if policy.method != "rules" and policy.artefact is not None and not (folder / policy.artefact).is_file():
                yield (
                    f"{where}.artefact: there is no file {str(folder / policy.artefact)!r}; `undertow train` writes it, and "
                    "a relative path starts at the settings file's folder"
                )


def _single_tier(where: str, kind: str, used: tuple[str, ...]) -> Iterator[str]:
    if len(used) == 1:
        yield (
            f"{where} is a {kind}, but {used[0]!r} is its only tier: there is nothing to choose; add a second tier, or set "
            f'kind = "fixed" and tier = "{used[0]}"'
        )


def _ca_problems(where: str, path: Path) -> Iterator[str]:
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        yield f"{where}: {str(path)!r} holds no certificates in PEM form"
    except OSError as error:
        yield f"{where}: {str(path)!r} cannot be read ({error.strerror or type(error).__name__})"
