"""What no single value shows: names that lead nowhere, settings that exclude each other, and settings that hardly can be meant."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from undertow.alerting.internal import is_named_internal
from undertow.config.problems import Problem, dotted, near
from undertow.config.routing import CascadePolicy, ClassifierPolicy, FixedPolicy, PolicyBase, SplitPolicy
from undertow.config.settings import Settings
from undertow.config.tiers import TierSettings

Path = tuple[str | int, ...]


def contradictions(settings: Settings) -> Iterator[Problem]:
    """What is refused although each value by itself is allowed."""
    tiers = list(settings.tiers)
    for path, policy in policies_of(settings):
        yield from _policy_contradictions(path, policy, tiers)
    ranks = {name: tier.rank for name, tier in settings.tiers.items()}
    if any(rank is None for rank in ranks.values()) and any(rank is not None for rank in ranks.values()):
        without = next(name for name, rank in ranks.items() if rank is None)
        yield Problem(
            ("tiers", without), f"tiers.{without} has no rank, but other tiers have; give it to all or to none"
        )
    if len(set(ranks.values())) < len(ranks) and None not in ranks.values():
        yield Problem(("tiers",), "two tiers have the same rank; each needs its own")
    for name, tier in settings.tiers.items():
        if tier.endpoints and tier.base_url is not None:
            yield Problem(("tiers", name, "base_url"), f"tiers.{name} has base_url and endpoints; keep one of them")
    if settings.judge.model is not None and settings.judge.base_url is None:
        yield Problem(("judge", "model"), "judge.model is set, but judge.base_url is not; a judge needs an address")
    if settings.retention.text_sketch and settings.store.id_key_env is None:
        yield Problem(
            ("retention", "text_sketch"),
            "retention.text_sketch needs store.id_key_env: without a key anyone could guess the words of a sketch with a dictionary; name an "
            "environment variable that holds one (`undertow key` makes one), or set text_sketch = false",
        )
    yield from _key_contradictions(settings)
    yield from _alert_contradictions(settings)
    yield from _ui_contradictions(settings)


def advice(settings: Settings) -> Iterator[Problem]:
    """What is allowed, but hardly is what was wanted."""
    if own := tiers_that_judge(settings):
        yield Problem(
            ("judge", "model"),
            f"judge.model is {settings.judge.model!r}, which is the model of tiers.{own[0]} as well: models favour their own answers, so a loss "
            "would show less; take another model to judge",
        )
    alerts = settings.alerts
    if alerts.smtp_url_env is not None and not alerts.email_to:
        yield Problem(
            ("alerts", "smtp_url_env"), "alerts.smtp_url_env is set, but alerts.email_to is not: nobody gets a mail"
        )
    if alerts.webhook_url is not None and alerts.webhook_secret_env is None:
        yield Problem(
            ("alerts", "webhook_url"),
            "alerts.webhook_url gets unsigned messages, which anybody could send; name a key in webhook_secret_env",
        )
    is_told = (alerts.slack_url_env, alerts.pagerduty_key_env, alerts.alertmanager_url, alerts.webhook_url)
    if settings.monitors.every_minutes == 0 and (any(is_told) or alerts.email_to):
        yield Problem(
            ("monitors", "every_minutes"),
            "monitors.every_minutes is 0, so that nobody looks at the log, and [alerts] has nothing to tell of",
        )
    if settings.ui.user_header is not None and not settings.ui.roles and settings.ui.default_role is None:
        yield Problem(
            ("ui", "user_header"),
            "ui.user_header is set, but neither ui.roles nor ui.default_role: nobody whom the proxy names may open the dashboard",
        )
    order = settings.tier_order or tuple(settings.tiers)
    for path, policy in policies_of(settings):
        used = [name for name in policy.tiers or order if name in settings.tiers]
        mute = [name for name in used[:-1] if _speaks_anthropic_only(settings.tiers[name])]
        if isinstance(policy, CascadePolicy) and mute:
            yield Problem(
                path,
                f"{dotted(path)} is a cascade, but tiers.{mute[0]} speaks Anthropic's format, which has no log-probabilities: each "
                "of its answers will be escalated (no_confidence); use a classifier, or another cheap tier",
            )
        if isinstance(policy, ClassifierPolicy) and policy.method == "rules" and not policy.cheap_segments:
            yield Problem(
                path, f"{dotted(path)} goes by rules, but has no cheap_segments: everything goes to the capable tier"
            )


def _alert_contradictions(settings: Settings) -> Iterator[Problem]:
    alerts = settings.alerts
    pairs = (
        ("email_to", bool(alerts.email_to), "smtp_url_env", alerts.smtp_url_env is not None, "mail needs a server"),
        (
            "webhook_secret_env",
            alerts.webhook_secret_env is not None,
            "webhook_url",
            alerts.webhook_url is not None,
            "there is nothing to sign",
        ),
    )
    for name, is_set, other, is_other_set, why in pairs:
        if is_set and not is_other_set:
            yield Problem(("alerts", name), f"alerts.{name} is set, but alerts.{other} is not: {why}")
    if alerts.allow_internal:
        return
    urls = {"alertmanager_url": alerts.alertmanager_url, "webhook_url": alerts.webhook_url}
    for name, url in urls.items():
        if url is not None and is_named_internal(urlsplit(url).hostname or ""):
            yield Problem(
                ("alerts", name),
                f"alerts.{name} is an internal address, and such are refused; set allow_internal = true under [alerts], if it is meant",
            )


def _ui_contradictions(settings: Settings) -> Iterator[Problem]:
    ui = settings.ui
    if ui.user_header is None:
        for name, is_set in {"roles": bool(ui.roles), "default_role": ui.default_role is not None}.items():
            if is_set:
                yield Problem(
                    ("ui", name), f"ui.{name} is set, but ui.user_header is not: roles are for users whom a proxy names"
                )
        return
    needed = {
        "trusted_proxies": (bool(ui.trusted_proxies), "no proxy's header would be believed; name the proxy's address"),
        "public_hosts": (
            bool(ui.public_hosts),
            "a page elsewhere could have its own name point to the proxy, and name a user itself; say the name that people use",
        ),
    }
    for name, (is_set, why) in needed.items():
        if not is_set:
            yield Problem(("ui", "user_header"), f"ui.user_header is set, but ui.{name} is not: {why}")


def tiers_that_judge(settings: Settings) -> tuple[str, ...]:
    """Tiers whose model is the judge's, too."""
    model = settings.judge.model
    return tuple(name for name, tier in settings.tiers.items() if model is not None and tier.model == model)


def policies_of(settings: Settings) -> Iterator[tuple[Path, PolicyBase]]:
    """All policies with their paths, that of `auto` first."""
    yield ("policy",), settings.policy
    for name, policy in settings.policies.items():
        yield ("policies", name), policy


def _speaks_anthropic_only(tier: TierSettings) -> bool:
    kinds = {endpoint.kind for endpoint in tier.endpoints} or {tier.kind}
    return kinds == {"anthropic"}


def _policy_contradictions(path: Path, policy: PolicyBase, tiers: list[str]) -> Iterator[Problem]:
    named: list[tuple[Path, str]] = [((*path, "tiers"), name) for name in policy.tiers]
    if isinstance(policy, FixedPolicy):
        named.append(((*path, "tier"), policy.tier))
    if isinstance(policy, SplitPolicy):
        named += [((*path, "shares", name), name) for name in policy.shares]
        total = sum(policy.shares.values())
        if abs(total - 1) > 1e-9:
            yield Problem((*path, "shares"), f"{dotted((*path, 'shares'))} add up to {total:g}; they must add up to 1")
    if isinstance(policy, ClassifierPolicy) and policy.method != "rules" and policy.artefact is None:
        yield Problem(
            (*path, "method"),
            f"{dotted(path)} is a classifier of method {policy.method!r} without artefact; `undertow train` writes one, "
            "and method = 'rules' needs none",
        )
    for where, name in named:
        yield from _unknown_tier(where, name, tiers)


def _key_contradictions(settings: Settings) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, key in settings.keys.items():
        for tier in key.tiers:
            yield from _unknown_tier(("keys", name, "tiers"), tier, list(settings.tiers))
        if key.id in first:
            yield Problem(
                ("keys", name, "id"), f"keys.{name} has the id of keys.{first[key.id]}; each key has an id of its own"
            )
        first.setdefault(key.id, name)


def _unknown_tier(where: Path, name: str, tiers: list[str]) -> Iterator[Problem]:
    if tiers and name not in tiers:
        yield Problem(
            where, f"{dotted(where)} names the tier {name!r}, which has no [tiers.{name}]; {near(name, tiers)}"
        )
