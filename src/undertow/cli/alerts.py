"""`undertow alerts`: whether messages arrive, what people were told, and silences."""

import asyncio
import getpass
import json
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import msgspec

from undertow.cli import exit_status
from undertow.cli.audit import settings_file
from undertow.cli.command import Group
from undertow.errors import LogError, UsageError
from undertow.records.alert import AlertKind, Channel

if TYPE_CHECKING:
    from undertow.adapters.alerts.book import StoreAlertBook
    from undertow.config.load import LoadedSettings
    from undertow.ports.alerts import Sent
    from undertow.records.alert import Episode, Silence
    from undertow.records.serving import AlertsPlan

SCHEMA = "undertow.alerts/1"
LONGEST_SILENCE = timedelta(days=90)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([mhdw])").fullmatch
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_KINDS = [kind for kind in get_args(AlertKind) if kind in {"alarm", "warning", "action", "rollout"}]

_config = click.option(
    "--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, else here."
)
_store = click.argument("store", required=False, metavar="[STORE]")
_json = click.option("--json", "as_json", is_flag=True, help="JSON (undertow.alerts/1) on standard output, and nothing else there.")  # fmt: skip


@click.group("alerts", cls=Group)
def command() -> None:
    """See whether alerts arrive, what people were told, and silence what is known."""


@command.command(
    "test",
    examples="""
    undertow alerts test
    undertow alerts test --channel slack --channel email
    undertow alerts test --json | jq '.channels'
    """,
)
@_config
@click.option("--channel", "only", type=click.Choice(get_args(Channel)), multiple=True, help="Only this one. May be repeated.")  # fmt: skip
@_json
def test(config: str | None, only: tuple[Channel, ...], as_json: bool) -> int:
    """Send a test message to each channel that the settings name, and call the dead man's address.

    Exit status: 0 all took it, 1 one did not, 2 no channel is set.
    """
    loaded = _loaded(config, None)
    plan = _plan(loaded)
    found = asyncio.run(_tested(plan, only))
    if not found:
        raise UsageError("no channel is set; name one under [alerts], such as slack_url_env")
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "channels": found}, indent=1))
    else:
        for name, (is_ok, said) in found.items():
            click.echo(f"{name:<13} {'ok' if is_ok else 'FAILED'}{': ' if said else ''}{said}")
    return exit_status.HEALTHY if all(is_ok for is_ok, _ in found.values()) else exit_status.LOSS


@command.command(
    "list",
    examples="""
    undertow alerts list
    undertow alerts list undertow-data/ --all
    undertow alerts list --json | jq '.episodes[].segment'
    """,
)
@_store
@_config
@click.option("--all", "every", is_flag=True, help="Closed episodes, too.")
@_json
def list_(store: str | None, config: str | None, every: bool, as_json: bool) -> None:
    """Show the episodes that are open: since when, where, how much, and whether a silence covers them."""
    book = _book(store, config)
    episodes = [each for each in book.episodes().episodes if every or each.closed_at is None]
    silences = book.silences().silences
    if as_json:
        rows = [msgspec.to_builtins(each) | {"silence": _silence_id(each, silences)} for each in episodes]
        click.echo(json.dumps({"schema": SCHEMA, "episodes": rows}, indent=1, ensure_ascii=False))
        return
    if not episodes:
        click.echo("no episode is open" if not every else "there was no episode yet")
    for each in episodes:
        _show(each, _silence_id(each, silences))


@command.command(
    "silence",
    examples="""
    undertow alerts silence --for 4h --why "provider works on it"
    undertow alerts silence --for 2d --why "known" --segment intent=billing --tier cheap
    undertow alerts silence --for 30m --why "deployment" --kind rollout --kind action
    """,
)
@_store
@_config
@click.option("--for", "span", required=True, metavar="SPAN", help="For how long: 30m, 4h, 2d, 1w; at most 90 days.")
@click.option("--why", required=True, metavar="TEXT", help="The reason, for whoever finds the silence.")
@click.option("--policy", default="", metavar="NAME", help="Only of this policy.")
@click.option("--tier", default="", metavar="NAME", help="Only of this tier.")
@click.option("--segment", default="", metavar="KEY=VALUE", help="Only of this segment.")
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True, help="Only of this kind. May be repeated.")
def silence(
    store: str | None,
    config: str | None,
    span: str,
    why: str,
    policy: str,
    tier: str,
    segment: str,
    kinds: tuple[AlertKind, ...],
) -> None:
    """Tell nobody of some things for some time. Actions are taken all the same, and what was silenced is written down.

    That monitoring has stopped is never silenced. An episode that is open when the silence ends is told then.
    """
    from undertow.records.alert import Silence, Silences
    from undertow.records.moment import rfc3339

    if not why.strip():
        raise UsageError("--why is empty; say why, for whoever finds the silence")
    book = _book(store, config)
    now = datetime.now(UTC)
    made = Silence(
        id=secrets.token_hex(3),
        until=rfc3339(now + _span(span)),
        who=getpass.getuser(),
        why=why.strip(),
        policy=policy,
        tier=tier,
        segment=segment,
        kinds=kinds,
    )
    with book.changing():
        book.write(silences=Silences(silences=(*book.silences().silences, made)))
    click.echo(f"silence {made.id}, until {made.until}: {_scope(made)}")


@command.command("unsilence", examples="undertow alerts unsilence 3f9a1c")
@click.argument("silence_id", metavar="ID")
@_store
@_config
def unsilence(silence_id: str, store: str | None, config: str | None) -> None:
    """End a silence now. It stays in the list of those that were."""
    from undertow.records.alert import Silences
    from undertow.records.moment import rfc3339

    book = _book(store, config)
    now = rfc3339(datetime.now(UTC))
    with book.changing():
        before = book.silences().silences
        if silence_id not in {each.id for each in before if each.until > now}:
            running = ", ".join(each.id for each in before if each.until > now) or "none"
            raise UsageError(f"no silence {silence_id!r} runs; running: {running}")
        after = (msgspec.structs.replace(each, until=now) if each.id == silence_id else each for each in before)
        book.write(silences=Silences(silences=tuple(after)))
    click.echo(f"silence {silence_id} has ended")


@command.command(
    "status",
    examples="""
    undertow alerts status
    undertow alerts status --json | jq '.waiting'
    """,
)
@_store
@_config
@click.option("--last", type=click.IntRange(1, 1000), default=10, show_default=True, metavar="N", help="How many of the latest messages.")  # fmt: skip
@_json
def status(store: str | None, config: str | None, last: int, as_json: bool) -> None:
    """Show what waits for delivery, what became of the latest messages, and the silences that run."""
    from undertow.records.moment import rfc3339

    book = _book(store, config)
    now = rfc3339(datetime.now(UTC))
    waiting, history = book.waiting(), book.history(last)
    running = [each for each in book.silences().silences if each.until > now]
    if as_json:
        document = {
            "schema": SCHEMA,
            "waiting": [msgspec.to_builtins(each) for each in waiting],
            "history": [msgspec.to_builtins(each) for each in history],
            "silences": [msgspec.to_builtins(each) for each in running],
            "files_set_aside": book.set_aside,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    for each in waiting:
        why = f"; last: {_clean(each.last_error)}" if each.last_error else ""
        click.echo(f"waits      {each.channel:<13} {_clean(each.message.title)} (tried {each.attempts} times, next {each.due_at}{why})")  # fmt: skip
    for line in history:
        why = f" ({_clean(line.error)})" if line.error else ""
        click.echo(f"{line.outcome.replace('_', ' '):<10} {line.channel or 'all':<13} {line.at}  {_clean(line.title)}{why}")  # fmt: skip
    for each in running:
        click.echo(
            f"silence    {each.id}  until {each.until}, by {_clean(each.who)}: {_scope(each)}; {_clean(each.why)}"
        )
    if book.set_aside:
        click.echo(f"{book.set_aside} files could not be read and were set aside", err=True)
    if not waiting and not history and not running:
        click.echo("nobody was told anything yet")


async def _tested(plan: "AlertsPlan", only: tuple[Channel, ...]) -> dict[str, tuple[bool, str]]:
    from undertow.alerting.messages import of_test
    from undertow.bootstrap.alerting import build_alerts, channels_of
    from undertow.records.moment import rfc3339

    parts = build_alerts(plan, os.environ)
    message = of_test(rfc3339(datetime.now(UTC)), getpass.getuser(), link=plan.link_url or "")
    wanted = [name for name in channels_of(plan) if not only or name in only]
    problems = dict(line.split(": ", 1) for line in parts.problems)
    found: dict[str, tuple[bool, str]] = {name: (False, problems[name]) for name in wanted if name in problems}
    usable = [name for name in wanted if name in parts.channels]
    sent: list[Sent] = await asyncio.gather(*(parts.channels[name].send(message) for name in usable))
    found |= {name: (each.outcome == "delivered", each.said) for name, each in zip(usable, sent, strict=True)}
    if not only and "dead man" in problems:
        found["dead man"] = (False, problems["dead man"])
    if not only and parts.dead_man_url is not None:
        called = await parts.caller.call(parts.dead_man_url)
        found["dead man"] = (called.outcome == "delivered", called.said)
    return found


def _loaded(config: str | None, store: str | None) -> "LoadedSettings":
    from undertow.config.load import load_settings

    return load_settings(settings_file(config, (store,) if store else ()), os.environ)


def _plan(loaded: "LoadedSettings") -> "AlertsPlan":
    from undertow.records.serving import AlertsPlan

    return AlertsPlan(**loaded.settings.alerts.model_dump())


def _book(store: str | None, config: str | None) -> "StoreAlertBook":
    from undertow.adapters.alerts.book import StoreAlertBook

    if store is None:
        loaded = _loaded(config, None)
        path = loaded.folder / loaded.settings.store.path
    else:
        path = Path(store)
    if not any((path / part).is_dir() for part in ("decisions", "signals", "intents", "state")):
        raise LogError(f"{path}: this is no store (no decisions/ in it); a gateway creates it")
    return StoreAlertBook(path)


def _span(text: str) -> timedelta:
    found = _SPAN(text.strip())
    span = timedelta() if found is None else timedelta(seconds=min(float(found[1]) * _UNITS[found[2]], 1e9))
    if not timedelta() < span <= LONGEST_SILENCE:
        raise UsageError(f"--for {text!r}: expected a span up to 90 days, such as 30m, 4h, 2d or 1w")
    return span


def _silence_id(episode: "Episode", silences: "tuple[Silence, ...]") -> str | None:
    from undertow.alerting.due import silence_of
    from undertow.records.moment import rfc3339

    now = rfc3339(datetime.now(UTC))
    found = silence_of(silences, episode.kind, episode.policy, episode.tier, episode.segment, now)
    return None if found is None else found.id


def _show(episode: "Episode", silence_id: str | None) -> None:
    from undertow.alerting.messages import of_episode

    message = of_episode(episode, 1, episode.detected_at)
    state = "open" if episode.closed_at is None else f"closed {episode.closed_at}"
    click.echo(f"{episode.id}  {state}{f', silence {silence_id}' if silence_id else ''}  {_clean(message.title)}")
    for name, value in message.facts:
        click.echo(f"  {name:<20}{_clean(value)}")
    if episode.actions:
        click.echo(f"  {'actions':<20}{', '.join(map(_clean, episode.actions))}")


def _scope(silence: "Silence") -> str:
    parts = [f"policy {silence.policy}" if silence.policy else "", f"tier {silence.tier}" if silence.tier else "", silence.segment]  # fmt: skip
    what = ", ".join(silence.kinds) or "everything but that monitoring has stopped"
    return _clean(f"{what}, {', '.join(filter(None, parts)) or 'everywhere'}")


def _clean(text: str) -> str:
    """A text from files of the store as it may reach a terminal."""
    from undertow.alerting.places import plain

    return plain(text, 400)
