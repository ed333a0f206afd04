"""Options that `undertow guard` and `undertow rollout` share: where, which policy, and who says so and why."""

from collections.abc import Callable
from functools import reduce
from typing import TypeVar

import click

SCHEMA = "undertow.guard-cli/1"

config_option = click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, else here.")  # fmt: skip
store_option = click.option("--store", metavar="DIR", help="The store's root folder. Default: that of the settings.")
policy_option = click.option("--policy", default="auto", show_default=True, metavar="NAME", help="Which policy.")
who_option = click.option("--who", metavar="NAME", help="Who says so, for the trail. Default: your user name.")
why_option = click.option("--why", metavar="TEXT", default="", help="The reason, for the trail.")
json_option = click.option("--json", "as_json", is_flag=True, help=f"JSON ({SCHEMA}) on standard output, and nothing else there.")  # fmt: skip

Command = TypeVar("Command", bound=Callable[..., object])


def by_a_person(command: Command) -> Command:
    """The options of what a person says: settings, store, who, why, JSON."""
    return _with(command, config_option, store_option, who_option, why_option, json_option)


def of_a_policy(command: Command) -> Command:
    """The options of what a person says of a policy: settings, store, policy, who, why, JSON."""
    return _with(command, config_option, store_option, policy_option, who_option, why_option, json_option)


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    """A command with options, shown in this order."""
    return reduce(lambda made, option: option(made), reversed(options), command)
