"""Addresses that a message must not reach unless the settings allow it: this machine, its neighbours, the cloud's metadata service."""

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ALSO = (ipaddress.IPv6Network("fec0::/10"), ipaddress.IPv4Network("192.0.0.0/24"))
"""Site-local addresses, and those of protocols between neighbours (RFC 6890), all of which `is_global` does not know."""

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_internal(address: str) -> bool:
    """Whether an IP address is not one of the public internet; what cannot be read is internal.

    Private, loopback, link-local (with the metadata addresses), shared, multicast and reserved ones are internal, also where an IPv6 address
    wraps an IPv4 one (mapped, 6to4, Teredo, NAT64).

    Examples:
        >>> [is_internal(each) for each in ("127.0.0.1", "169.254.169.254", "10.1.2.3", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1")]
        [True, True, True, True, True, True]
        >>> [is_internal(each) for each in ("93.184.215.14", "2606:4700::1111")]
        [False, False]
    """
    try:
        ip: Ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    return any(
        not each.is_global or each.is_multicast or each.is_reserved or any(each in network for network in _ALSO)
        for each in _wrapped(ip)
    )


def is_named_internal(host: str) -> bool:
    """Whether a host, as it stands in an address, is internal without anybody being asked: an internal IP address, or `localhost`.

    Examples:
        >>> [is_named_internal(each) for each in ("localhost", "[::1]", "10.0.0.8", "hooks.example.org")]
        [True, True, True, False]
    """
    bare = host.strip("[]").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return is_internal(bare)


def _wrapped(ip: Ip) -> list[Ip]:
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    inner: list[Ip] = []
    if ip.ipv4_mapped is not None:
        return [ip.ipv4_mapped]
    if ip.sixtofour is not None:
        inner.append(ip.sixtofour)
    if ip.teredo is not None:
        inner.append(ip.teredo[1])
    if ip in _NAT64:
        return [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    return [ip, *inner]
