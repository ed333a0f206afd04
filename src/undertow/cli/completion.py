"""`undertow completion SHELL`: the script that lets a shell complete commands, options and files."""

import click
from click.shell_completion import get_completion_class

from undertow.cli.command import Command


@click.command(
    "completion",
    cls=Command,
    examples="""
    # bash (needs bash 4.4 or newer)
    undertow completion bash > ~/.local/share/bash-completion/completions/undertow

    # zsh, with ~/.zfunc in your fpath before compinit runs
    undertow completion zsh > ~/.zfunc/_undertow

    # fish
    undertow completion fish > ~/.config/fish/completions/undertow.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL; the examples say where each shell looks for it."""
    from undertow.cli.main import main

    completion = get_completion_class(shell)
    assert completion is not None, "click knows the three shells"
    script = completion(main, {}, "undertow", "_UNDERTOW_COMPLETE")
    click.echo(script.source())
