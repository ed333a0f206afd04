"""`[keys.NAME]`: who may call the gateway, and how keys are made. Only a hash of a key is ever kept.

A key is `ut_<id>_<secret>`: 8 letters and digits that may be shown, and 43 characters (256 random bits) that may not. It is
random, so one round of SHA-256 protects it at rest as well as a slow password hash would, and it can be checked on every request.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from undertow.config.section import Name, Section, Usd

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{8}$")]
LabelValue = Annotated[str, StringConstraints(min_length=1, max_length=256)]

_FORM = re.compile(r"ut_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
_ALPHABET = string.ascii_letters + string.digits


class KeySettings(Section):
    """A key with which callers come. `undertow key new NAME` makes one and prints this section. Read by `undertow serve`."""

    id: KeyId = Field(
        examples=["Hx3k9Qab"],
        description="Its public part, the 8 characters after ut_: it finds the section that a key belongs to.",
    )
    sha256: Sha256 = Field(
        examples=["5f1c6f04ff3dd38b21e4bcbf4ef20ad3ef5a7c4ad7d24f8aa0a4e8e19f3b6a5e"],
        description="SHA-256 of the whole key, in hexadecimal. The key itself stands nowhere, so a lost one is replaced.",
    )
    budget_usd_day: Usd | None = Field(
        examples=[50.0],
        default=None,
        description="Most that its requests may cost a UTC day; then 429. Requests of unknown price do not count. Unset: no limit.",
    )
    requests_per_minute: int | None = Field(
        examples=[600],
        default=None,
        ge=1,
        le=10_000_000,
        description="Most requests a minute, over all workers of a gateway; then 429. Unset: no limit.",
    )
    tiers: tuple[Name, ...] = Field(default=(), description="Tiers that it may use. Empty: all of them.")
    labels: dict[Name, LabelValue] = Field(
        default_factory=dict,
        description="Labels added to the segment of its requests; a caller cannot override them.",
    )
    ui: Literal["viewer", "reviewer", "operator"] | None = Field(
        default=None,
        examples=["viewer"],
        description="What it opens of the dashboard: viewer looks, reviewer also judges answers, operator also acts. Unset: nothing.",
    )


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; the only moment at which it is known. Its repr does not show it.

    Attributes:
        key: The whole key.
        key_id: Its public part.
        sha256: Hash of the whole key, hexadecimal.
    """

    key: str = field(repr=False)
    key_id: str
    sha256: str


def new_key() -> NewKey:
    """A new random key.

    Examples:
        >>> made = new_key()
        >>> made.key.startswith(f"ut_{made.key_id}_"), len(made.key), made.sha256 == sha256_of(made.key)
        (True, 55, True)
    """
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    key = f"ut_{key_id}_{secrets.token_urlsafe(32)}"
    return NewKey(key, key_id, sha256_of(key))


def sha256_of(key: str) -> str:
    """Hash under which a key is kept, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_id_of(key: str) -> str | None:
    """Public part of a key, or None where it has not the form of one.

    Examples:
        >>> key_id_of("ut_Hx3k9Qab_" + 43 * "x"), key_id_of("sk-1234")
        ('Hx3k9Qab', None)
    """
    match = _FORM.fullmatch(key)
    return None if match is None else match[1]


def matching_key(key: str, known: Mapping[str, KeySettings]) -> str | None:
    """Name of the key that `key` is, or None. Hashes are compared in constant time."""
    digest = sha256_of(key)
    found = [name for name, settings in known.items() if hmac.compare_digest(settings.sha256, digest)]
    return found[0] if found else None
