"""The mapping file of `--map`: how a plain table becomes a decision log, and what the scores of any format mean.

    time_unit = "ms"                    # s, ms, us, ns: of numeric times
    time_format = "%d.%m.%Y %H:%M"      # of text times that are not ISO 8601
    timezone = "Europe/Berlin"          # of times that name no zone
    cost_unit = "cents"                 # usd, cents, micros

    [columns]                           # canonical column = "column of the file"
    event_time = "ts"
    tier = "route"

    [segments]                          # segment key = "column of the file"
    intent = "topic"

    [tiers]                             # tier = [patterns of model names]
    cheap = ["gpt-4o-mini*"]

    [signals.helpful]                   # one signal a table; the name is the signal's name
    kind = "thumb"
    column = "rating"
    scale = [1, 5]                      # worst, best
    direction = "up"                    # up: more is better; down: less is better

Unknown keys are refused with the nearest valid one: a misspelt column would otherwise be silently missing data.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from undertow.errors import ConfigError
from undertow.records.columns import DECISION_COLUMNS, SELECTIONS, SIGNAL_KINDS
from undertow.records.toml_text import read_toml

MAPPABLE = tuple(c.name for c in DECISION_COLUMNS if c.name not in {"segment", "calls", "prompt", "response"})
COST_UNITS = {"usd": 1.0, "cents": 0.01, "micros": 1e-6}
TIME_UNITS = ("s", "ms", "us", "ns")
_TOP = ("time_unit", "time_format", "timezone", "cost_unit", "columns", "segments", "tiers", "signals")
SIGNAL_KEYS = (
    "kind", "column", "time", "scale", "direction", "values", "selection", "inclusion_probability", "source", "reference_column", "name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SignalRule:
    """How one signal is read from a foreign log.

    Attributes:
        name: Name of the signal.
        kind: One of the canonical kinds; None: the importer's own judgement stands.
        column: Column of a plain table that holds the value (other formats: the score's own name is the table's name).
        time: Column that says when it was given; None: the decision's time.
        scale: Worst and best value in the file, mapped to 0 and 1; None: already in [0, 1], or an outcome in its own unit.
        direction: `down` turns the scale round.
        values: Text value -> number in [0, 1].
        selection: How it came to be given; None: by its kind.
        inclusion_probability: A constant, or the name of a column.
        source: Who gave it.
        reference_column: Column with the value of the other tier's answer to the same request.
    """

    name: str
    kind: str | None = None
    column: str | None = None
    time: str | None = None
    scale: tuple[float, float] | None = None
    direction: str = "up"
    values: Mapping[str, float] = field(default_factory=dict)
    selection: str | None = None
    inclusion_probability: float | str | None = None
    source: str | None = None
    reference_column: str | None = None


@dataclass(frozen=True, slots=True)
class MappingFile:
    """A parsed mapping file. `columns` and `segments` go from canonical name to the file's own."""

    columns: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signals: Mapping[str, SignalRule] = field(default_factory=dict)
    time_unit: str | None = None
    time_format: str | None = None
    timezone: str | None = None
    cost_unit: str = "usd"


def read_mapping(path: str | Path) -> MappingFile:
    """Read a mapping file.

    Raises:
        ConfigError: missing, not TOML, or a key or value that is not known.
    """
    try:
        raw = read_toml(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"mapping file {str(path)!r} does not exist") from error
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as error:  # no UTF-8, no TOML, a number of thousands of digits; brackets without end
        raise ConfigError(f"mapping file {str(path)!r} cannot be read as TOML: {error}") from error
    return parse_mapping(raw, str(path))


def parse_mapping(raw: Mapping[str, Any], where: str = "mapping") -> MappingFile:
    """A mapping from its TOML tables.

    Examples:
        >>> parse_mapping({"columns": {"event_time": "ts"}, "cost_unit": "cents"}).columns
        {'event_time': 'ts'}

    Raises:
        ConfigError: a key or value that is not known; the nearest valid choice is named.
    """
    _known(raw, _TOP, where)
    columns = _strings(raw.get("columns", {}), f"{where} [columns]")
    _known(columns, MAPPABLE, f"{where} [columns]")
    cost_unit = raw.get("cost_unit", "usd")
    _choice(cost_unit, tuple(COST_UNITS), f"{where} cost_unit")
    time_unit = raw.get("time_unit")
    if time_unit is not None:
        _choice(time_unit, TIME_UNITS, f"{where} time_unit")
    tiers: dict[str, tuple[str, ...]] = {}
    for tier, patterns in _table(raw.get("tiers", {}), f"{where} [tiers]").items():
        if isinstance(patterns, str):
            patterns = [patterns]  # noqa: PLW2901 - one pattern may stand without brackets
        if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
            raise ConfigError(f"{where} [tiers] {tier}: {patterns!r} is not a list of model name patterns")
        tiers[tier] = tuple(patterns)
    signals = {
        name: _signal(name, _table(rule, f"{where} [signals.{name}]"), f"{where} [signals.{name}]")
        for name, rule in _table(raw.get("signals", {}), f"{where} [signals]").items()
    }
    return MappingFile(
        columns=columns,
        segments=_strings(raw.get("segments", {}), f"{where} [segments]"),
        tiers=tiers,
        signals=signals,
        time_unit=time_unit,
        time_format=_optional_text(raw.get("time_format"), f"{where} time_format"),
        timezone=_optional_text(raw.get("timezone"), f"{where} timezone"),
        cost_unit=cost_unit,
    )


def _signal(name: str, rule: Mapping[str, Any], where: str) -> SignalRule:
    _known(rule, SIGNAL_KEYS, where)
    if (kind := rule.get("kind")) is not None:
        _choice(kind, SIGNAL_KINDS, f"{where} kind")
    if (selection := rule.get("selection")) is not None:
        _choice(selection, SELECTIONS, f"{where} selection")
    direction = rule.get("direction", "up")
    _choice(direction, ("up", "down"), f"{where} direction")
    scale = rule.get("scale")
    if scale is not None:
        numbers = isinstance(scale, list) and len(scale) == 2 and all(type(x) in (int, float) for x in scale)
        if not numbers or scale[0] == scale[1]:
            raise ConfigError(f"{where} scale: {scale!r} is not two different numbers [worst, best]")
        scale = (float(scale[0]), float(scale[1]))
    values = _table(rule.get("values", {}), f"{where} values")
    for key, value in values.items():
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ConfigError(f"{where} values {key}: {value!r} is not a number in [0, 1]")
    probability = rule.get("inclusion_probability")
    if (
        probability is not None
        and not isinstance(probability, str)
        and not (type(probability) in (int, float) and 0 < probability <= 1)
    ):
        raise ConfigError(f"{where} inclusion_probability: {probability!r} is neither a column nor a number in (0, 1]")
    return SignalRule(
        name=_optional_text(rule.get("name"), f"{where} name") or name,
        kind=kind,
        column=_optional_text(rule.get("column"), f"{where} column"),
        time=_optional_text(rule.get("time"), f"{where} time"),
        scale=scale,
        direction=direction,
        values={str(k).lower(): float(v) for k, v in values.items()},
        selection=selection,
        inclusion_probability=probability,
        source=_optional_text(rule.get("source"), f"{where} source"),
        reference_column=_optional_text(rule.get("reference_column"), f"{where} reference_column"),
    )


def _known(given: Iterable[str], valid: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in valid:
            near = difflib.get_close_matches(key, valid, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(valid)}"
            raise ConfigError(f"{where}: {key!r} is not known; {hint}")


def _choice(value: Any, valid: tuple[str, ...], where: str) -> None:
    if value not in valid:
        near = difflib.get_close_matches(str(value), valid, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(valid)}"
        raise ConfigError(f"{where}: {value!r} is not known; {hint}")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {value!r} is not a table")
    return value


def _strings(value: Any, where: str) -> dict[str, str]:
    for key, text in _table(value, where).items():
        if not isinstance(text, str) or not text:
            raise ConfigError(f"{where} {key}: {text!r} is not the name of a column")
    return dict(value)


def _optional_text(value: Any, where: str) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigError(f"{where}: {value!r} is not text")
    return value
