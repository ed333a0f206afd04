"""Settings from the environment: `UNDERTOW_MONITORS__ALPHA=0.01` stands for `alpha` in `[monitors]`.

Two underscores part the levels. Names are matched without regard to case; a value is read as TOML where the setting is
no text (`UNDERTOW_MONITORS__SEGMENTS='["intent"]'`). Variables that orchestrators inject are left alone: Kubernetes gives
every pod UNDERTOW_SERVICE_HOST, UNDERTOW_PORT and so on when a service is called "undertow".
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from undertow.records.toml_text import read_toml

PREFIX = "UNDERTOW_"
RESERVED = frozenset({"UNDERTOW_DEBUG", "UNDERTOW_REQUIRE"})
"""Variables with a meaning of their own: tracebacks on the command line, and skipped tests count as failed."""

_INJECTED = re.compile(r"UNDERTOW_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)")


def setting_variables(
    env: Mapping[str, str], named_elsewhere: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Variables that are meant as settings, in order of name, without those that the settings name as holding a key."""
    for name in sorted(env):
        if name.startswith(PREFIX) and name not in RESERVED | named_elsewhere and not _INJECTED.fullmatch(name):
            yield name, env[name]


def path_of(name: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    """The setting that a variable stands for; names of tiers, policies, outcomes and keys are spelt as in `known`, the file.

    Examples:
        >>> path_of("UNDERTOW_TIERS__SIMPLE__MODEL", {"tiers": {"SIMPLE": {}}})
        ('tiers', 'SIMPLE', 'model')
        >>> path_of("UNDERTOW_MONITORS__ALPHA", {})
        ('monitors', 'alpha')
    """
    path: tuple[str, ...] = ()
    level: Any = known
    for part in name.removeprefix(PREFIX).split("__"):
        spelt = {key.lower(): key for key in level} if isinstance(level, Mapping) else {}
        path = (*path, spelt.get(part.lower(), part.lower()))
        level = level.get(path[-1], {}) if isinstance(level, Mapping) else {}
    return path


def value_of(text: str, *, is_text: bool) -> Any:
    """The value of a variable: as it stands for text settings, else as TOML; what is no TOML stays text and is refused later.

    Examples:
        >>> value_of("0.01", is_text=False), value_of("0.01", is_text=True), value_of("often", is_text=False)
        (0.01, '0.01', 'often')
    """
    if is_text or "\n" in text:
        return text
    try:
        return read_toml(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
