import click
import pytest
from click.testing import CliRunner

from undertow.cli.command import Command, FiniteRange, Group


def test_examples_keep_their_lines_and_blank_lines():
    @click.command("x", cls=Command, examples="\n    undertow x \\\n        --y\n\n    undertow x | jq .\n    ")
    def command():
        """Do x."""

    shown = CliRunner().invoke(command, ["-h"]).stdout
    assert "Examples:\n  undertow x \\\n      --y\n\n  undertow x | jq .\n" in shown


def test_without_examples_there_is_no_heading():
    @click.command("x", cls=Command)
    def command():
        """Do x."""

    assert "Examples" not in CliRunner().invoke(command, ["--help"]).stdout


def test_a_group_shows_its_examples_and_makes_commands_of_the_same_kind():
    @click.group("g", cls=Group, examples="undertow g x")
    def group():
        """Group."""

    @group.command("x", examples="undertow g x -h")
    def x():
        """Do x."""

    assert "Examples:\n  undertow g x\n" in CliRunner().invoke(group, ["-h"]).stdout
    assert "Examples:\n  undertow g x -h\n" in CliRunner().invoke(group, ["x", "-h"]).stdout


@pytest.mark.parametrize("given", ["nan", "inf", "-inf", "1e999"])
def test_what_is_no_finite_number_is_bad_usage(given):
    @click.command()
    @click.option("--share", type=FiniteRange(min=0))
    def command(share):
        raise AssertionError(share)

    done = CliRunner().invoke(command, ["--share", given])
    assert done.exit_code == 2
    assert "--share" in done.output
