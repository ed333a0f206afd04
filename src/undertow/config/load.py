"""Reading the settings: defaults, then `undertow.toml`, then the environment; each value remembers where it came from.

Every problem is found in one go and raised as one `ConfigError`, a line each: file, line, what was seen, what is near.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ValidationError

from undertow.config import toml_lines
from undertow.config.contradictions import advice, contradictions
from undertow.config.environment import path_of, setting_variables, value_of
from undertow.config.problems import Problem, dotted, harmless, problem_of, unknown_variable
from undertow.config.settings import Settings
from undertow.config.shape import field_at, members, models
from undertow.errors import ConfigError
from undertow.records.toml_text import read_toml

DEFAULT_FILE = "undertow.toml"
MAX_BYTES = 1_000_000
"""A larger file is no settings file; it is refused before it is parsed."""

Origins = dict[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and where each of them came from.

    Attributes:
        settings: The values.
        origins: Dotted name of each setting -> `default`, `undertow.toml:LINE` or `environment UNDERTOW_X`.
        path: The file that was read, or None.
        warnings: What can be meant, but hardly is; a line each, with its place.
        places: Path of each setting and table that was given -> `undertow.toml:LINE` or `environment UNDERTOW_X`.
    """

    settings: Settings
    origins: Mapping[str, str]
    path: Path | None
    warnings: tuple[str, ...] = ()
    places: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Folder at which relative paths in the settings start: that of the file, else the current one."""
        return Path() if self.path is None else self.path.parent

    def located(self, problem: Problem) -> str:
        """A problem in one line, with its place in front where it has one."""
        return f"{_nearest_origin(problem.path, self.places)}{problem.message}"


def find_file(given: Path | None, folder: Path) -> Path | None:
    """The settings file to read: the one given, else `undertow.toml` in `folder` where it exists, else none."""
    if given is not None:
        return given
    candidate = folder / DEFAULT_FILE
    return candidate if candidate.is_file() else None


def load_settings(path: Path | None, env: Mapping[str, str]) -> LoadedSettings:
    """Read and check all settings.

    Args:
        path: The TOML file; None: defaults and environment alone.
        env: The environment, as `os.environ`.

    Raises:
        ConfigError: The file cannot be read, or something in it or in the environment is wrong; one line a problem.
    """
    raw, lines = ({}, {}) if path is None else _read(path)
    origins: Origins = {where: f"{path.name}:{line}" for where, line in lines.items()} if path is not None else {}
    messages = _overlay(raw, origins, env)
    problems: list[Problem] = []
    settings = Settings()
    try:
        settings = Settings.model_validate_json(json.dumps(raw, default=_refuse_time))
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems += [problem_of(detail, raw) for detail in found]
    else:
        problems += contradictions(settings)
    problems.sort(key=lambda problem: _line(_nearest_origin(problem.path, origins)))
    messages += [f"{_nearest_origin(problem.path, origins)}{problem.message}" for problem in problems]
    if messages:
        raise ConfigError("\n".join(dict.fromkeys(messages)))
    loaded = LoadedSettings(settings, dict(_value_origins(settings, (), origins)), path, places=origins)
    return replace(loaded, warnings=tuple(loaded.located(found) for found in advice(settings)))


def check_secrets(settings: Settings, env: Mapping[str, str]) -> None:
    """Refuse to start when an environment variable that the settings name is unset or empty. `audit` needs none of them.

    Raises:
        ConfigError: One line for each such variable.
    """
    missing = [
        f"{where}: environment variable {name} is {'empty' if name in env else 'not set'}; set it, or remove the setting"
        for where, name in named_variables(settings)
        if not env.get(name)
    ]
    if missing:
        raise ConfigError("\n".join(missing))


def named_variables(settings: Settings) -> list[tuple[str, str]]:
    """Settings that name an environment variable with a secret: dotted name and name of the variable."""
    dumped = settings.model_dump(mode="json")
    return [(dotted(path), name) for path, name in _variables(dumped, ())]


def _read(path: Path) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: is a folder; expected a TOML file such as `undertow init` writes") from error
    except OSError as error:
        hint = "; `undertow init` writes one" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"{path}: cannot be read ({error.strerror or type(error).__name__}){hint}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES:,} bytes; that is no settings file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path.name}:{line}: is not UTF-8; save the file as UTF-8") from error
    text = text.replace("\r\n", "\n")
    try:
        raw = read_toml(text)
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        reason, line, column = match.groups() if match else (str(error), None, None)
        line = line or text.rstrip().count("\n") + 1
        where = f", column {column}" if column else ""
        raise ConfigError(f"{path.name}:{line}: no valid TOML{where}: {reason.splitlines()[0]}") from error
    return raw, toml_lines.key_lines(text)


def _overlay(raw: dict[str, Any], origins: Origins, env: Mapping[str, str]) -> list[str]:
    """Put the environment's settings over the file's, in place; what is said of variables that are no setting."""
    messages = []
    named = frozenset(name for _, name in _variables(raw, ()))
    for name, text in setting_variables(env, named):
        shown = harmless(name)
        path = path_of(name, raw)
        annotation, _ = field_at(path, raw)
        is_table = bool(models(annotation))
        if annotation is None or (len(path) == 1 and is_table) or not _put(raw, path, text):
            messages.append(f"environment: {unknown_variable(name, path)}")
            continue
        for known in [known for known in origins if known[: len(path)] == path]:
            del origins[known]
        origins[path] = f"environment {shown}"
    return messages


def _put(raw: dict[str, Any], path: tuple[str, ...], text: str) -> bool:
    annotation, _ = field_at(path, raw)
    table: Any = raw
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return False
    alternatives = members(annotation)
    is_text = any(part is str or get_origin(part) is Literal for part in alternatives) and not models(annotation)
    table[path[-1]] = value_of(text, is_text=is_text)
    return True


def _variables(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match value:
        case dict():
            for key, item in value.items():
                if isinstance(item, str) and str(key).endswith("_env"):
                    yield (*path, key), item
                elif key not in {"parameters", "labels"}:  # their keys are the user's, not settings
                    yield from _variables(item, (*path, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _variables(item, (*path, index))


def _nearest_origin(path: tuple[str | int, ...], origins: Mapping[tuple[str | int, ...], str]) -> str:
    """Where a problem stands: its own line, else that of the table around it."""
    for depth in range(len(path), 0, -1):
        if path[:depth] in origins:
            return f"{origins[path[:depth]]}: "
    return ""


def _line(origin: str) -> int:
    match = re.search(r":(\d+): $", origin)
    return int(match.group(1)) if match else 0


def _value_origins(value: BaseModel, path: tuple[str | int, ...], origins: Origins) -> Iterator[tuple[str, str]]:
    for name in type(value).model_fields:
        item = getattr(value, name)
        where = (*path, name)
        if isinstance(item, BaseModel):
            yield from _value_origins(item, where, origins)
        elif isinstance(item, dict) and not path:  # tables by name: tiers, policies, outcomes, keys
            for key, entry in item.items():
                yield from _value_origins(entry, (*where, key), origins)
        else:
            yield dotted(where), origins.get(where) or _inherited(where, name in value.model_fields_set, origins)


def _inherited(where: tuple[str | int, ...], is_set: bool, origins: Origins) -> str:
    if not is_set:
        return "default"
    return _nearest_origin(where, origins).removesuffix(": ") or "default"


def _refuse_time(value: Any) -> str:
    """TOML has dates, no setting is one: as text they reach the check, which names what was expected."""
    return str(value)
