"""`undertow rollout`: where a new version stands, what it needs to go on, and what a person says of it."""

from typing import TYPE_CHECKING

import click

from undertow.cli.command import Group
from undertow.cli.drawing import progress_bar
from undertow.cli.guard import document, line, opened, reader, said
from undertow.cli.guard_options import (
    config_option,
    json_option,
    of_a_policy,
    policy_option,
    store_option,
    who_option,
    why_option,
)
from undertow.errors import UsageError
from undertow.reports.names import plain, prose

if TYPE_CHECKING:
    from undertow.actions.outlook import PlaceOutlook
    from undertow.bootstrap.guarding import RolloutStanding


@click.group(
    "rollout",
    cls=Group,
    examples="""
    undertow rollout status
    undertow rollout start
    undertow rollout accept intent=fraud --why "reviewed by hand from now on"
    undertow rollout hold --why "release freeze"
    """,
)
def command() -> None:
    """Expose a new version step by step, by evidence alone."""


@command.command("status", examples="undertow rollout status --json | jq '.rollouts[].places'")
@config_option
@store_option
@json_option
def status(config: str | None, store: str | None, as_json: bool) -> None:
    """Show each place's stage, the evidence that it needs, what it borrows from the whole tier, and when that is decided."""
    import msgspec

    from undertow.bootstrap.guarding import rollouts_standing

    at = opened(config, store)
    with progress_bar(shown=not as_json) as progress:
        found = rollouts_standing(at.store, at.plan, at.settings, at.now, progress)
    if as_json:
        click.echo(document(rollouts=[msgspec.to_builtins(each) for each in found]))
        return
    if not found:
        on = (
            "each new version begins one"
            if at.plan.rollout.enabled
            else "[rollout] enabled is off; `undertow rollout start` begins one"
        )
        click.echo(f"no version is being rolled out; {on}")
    for each in found:
        _show(each)


@command.command("start", examples="undertow rollout start --anew")
@config_option
@store_option
@policy_option
@click.option(
    "--anew", is_flag=True, help="Begin at the first stage, even where the version is being rolled out already."
)
@who_option
@why_option
@json_option
def start(
    config: str | None, store: str | None, policy: str, anew: bool, who: str | None, why: str, as_json: bool
) -> None:
    """Begin the rollout of the version that serves, or let one that was held go on where it stands."""
    import msgspec

    from undertow.actions import by_person
    from undertow.actions.rollout import begin
    from undertow.actions.standing import rollouts_of
    from undertow.adapters.guard.book import StoreGuardBook
    from undertow.bootstrap.guarding import known_versions
    from undertow.bootstrap.rollout_start import serving_versions
    from undertow.records.guard import TrailEntry

    at = opened(config, store)
    book = StoreGuardBook(at.store)
    version = serving_versions(at.plan.policies, book.controls(), known_versions(book)).get(policy)

    def say(trail: tuple[TrailEntry, ...]) -> tuple[TrailEntry, ...]:
        state = rollouts_of(trail).get(policy)
        if not anew and state is not None and state.version == version:
            return by_person.resume(trail, policy, reader(who), plain(why), at.now)
        if version is None:
            raise UsageError(f"no version of policy {policy!r} is known; name one of the settings' with --policy")
        entry = begin(policy, version, at.plan.rollout, at.now, reader(who))
        return (msgspec.structs.replace(entry, why=plain(why) or entry.why),)

    said(at, say, as_json=as_json, policy=policy)


@command.command("advance", examples="undertow rollout advance")
@of_a_policy
def advance(config: str | None, store: str | None, policy: str, who: str | None, why: str, as_json: bool) -> None:
    """Approve the steps that wait, where [rollout] automatic is off. Without evidence there is none: see `accept`."""
    from undertow.actions import by_person
    from undertow.actions.entries import waiting
    from undertow.records.guard import TrailEntry

    at = opened(config, store)

    def say(trail: tuple[TrailEntry, ...]) -> tuple[TrailEntry, ...]:
        asked = [entry for entry in waiting(trail) if entry.kind == "advance" and entry.policy == policy]
        if not asked:
            raise UsageError("no step is shown to be safe yet; `undertow rollout status` says what it needs")
        entries: tuple[TrailEntry, ...] = ()
        for entry in asked:
            entries += by_person.approve((*trail, *entries), entry.id, reader(who), plain(why), at.now)
        return entries

    said(at, say, as_json=as_json, policy=policy)


@command.command("hold", examples='undertow rollout hold --why "release freeze"')
@of_a_policy
def hold(config: str | None, store: str | None, policy: str, who: str | None, why: str, as_json: bool) -> None:
    """Let a rollout stay where it stands until `undertow rollout start`."""
    from undertow.actions import by_person

    at = opened(config, store)
    said(
        at,
        lambda trail: by_person.pause(trail, policy, reader(who), plain(why), at.now),
        as_json=as_json,
        policy=policy,
    )


@command.command("accept", examples='undertow rollout accept intent=fraud --why "reviewed by hand from now on"')
@click.argument("segment", metavar="KEY=VALUE")
@config_option
@store_option
@policy_option
@who_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it stands in the trail with your name.")
@json_option
def accept(
    segment: str, config: str | None, store: str | None, policy: str, who: str | None, why: str, as_json: bool
) -> None:
    """Accept the risk of a segment that cannot be shown to be small: it goes with the whole tier, which must still be shown."""
    from undertow.actions import by_person

    at = opened(config, store)
    said(
        at,
        lambda trail: by_person.accept_risk(trail, policy, segment, reader(who), plain(why).strip(), at.now),
        as_json=as_json,
        policy=policy,
    )


@command.command("stop", examples='undertow rollout stop --why "tickets about refunds"')
@of_a_policy
def stop(config: str | None, store: str | None, policy: str, who: str | None, why: str, as_json: bool) -> None:
    """Stop a rollout and expose nobody any more: the capable tier answers all of the policy's requests."""
    from undertow.actions import by_person

    at = opened(config, store)
    said(
        at,
        lambda trail: by_person.take_off(trail, policy, reader(who), plain(why), at.now),
        as_json=as_json,
        policy=policy,
    )


def _show(found: "RolloutStanding") -> None:
    from undertow.actions.outlook import NOT_BY_LABELS

    state = found.state
    whole = next((place for place in found.places if not place.segment), None)
    front = "" if whole is None else f" at {whole.exposure:.0%} of users"
    click.echo(f"policy {plain(state.policy)}, version {plain(state.version)}: {state.status}{front}")
    if found.note:
        click.echo(f"  note: {prose(found.note)}")
    if state.status == "stopped" and whole is not None and whole.stage >= 0:
        click.echo("  it stays where it stands; `undertow rollout start` lets it go on")
    for place in found.places:
        click.echo(f"  {_place(place)}")
        click.echo(f"    {prose(place.needs)}")
        if place.borrowed > 0.0005 and place.high is not None:
            click.echo(f"    by its own labels it may lose {place.high + place.borrowed:.1%}; {100 * place.borrowed:.1f} points are borrowed from the whole tier")  # fmt: skip
        is_by_labels = state.status == "running" and place.code not in NOT_BY_LABELS
        if is_by_labels and not place.is_ready and place.next_exposure is not None:
            click.echo(f"    {_when(place)}")
    for entry in found.waiting:
        click.echo(f"  waiting  {line(entry)}")
    if found.waiting:
        click.echo("approve with `undertow rollout advance` or `undertow guard approve ID`")


def _place(place: "PlaceOutlook") -> str:
    from undertow.actions.entries import place_name

    stage = "taken off" if place.stage < 0 else f"stage {place.stage + 1}"
    then = "" if place.next_exposure is None else f" (next {place.next_exposure:.0%})"
    accepted = ", risk accepted" if place.is_accepted else ""
    return f"{plain(place_name(place.segment))}  {stage}, {place.exposure:.0%}{then}, {place.labels:,} labels{accepted}"


def _when(place: "PlaceOutlook") -> str:
    if place.missing is None:
        return "next decision: not by more labels, if the loss stays what it is estimated to be"
    if place.decided_at is None:
        return f"next decision: after about {place.missing:,} more labels; at today's rate that is not within two years"
    return f"next decision: about {place.decided_at:%Y-%m-%d}, after about {place.missing:,} more labels, if the loss stays as estimated"
