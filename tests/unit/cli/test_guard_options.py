"""What a person says takes the same options everywhere, in one order."""

import click
import pytest

from undertow.cli.guard import command as guard
from undertow.cli.guard_options import by_a_person, of_a_policy
from undertow.cli.rollout import command as rollout

PERSON = ["config", "store", "who", "why", "as_json"]
POLICY = ["config", "store", "policy", "who", "why", "as_json"]


@pytest.mark.parametrize(("options", "wanted"), [(by_a_person, PERSON), (of_a_policy, POLICY)])
def test_options_are_shown_in_their_order(options, wanted):
    made = click.command("x")(options(lambda **_: None))
    assert [each.name for each in made.params] == wanted


@pytest.mark.parametrize(
    ("group", "names", "wanted"),
    [
        (guard, ["approve", "reject", "release"], ["which", *PERSON]),
        (guard, ["route-back"], ["segment", *POLICY]),
        (rollout, ["advance", "hold", "stop"], POLICY),
    ],
)
def test_the_commands_of_both_groups_have_them(group, names, wanted):
    for name in names:
        assert [each.name for each in group.commands[name].params] == wanted
