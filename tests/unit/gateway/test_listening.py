import socket

import pytest

from undertow.errors import UsageError
from undertow.gateway.listening import bind_listener, check_exposure, is_loopback, url_of

EVERYWHERE = "::"


def test_callers_can_connect_before_anybody_accepts():
    with bind_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_taken_port_is_told_in_one_line():
    with bind_listener("127.0.0.1", 0) as listener:
        with pytest.raises(UsageError, match="in use by another process") as caught:
            bind_listener("127.0.0.1", listener.getsockname()[1])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "message"), [("192.0.2.1", "no address of this machine"), ("no.such.host.invalid", "has no address")]
)
def test_an_address_that_is_not_ours_is_told(host, message):
    with pytest.raises(UsageError, match=message):
        bind_listener(host, 0)


def test_others_are_let_in_only_with_keys_or_on_purpose():
    with pytest.raises(UsageError, match="anybody could spend your money"):
        check_exposure(EVERYWHERE, has_keys=False, is_allowed=False)
    check_exposure(EVERYWHERE, has_keys=True, is_allowed=False)
    check_exposure(EVERYWHERE, has_keys=False, is_allowed=True)
    check_exposure("127.0.0.1", has_keys=False, is_allowed=False)


@pytest.mark.parametrize("host", ["", "::", "192.0.2.1", "no.such.host.invalid", "::ffff:192.0.2.1"])
def test_only_loopback_is_loopback(host):
    assert not is_loopback(host)
