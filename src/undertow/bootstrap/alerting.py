"""What telling people needs: the channels that settings name, their secrets, and the book of a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.alerts.alertmanager import AlertmanagerChannel
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.alerts.email import EmailChannel, parse_smtp_url
from undertow.adapters.alerts.http import Caller
from undertow.adapters.alerts.pagerduty import PagerDutyChannel
from undertow.adapters.alerts.slack import SlackChannel
from undertow.adapters.alerts.webhook import WebhookChannel
from undertow.errors import ConfigError
from undertow.ports.alerts import AlertChannel
from undertow.records.alert import Channel
from undertow.records.guard import TrailEntry
from undertow.records.serving import AlertsPlan
from undertow.services.alerts import AlertRules, Announced, announce

if TYPE_CHECKING:
    from undertow.records.report import AuditReport


@dataclass(frozen=True, slots=True)
class AlertParts:
    """What deliveries are made with.

    Attributes:
        channels: That can be used.
        problems: Why others cannot, a line each, without a secret.
        caller: Makes the calls; counts those that it refused.
        dead_man_url: Address that is called after each look, or None.
    """

    channels: Mapping[Channel, AlertChannel]
    problems: tuple[str, ...]
    caller: Caller
    dead_man_url: str | None = None


def channels_of(plan: AlertsPlan) -> tuple[Channel, ...]:
    """The channels that settings name.

    Examples:
        >>> channels_of(AlertsPlan(slack_url_env="SLACK", email_to=("a@example.org",)))
        ('slack', 'email')
    """
    named: dict[Channel, bool] = {
        "slack": plan.slack_url_env is not None,
        "pagerduty": plan.pagerduty_key_env is not None,
        "alertmanager": plan.alertmanager_url is not None,
        "webhook": plan.webhook_url is not None,
        "email": bool(plan.email_to),
    }
    return tuple(channel for channel, is_named in named.items() if is_named)


def alert_rules(plan: AlertsPlan) -> AlertRules:
    """Settings that messages depend on."""
    return AlertRules(channels_of(plan), 3600.0 * plan.repeat_hours, plan.link_url or "")


def build_alerts(plan: AlertsPlan, env: Mapping[str, str], caller: Caller | None = None) -> AlertParts:
    """Build the channels. Opens no connection. One that cannot be used keeps no other from being used.

    Args:
        plan: Settings.
        env: Environment with the secrets.
        caller: Makes the calls; None: as the settings say.
    """
    caller = caller or Caller(allow_internal=plan.allow_internal)
    channels: dict[Channel, AlertChannel] = {}
    problems = []
    for channel in channels_of(plan):
        try:
            channels[channel] = _built(channel, plan, env, caller)
        except ConfigError as error:
            problems.append(f"{channel}: {error}")
    dead_man_url = None
    if plan.dead_man_url_env is not None:
        try:
            dead_man_url = _secret(plan.dead_man_url_env, env)
        except ConfigError as error:
            problems.append(f"dead man: {error}")
    return AlertParts(channels, tuple(problems), caller, dead_man_url)


def announce_look(
    store: Path,
    plan: AlertsPlan,
    report: "AuditReport | None",
    trail: Sequence[TrailEntry],
    policy: str,
    now: datetime,
) -> Announced:
    """Note the episodes of a look, and let messages wait; see `undertow.services.alerts.announce`.

    Args:
        store: The store's root folder.
        plan: Settings. With no channel at all, episodes are kept all the same.
        report: What the look found, or None.
        trail: The whole audit trail, oldest first.
        policy: Name of the policy that the report is about.
        now: The time, aware.

    Raises:
        OSError: The store cannot be read or written.
    """
    return announce(report, trail, StoreAlertBook(store), alert_rules(plan), policy, now)


def _built(channel: Channel, plan: AlertsPlan, env: Mapping[str, str], caller: Caller) -> AlertChannel:
    match channel:
        case "slack":
            return SlackChannel(caller, _secret(plan.slack_url_env, env))
        case "pagerduty":
            return PagerDutyChannel(caller, _secret(plan.pagerduty_key_env, env), plan.pagerduty_url)
        case "alertmanager":
            return AlertmanagerChannel(caller, plan.alertmanager_url or "")
        case "webhook":
            secret = None if plan.webhook_secret_env is None else _secret(plan.webhook_secret_env, env)
            return WebhookChannel(caller, plan.webhook_url or "", secret)
        case "email":
            try:
                server = parse_smtp_url(_secret(plan.smtp_url_env, env))
            except ConfigError as error:
                raise ConfigError(f"{plan.smtp_url_env or 'smtp_url_env'}: {error}") from None
            return EmailChannel(server, plan.email_from, plan.email_to)


def _secret(name: str | None, env: Mapping[str, str]) -> str:
    value = env.get(name or "", "").strip()
    if not value:
        raise ConfigError(f"environment variable {name} is not set" if name else "no environment variable is named")
    return value
