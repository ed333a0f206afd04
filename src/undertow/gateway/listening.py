"""The one listening socket that all workers share, and the rule on whom it may be open to."""

import errno
import ipaddress
import socket

from undertow.errors import UsageError

BACKLOG = 2048


def bind_listener(host: str, port: int) -> socket.socket:
    """Bind and listen, so that callers can connect before the first worker is ready: the kernel keeps them in its queue.

    Args:
        host: Name or address; of a name the first address is taken.
        port: Port; 0: any free one.

    Raises:
        UsageError: The name has no address, or the port is taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(
            f"--host {host!r} has no address ({error.strerror or error}); 127.0.0.1 is this machine"
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(_why_not(host, port, error)) from None
    listener.setblocking(False)
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is in use by another process; stop it, or choose another --port"
        case errno.EACCES | errno.EPERM:
            return f"{where} needs rights that this user does not have; choose a --port above 1023"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine; choose another --host"
        case _:
            return f"cannot listen on {where}: {error.strerror}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. A name counts as loopback if all its addresses are.

    Examples:
        >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "")]
        [True, True, True, False, False, False]
    """
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def check_exposure(host: str, *, has_keys: bool, is_allowed: bool) -> None:
    """Refuse to be open to others without keys.

    Args:
        host: Where to listen.
        has_keys: Callers need a gateway key.
        is_allowed: The operator said that it is meant.

    Raises:
        UsageError: Anybody who reaches the address could spend the operator's money.
    """
    if has_keys or is_allowed or is_loopback(host):
        return
    raise UsageError(
        f"--host {host} can be reached from other machines, and there is no gateway key: anybody could spend your money. Make one "
        "with `undertow key new NAME --append`, listen on 127.0.0.1, or pass --allow-public-without-keys if something before it checks callers"
    )


def url_of(listener: socket.socket) -> str:
    """Where a listening socket can be reached.

    Examples:
        >>> with bind_listener("127.0.0.1", 0) as listener:
        ...     url_of(listener).startswith("http://127.0.0.1:")
        True
    """
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"
