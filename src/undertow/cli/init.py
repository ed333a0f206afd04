"""`undertow init`: a commented undertow.toml to start from."""

from pathlib import Path

import click

from undertow.cli.atomic_write import write_atomically
from undertow.cli.command import Command
from undertow.errors import ConfigError


@click.command(
    "init",
    cls=Command,
    examples="""
    undertow init
    undertow init --from-log spend.jsonl     # with the tiers and models that a log shows
    undertow config check                    # what holds now, and why
    """,
)
@click.argument("target", type=click.Path(path_type=Path), default="undertow.toml")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--from-log", "log", type=click.Path(path_type=Path), metavar="FILE", help="Fill in the tiers that this log shows."
)
def command(target: Path, force: bool, log: Path | None) -> None:
    """Write a commented settings file (TARGET, by default ./undertow.toml).

    It works with `undertow audit` as it is: every setting stands in it with its default and the reason for it.
    """
    from undertow.config.template import settings_file

    if target.exists() and not force:
        raise ConfigError(f"{target}: exists already; give another name, or --force to replace it")
    tiers = _tiers_of(log) if log is not None else None
    write_atomically(target, settings_file(tiers).encode())
    click.echo(f"wrote {target}; `undertow config check --config {target}` shows what holds", err=True)


def _tiers_of(log: Path) -> dict[str, tuple[str, ...]]:
    """Tiers of a log, cheapest first, with the models that served them."""
    from undertow.bootstrap.audit import AuditRequest, read_cells

    cells = read_cells(AuditRequest((str(log),)))
    kind = 0  # CHANGE_KINDS[0] is "model"
    found: dict[str, set[str]] = {tier: set() for tier in cells.tiers}
    models = cells.models
    for tier, value in zip(
        models.tier[models.kind == kind].tolist(), models.value[models.kind == kind].tolist(), strict=True
    ):
        if tier >= 0 and value >= 0:
            found[cells.tiers[tier]].add(cells.change_values[value])
    return {tier: tuple(sorted(names)) for tier, names in found.items()}
