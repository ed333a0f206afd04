"""What is wrong with a setting, said in one line: where it stands, what was seen, why it is refused, what is near.

A value is repeated only where it cannot be a secret: never for an unknown name (`api_key = "sk-..."` is the usual slip),
never for a name that speaks of keys, and never in full.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from undertow.config.environment import PREFIX
from undertow.config.routing import POLICY_KINDS
from undertow.config.shape import ANY_NAME, all_settings, choices, field_at

_SECRETIVE = re.compile(r"key|secret|token(?!s)|password|credential|authorization|sha256|^id$|_env$|url", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: The setting, from the root.
        message: What was seen, what was expected, what is near; no line break.
    """

    path: tuple[str | int, ...]
    message: str


def dotted(path: tuple[str | int, ...]) -> str:
    r"""A path as people write it, with what a terminal would act on escaped.

    Examples:
        >>> dotted(("tiers", "cheap", "models", 0)), dotted(("tiers", "\x1b[2J"))
        ('tiers.cheap.models[0]', 'tiers.\\x1b[2J')
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return harmless(text.removeprefix("."))


def harmless(text: str) -> str:
    r"""A text with what a terminal would act on escaped.

    Examples:
        >>> harmless("Süd"), harmless("\x1b[2J")
        ('Süd', '\\x1b[2J')
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def is_secretive(name: str) -> bool:
    """Whether the value of a setting of this name may be a secret, or contain one."""
    return bool(_SECRETIVE.search(name))


def near(seen: Any, known: list[str]) -> str:
    """A hint at the nearest known word, or the whole list where it is short and nothing is near.

    Examples:
        >>> near("theshold", ["kind", "threshold"]), near("x", ["1d", "1h"])
        ("did you mean 'threshold'?", "known: '1d', '1h'")
    """
    matches = difflib.get_close_matches(str(seen).lower(), [word.lower() for word in known], n=1, cutoff=0.6)
    if matches:
        return f"did you mean {next(word for word in known if word.lower() == matches[0])!r}?"
    return f"known: {', '.join(map(repr, known))}" if known else "nothing can be set here"


def problem_of(error: ErrorDetails, raw: Mapping[str, Any]) -> Problem:
    """Pydantic's finding, for people."""
    path = _path(error["loc"], raw)
    seen = _shown(path, error.get("input"))
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return Problem(path, _unknown(path, raw))
        case "missing":
            return Problem(path[:-1], f"{dotted(path)} is missing: {_description(path, raw)}")
        case "literal_error":
            known = list(choices(field_at(path, raw)[0]))
            return Problem(path, f"{dotted(path)} is {seen}; {near(error['input'], known)}")
        case "union_tag_invalid":
            kind = error["input"].get("kind") if isinstance(error["input"], dict) else error["input"]
            return Problem(
                (*path, "kind"), f"{dotted(path)}.kind is {str(kind)[:60]!r}; {near(kind, list(POLICY_KINDS))}"
            )
        case "string_pattern_mismatch" if path and path[-1] == "[key]":
            return Problem(
                path[:-1], f"'{dotted(path[:-1])}': a name has printable characters only, and no space at its ends"
            )
        case "string_pattern_mismatch":
            return Problem(path, f"{dotted(path)} has not the right form: expected {_form(path)}")
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            bound = next(iter(context.values()))
            relation = error["type"].replace("_equal", "_or_equal_to").replace("_", " ")
            return Problem(path, f"{dotted(path)} is {seen}; it must be {relation} {bound}")
        case "finite_number":
            return Problem(path, f"{dotted(path)} is {seen}; it must be a finite number")
    reason = error["msg"].removeprefix("Input should be ").replace("array", "list")
    return Problem(path, f"{dotted(path)} is {seen}; expected {reason[:1].lower() + reason[1:]}")


def unknown_variable(name: str, path: tuple[str, ...]) -> str:
    """What to say of an `UNDERTOW_*` variable that is no setting."""
    known = [setting.path.upper().replace(".", "__") for _, _, group in all_settings() for setting in group]
    if path[0] in {"tiers", "policies", "outcomes", "keys"} and len(path) > 1:
        own = [word for word in known if word.startswith(f"{path[0].upper()}__")]
        known = [word.replace(ANY_NAME, path[1].upper(), 1) for word in own]
    # Without the prefix, which every name shares and which would make all of them look alike.
    matches = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.6)
    hint = f"did you mean {PREFIX}{matches[0]}?" if matches else "unset it; `undertow config check` shows all settings"
    return harmless(f"{name}: no such setting; {hint}")


def _path(loc: tuple[str | int, ...], raw: Any) -> tuple[str | int, ...]:
    """Pydantic's location without the tags of unions, which stand nowhere in the file."""
    path: list[str | int] = []
    level = raw
    for position, part in enumerate(loc):
        is_last = position == len(loc) - 1
        if isinstance(level, Mapping) and part in level:
            level = level[str(part)]
        elif isinstance(level, list) and isinstance(part, int):
            level = level[part]
        elif (part in POLICY_KINDS or part in {"auto", "table", "one", "several"}) and not (
            is_last and isinstance(level, Mapping)
        ):
            continue
        path.append(part)
    return tuple(path)


def _shown(path: tuple[str | int, ...], value: Any) -> str:
    if any(isinstance(part, str) and is_secretive(part) for part in path[-2:]) or isinstance(value, dict):
        return "not shown" if not isinstance(value, dict) else "a table"
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(path: tuple[str | int, ...], raw: Mapping[str, Any]) -> str:
    *parents, name = path
    fields = field_at(tuple(parents), raw)[1]
    hint = near(name, list(fields))
    if not parents:
        everywhere = {
            setting.path.rsplit(".", 1)[1]: setting.path for _, _, group in all_settings() for setting in group
        }
        inner = difflib.get_close_matches(str(name), everywhere, n=1, cutoff=0.8)
        if inner and "did you mean" not in hint:
            hint = f"did you mean {inner[0]!r} in [{everywhere[inner[0]].rsplit('.', 1)[0]}]?"
    if str(name) in {"api_key", "key", "token"}:
        hint = "a key never stands in the file: put it into an environment variable and name that in api_key_env"
        if parents and parents[0] == "keys":
            hint = "a key never stands in the file: its sha256 does; `undertow key new` prints both"
    kinds = [kind for kind, model in POLICY_KINDS.items() if name in model.model_fields]
    if parents and parents[0] in {"policy", "policies"} and kinds:
        hint = f"it belongs to kind = {' or '.join(map(repr, kinds))}"
    return f"{dotted(path)}: no such setting; {hint}"


def _description(path: tuple[str | int, ...], raw: Mapping[str, Any]) -> str:
    field = field_at(path[:-1], raw)[1].get(str(path[-1]))
    return (field.description or "required") if field is not None else "required"


def _form(path: tuple[str | int, ...]) -> str:
    name = str(next((part for part in reversed(path) if isinstance(part, str)), ""))
    if name.endswith("_env"):
        return "the NAME of an environment variable (letters, digits, underscores), never the key itself"
    if name == "sha256":
        return "64 hexadecimal digits, the hash that `undertow key new` prints, never the key itself"
    if name == "id":
        return "the 8 letters and digits after ut_ in the key, never the key itself"
    if name.endswith(("url", "endpoint")):
        return "http(s)://host[:port]/path without user, password or query"
    if name in {"never_cheap", "never", "cheap_segments"}:
        return "'key=value', such as 'intent=fraud'"
    if name in {"calibration", "predictive", "ca_file"}:
        return "the path of a file"
    if name == "redact":
        return "'package.module:function'"
    return "a mail address" if name == "email_to" else "letters, digits and . _ : - only"
