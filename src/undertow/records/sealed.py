"""Files that a program trained or fitted and a gateway loads: readable JSON with a hash over its content, and no code in it.

    {"schema": "undertow.NAME/1", ..., "sha256": "..."}

The hash is SHA-256 over the same object without `sha256`, as `json.dumps(..., sort_keys=True, separators=(",", ":"))` writes it.
It finds a file that was cut, merged or edited by hand; it is no signature.
"""

import hashlib
import json
from typing import Any, TypeVar

import msgspec

from undertow.errors import ConfigError

Value = TypeVar("Value", bound=msgspec.Struct)


def content_hash(content: dict[str, Any]) -> str:
    """SHA-256 over a file's content, a `sha256` in it left out."""
    bare = {key: value for key, value in content.items() if key != "sha256"}
    canonical = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def seal(value: msgspec.Struct) -> bytes:
    """A value as the content of its file."""
    content = msgspec.to_builtins(value)
    return (json.dumps(content | {"sha256": content_hash(content)}, indent=1) + "\n").encode()


def unseal(document: bytes, where: str, kind: type[Value], *, schema: str, made_by: str) -> tuple[Value, str]:
    """A value from the content of its file, and its hash.

    Args:
        document: The file's content.
        where: Its name, for messages.
        kind: What it holds.
        schema: The version of the file that can be read.
        made_by: The command that makes such files, and that is to be run again where one is broken, such as `undertow train`.

    Raises:
        ConfigError: It is no such file of this version, or its content is not what its hash says.
    """
    try:
        content = json.loads(document)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where}: not JSON; expected a file that `{made_by}` wrote") from None
    if not isinstance(content, dict) or content.get("schema") != schema:
        found = content.get("schema") if isinstance(content, dict) else None
        raise ConfigError(
            f"{where}: schema {str(found)[:60]!r} is not {schema!r}; expected a file that this version's `{made_by}` wrote"
        )
    said, is_ = content.get("sha256"), content_hash(content)
    if said != is_:
        raise ConfigError(
            f"{where}: its content is not what its sha256 says: it was cut or edited; run `{made_by}` again"
        )
    try:
        return msgspec.convert(content, kind), is_
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}; run `{made_by}` again") from None
