"""Under which names the dashboard is asked for.

A page elsewhere can have a name of its own point to this machine (DNS rebinding), and is then of the same origin as the dashboard. Its
requests bear that name as their host: whatever name is not known is refused. An address is no name: nobody can have it point elsewhere.
"""

import ipaddress
import re

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine for itself."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]{1,5})?")


def host_name(header: str) -> str | None:
    """The name in a `Host` header, lower case, without its port; None: it is none.

    Examples:
        >>> host_name("Undertow.example.org:8443"), host_name("[::1]:8484"), host_name("[::1]"), host_name("x/ui/static/?")
        ('undertow.example.org', '::1', '::1', None)
    """
    match = _HOST.fullmatch(header)
    if match is None:
        return None
    return (match[1] or match[2]).lower().rstrip(".")


def is_known_host(header: str, names: frozenset[str], *, takes_addresses: bool = False) -> bool:
    """Whether a request under this `Host` header is answered.

    Args:
        header: As it was sent.
        names: Names that are known, lower case.
        takes_addresses: Any IP address is known, too.

    Examples:
        >>> [is_known_host(host, LOCAL_NAMES, takes_addresses=True) for host in ("localhost:1", "10.0.0.7:4040", "evil.example", "")]
        [True, True, False, False]
    """
    name = host_name(header)
    if name is None:
        return False
    if name in names:
        return True
    if not takes_addresses:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
