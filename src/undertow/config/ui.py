"""`[ui]`: the dashboard that `undertow serve` has under /ui, and who may see and do what there."""

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from undertow.config.section import Section

Role = Literal["viewer", "reviewer", "operator"]

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?$")]
"""A name as it stands in an address: without scheme, port and path."""
UserName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=256)]

NAMES_NOBODY = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "authorization", "content-length", "content-type", "cookie", "host", "origin",
        "connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "via",
        "referer", "user-agent", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip
"""Headers that a caller sends itself, or that say something else: none of them names a user."""


class UiSettings(Section):
    """The dashboard in the browser, under /ui. Who may open it: keys with `ui`, users whom a proxy names, or, where neither is set up, this machine alone. Read by `undertow serve`."""

    enabled: bool = Field(default=True, description="Have the dashboard under /ui. It runs in a process of its own.")
    refresh_s: float = Field(
        default=30.0, ge=1, le=86_400, description="Seconds between two looks whether the log has changed."
    )
    session_hours: float = Field(
        default=12.0, gt=0, le=720, description="Hours for which a login with a key holds; a working day."
    )
    public_hosts: tuple[HostName, ...] = Field(
        default=(),
        examples=[["undertow.example.org"]],
        description="Names under which the dashboard is asked for, beside localhost and IP addresses. Any other is refused: a page "
        "elsewhere could have its own name point to this machine.",
    )
    user_header: HeaderName | None = Field(
        default=None,
        examples=["X-Forwarded-User"],
        description="Header in which a reverse proxy that has checked a user names him. Believed from trusted_proxies alone; the proxy must "
        "take it away from what callers send.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        examples=[["10.0.0.5", "10.1.0.0/16"]],
        description="Addresses or networks of reverse proxies whose user_header, X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    roles: dict[UserName, Role] = Field(
        default_factory=dict,
        examples=[{"ada@example.org": "operator"}],
        description="Role of each user whom the proxy names: viewer looks, reviewer also judges answers, operator also acts.",
    )
    default_role: Role | None = Field(
        default=None,
        examples=["viewer"],
        description="Role of users whom the proxy names and who are not in roles. Unset: none, they are refused.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            try:
                network = ipaddress.ip_network(each, strict=False)
            except ValueError:
                raise ValueError(f"{each!r} is neither an address nor a network such as 10.1.0.0/16") from None
            if network.prefixlen == 0:
                raise ValueError(f"{each!r} is everybody; name the proxy's own address")
        return given

    @field_validator("user_header")
    @classmethod
    def _names_users(cls, given: str | None) -> str | None:
        if given is not None and (
            given.lower() in NAMES_NOBODY or given.lower().startswith(("sec-", "hx-", "x-undertow-"))
        ):
            raise ValueError(f"{given!r} is sent by browsers or proxies with another meaning; it names no user")
        return given
