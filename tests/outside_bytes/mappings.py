"""Mapping files of plain tables: TOML."""

from outside_bytes.importer_samples import FIXTURES
from outside_bytes.target import Target, in_time, only, written
from undertow.adapters.importers import read_mapping
from undertow.errors import ConfigError


def read(data: bytes) -> None:
    """A mapping, or one sentence; it quotes names of the file, which are the user's own."""
    with in_time(), only(ConfigError, canary=""):
        read_mapping(written("mapping.toml", data))


SEEDS = (
    (FIXTURES / "plain.toml").read_bytes(),
    b'cost_unit = "cents"\n[columns]\nevent_time = "ts"\n[tiers]\ncheap = ["small-*"]\n[signals.ok]\ncolumn = "ok"\nscale = [1, 5]\nvalues = { yes = 1 }\n',
)
TARGET = Target("mappings", read, SEEDS)
