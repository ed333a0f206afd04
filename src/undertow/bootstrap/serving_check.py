"""What `undertow serve` refuses at start: settings that an audit can do without and a gateway cannot.

All of it is found in one go, a line each, with what to do; nothing here needs the network.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

from undertow.bootstrap.calibration_files import cascade_problems
from undertow.config import Settings, check_secrets
from undertow.config.contradictions import policies_of
from undertow.config.problems import Problem, dotted, near
from undertow.config.routing import CascadePolicy, ClassifierPolicy, FixedPolicy, PolicyBase, SplitPolicy
from undertow.errors import ConfigError

AUTO = "auto"
"""Model name behind which `[policy]` stands."""

SettingPath = tuple[str | int, ...]

_GATEWAY_SETS = frozenset({"model", "messages", "input", "stream"})
_SECRET_NAMES = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key"})


def check_serving(
    settings: Settings,
    env: Mapping[str, str],
    folder: Path = Path(),
    located: Callable[[Problem], str] = attrgetter("message"),
) -> None:
    """Refuse what the gateway cannot start with, unset secrets included.

    Args:
        settings: Settings as loaded.
        env: The environment, as `os.environ`.
        folder: Where relative paths in the settings start: `LoadedSettings.folder`.
        located: Puts the place of a problem before its message: `LoadedSettings.located`.

    Raises:
        ConfigError: One line for each problem.
    """
    problems = [located(problem) for problem in serving_problems(settings, folder)]
    try:
        check_secrets(settings, env)
    except ConfigError as error:
        problems += str(error).splitlines()
    if problems:
        raise ConfigError("\n".join(problems))


def serving_problems(settings: Settings, folder: Path) -> Iterator[Problem]:
    """What stands in the way of serving, apart from secrets."""
    if not settings.tiers:
        yield Problem((), "no [tiers.NAME] is set; a gateway needs at least one, with model and base_url")
        return
    yield from _tier_problems(settings, folder)
    order = serving_order(settings)
    if order is None:
        names = ", ".join(settings.tiers)
        yield Problem(
            ("tiers",), f"tiers: which of {names} is the cheapest cannot be told; give each a rank, 0 = cheapest"
        )
    yield from _name_problems(settings)
    for path, policy in policies_of(settings):
        yield from _tiers_of_policy_problems(path, policy, order or tuple(settings.tiers), is_ordered=order is not None)
        yield from _policy_problems(path, policy, settings, policy.tiers or order or tuple(settings.tiers), folder)
    if settings.passthrough.ca_file is not None:
        yield from _ca_problems(("passthrough", "ca_file"), folder / settings.passthrough.ca_file)


def serving_order(settings: Settings) -> tuple[str, ...] | None:
    """Tier names, cheapest first; None: the settings do not tell."""
    return tuple(settings.tiers) if len(settings.tiers) == 1 else settings.tier_order


def _tier_problems(settings: Settings, folder: Path) -> Iterator[Problem]:
    for name, tier in settings.tiers.items():
        path: SettingPath = ("tiers", name)
        missing = [
            *(["model"] if tier.model is None else []),
            *(["base_url (or endpoints)"] if tier.base_url is None and not tier.endpoints else []),
        ]
        if missing:
            yield Problem(path, f"tiers.{name} has no {' and no '.join(missing)}; a gateway needs both to reach it")
        for parameter in sorted(_GATEWAY_SETS & tier.parameters.keys()):
            where = (*path, "parameters", parameter)
            yield Problem(where, f"{dotted(where)}: the gateway sets this of each request itself; remove it")
        for parameter in _secrets_in(tier.parameters):
            yield Problem(
                (*path, "parameters"),
                f"tiers.{name}.parameters has {parameter!r}: a key never stands in the file; put it into an environment variable "
                "and name that in api_key_env",
            )
        if tier.ca_file is not None:
            yield from _ca_problems((*path, "ca_file"), folder / tier.ca_file)


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.lower().replace("_", "-") in _SECRET_NAMES:
                yield name
            yield from _secrets_in(inner)


def _name_problems(settings: Settings) -> Iterator[Problem]:
    """Callers ask for policies, tiers and models by one name, so each name must mean one thing."""
    if AUTO in settings.policies:
        yield Problem(
            ("policies", AUTO),
            f"policies.{AUTO}: the policy behind the model name {AUTO!r} is [policy]; rename this one",
        )
    if AUTO in settings.tiers:
        yield Problem(
            ("tiers", AUTO), f"tiers.{AUTO}: {AUTO!r} is the model name behind which [policy] stands; rename the tier"
        )
    models = {tier.model for tier in settings.tiers.values()}
    for name in settings.policies:
        if name in settings.tiers or name in models:
            what = "tier" if name in settings.tiers else "tier's model"
            yield Problem(
                ("policies", name),
                f"policies.{name} is also the name of a {what}; callers ask for both by that name, so rename it",
            )


def _tiers_of_policy_problems(
    path: SettingPath, policy: PolicyBase, order: tuple[str, ...], *, is_ordered: bool
) -> Iterator[Problem]:
    where = (*path, "tiers")
    unknown = [name for name in policy.tiers if name not in order]
    for name in unknown:
        yield Problem(where, f"{dotted(where)} names the tier {name!r}; {near(name, list(order))}")
    if len(set(policy.tiers)) < len(policy.tiers):
        yield Problem(where, f"{dotted(where)} names a tier twice")
    elif is_ordered and not unknown and any(order.index(a) > order.index(b) for a, b in pairwise(policy.tiers)):
        upwards = ", ".join(name for name in order if name in policy.tiers)
        yield Problem(where, f"{dotted(where)} must go from the cheapest up: {upwards}")


def _policy_problems(
    path: SettingPath, policy: PolicyBase, settings: Settings, used: tuple[str, ...], folder: Path
) -> Iterator[Problem]:
    where = dotted(path)
    match policy:
        case FixedPolicy():
            if policy.tier not in used:
                hint = near(policy.tier, list(used))
                yield Problem((*path, "tier"), f"{where}.tier is {policy.tier!r}, which is none of its tiers; {hint}")
        case SplitPolicy():
            for name in policy.shares:
                if name not in used:
                    hint = near(name, list(used))
                    yield Problem(
                        (*path, "shares"), f"{where}.shares names {name!r}, which is none of its tiers; {hint}"
                    )
            if sum(share > 0 for share in policy.shares.values()) < 2:
                yield Problem(
                    (*path, "shares"),
                    f'{where} is a split with one share; give two tiers a share, or set kind = "fixed"',
                )
        case CascadePolicy():
            yield from _single_tier(path, "cascade", used)
            yield from cascade_problems(path, policy, settings, used, folder)
        case ClassifierPolicy():
            yield from _single_tier(path, "classifier", used)
            if policy.method != "rules" and policy.artefact is not None and not (folder / policy.artefact).is_file():
                yield Problem(
                    (*path, "artefact"),
                    f"{where}.artefact: there is no file {str(folder / policy.artefact)!r}; `undertow train` writes it, and "
                    "a relative path starts at the settings file's folder",
                )


def _single_tier(path: SettingPath, kind: str, used: tuple[str, ...]) -> Iterator[Problem]:
    if len(used) == 1:
        yield Problem(
            path,
            f"{dotted(path)} is a {kind}, but {used[0]!r} is its only tier: there is nothing to choose; add a second tier, or "
            f'set kind = "fixed" and tier = "{used[0]}"',
        )


def _ca_problems(path: SettingPath, file: Path) -> Iterator[Problem]:
    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError:
        yield Problem(path, f"{dotted(path)}: {str(file)!r} holds no certificates in PEM form")
    except OSError as error:
        yield Problem(path, f"{dotted(path)}: {str(file)!r} cannot be read ({error.strerror or type(error).__name__})")
