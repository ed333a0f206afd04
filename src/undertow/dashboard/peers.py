"""From which address a request came, and which addresses are believed when they speak for others."""

import ipaddress
from collections.abc import Iterable

from starlette.requests import Request

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""Headers by which a proxy says that it stands between."""
IPV6_PREFIX = 64
"""One customer has at least so many addresses to choose from."""


def address_of(text: str) -> Address | None:
    """An IP address, an IPv4 one in IPv6's clothes as what it is; None: it is none.

    Examples:
        >>> address_of("::ffff:10.0.0.7"), address_of("fe80::1%eth0"), address_of("unix")
        (IPv4Address('10.0.0.7'), IPv6Address('fe80::1'), None)
    """
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return found if mapped is None else mapped


def peer_of(request: Request) -> Address | None:
    """Address of the other end of the connection; None: not known, so that nothing is believed of it."""
    return None if request.client is None else address_of(request.client.host)


def is_here(request: Request) -> bool:
    """Whether the request came from this machine itself, and nothing says that it was passed on for somebody else."""
    peer = peer_of(request)
    return peer is not None and peer.is_loopback and not any(name in request.headers for name in FORWARDING)


class Proxies:
    """Addresses that are believed when they speak for others.

    Args:
        trusted: Addresses and networks.

    Examples:
        >>> proxies = Proxies(["10.1.0.0/16", "::1"])
        >>> [proxies.has(address_of(text)) for text in ("10.1.2.3", "::1", "10.2.0.1")], proxies.has(None)
        ([True, True, False], False)
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in trusted)

    def has(self, address: Address | None) -> bool:
        """Whether an address is one of them."""
        return address is not None and any(address in network for network in self._networks)

    def is_https(self, request: Request) -> bool:
        """Whether the browser asked by https: of itself, or as a believed proxy says."""
        if request.scope["scheme"] == "https":
            return True
        said = request.headers.getlist("x-forwarded-proto")
        return self.has(peer_of(request)) and bool(said) and said[-1].rpartition(",")[2].strip().lower() == "https"

    def caller(self, request: Request) -> str:
        """Whose attempts are counted together: the last address before the believed proxies, of IPv6 its network; empty: unknown."""
        address = peer_of(request)
        hops = [hop for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
        while self.has(address) and hops:
            address = address_of(hops.pop())
        if address is None:
            return ""
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
        return str(address)
