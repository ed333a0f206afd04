"""What may be set where: the fields of the settings' models, by dotted path. Serves messages, the init file and the docs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from undertow.config.routing import POLICY_KINDS, policy_kind
from undertow.config.settings import Settings

ANY_NAME = "NAME"
"""Stands for the name of a tier, policy, outcome or key in a dotted path."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, for people.

    Attributes:
        path: Dotted path; `NAME` where the user chooses a name.
        description: What it does, and why its default is what it is.
        default: Its default in TOML's spelling; None: unset.
        example: A value that makes sense, in TOML's spelling; its default where that does.
        required: It has no default.
        choices: The closed list of values, or empty.
        policy_kind: The kind of policy that has it, where not all have.
    """

    path: str
    description: str
    default: str | None
    example: str
    required: bool
    choices: tuple[str, ...]
    policy_kind: str | None = None


def members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union, without `None` and without `Annotated` wrappers."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in {dict, tuple, Literal, None} or isinstance(annotation, type):
        return () if annotation is type(None) else (annotation,)
    return tuple(found for part in get_args(annotation) for found in members(part))


def models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models among the alternatives of an annotation."""
    return tuple(part for part in members(annotation) if isinstance(part, type) and issubclass(part, BaseModel))


def choices(annotation: Any) -> tuple[str, ...]:
    """The closed list of values of an annotation, or empty."""
    return tuple(str(value) for part in members(annotation) if get_origin(part) is Literal for value in get_args(part))


def field_at(path: tuple[str | int, ...], raw: Any) -> tuple[Any, dict[str, FieldInfo]]:
    """Annotation at `path`, and the fields that a table there may have.

    Args:
        path: Path from the root; names chosen by the user are passed through.
        raw: The values as read, which decide the kind of a policy.
    """
    annotation: Any = Settings
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
        annotation = _step(annotation, key)
        if annotation is None:
            return None, {}
        found = models(annotation)
        if set(found) == set(POLICY_KINDS.values()):
            kind = policy_kind(raw) if isinstance(raw, dict) else "cascade"
            annotation = POLICY_KINDS.get(kind, annotation) if isinstance(kind, str) else annotation
    found = models(annotation)
    return annotation, dict(found[0].model_fields) if len(found) == 1 else {}


def _step(annotation: Any, key: str | int) -> Any:
    for part in members(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel) and key in part.model_fields:
            return part.model_fields[str(key)].annotation
        if get_origin(part) is dict:
            return get_args(part)[1]
        if get_origin(part) is tuple and isinstance(key, int):
            return get_args(part)[0]
    return None


def as_toml(value: Any) -> str | None:
    """A default in TOML's spelling; None for unset and for tables.

    Examples:
        >>> as_toml(0.05), as_toml("1d"), as_toml(True), as_toml(()), as_toml(None)
        ('0.05', '"1d"', 'true', '[]', None)
    """
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int() | float():
            return repr(value)
        case tuple() | list():
            return "[" + ", ".join(as_toml(item) or "{}" for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
        case BaseModel():
            return as_toml(value.model_dump(exclude_none=True))
    raise TypeError(type(value))


def _key(name: str) -> str:
    """A key as TOML wants it: bare where it may be."""
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else as_toml(name) or ""


def section_settings(model: type[BaseModel], prefix: str, kind: str | None = None) -> Iterator[Setting]:
    """The settings of one section."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        default = None if default is PydanticUndefined else default
        yield Setting(
            path=f"{prefix}.{name}",
            description=field.description or "",
            default=as_toml(default),
            example=as_toml(field.examples[0] if field.examples else default) or "",
            required=field.is_required(),
            choices=choices(field.annotation),
            policy_kind=kind,
        )


def all_settings() -> Iterator[tuple[str, str, tuple[Setting, ...]]]:
    """Sections in file order: name as in a header (`tiers.NAME`), what it is for, its settings."""
    for name, field in Settings.model_fields.items():
        annotation = field.annotation
        by_name = any(get_origin(part) is dict for part in members(annotation))
        header = f"{name}.{ANY_NAME}" if by_name else name
        inner = get_args(members(annotation)[0])[1] if by_name else annotation
        found = models(inner)
        if len(found) == 1:
            settings = tuple(section_settings(found[0], header))
        else:
            common = set.intersection(*(set(model.model_fields) for model in found))
            settings = tuple(
                setting
                for kind, model in POLICY_KINDS.items()
                for setting in section_settings(model, header, kind)
                if kind == "cascade" or setting.path.rsplit(".", 1)[1] not in common
            )
        yield header, _purpose(found[0]) if len(found) == 1 else field.description or "", settings


def _purpose(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").splitlines()[0]
