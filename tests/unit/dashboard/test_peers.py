import pytest

from undertow.dashboard.peers import FORWARDING, Proxies, is_here
from unit.dashboard.asked import asked

PROXY = "10.0.0.5"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.3.4.5", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_here(peer):
    assert is_here(asked(peer=peer))


@pytest.mark.parametrize("peer", ["10.0.0.7", "192.168.1.2", "::ffff:10.0.0.7", "fe80::1%eth0", "", None, "localhost"])
def test_nothing_else_is(peer):
    assert not is_here(asked(peer=peer))


@pytest.mark.parametrize("name", FORWARDING)
def test_what_a_proxy_passed_on_is_not_from_here(name):
    assert not is_here(asked((name, "127.0.0.1")))


def test_only_a_believed_proxy_may_say_that_it_was_https():
    proxies = Proxies([PROXY])
    said = ("x-forwarded-proto", "https")
    assert proxies.is_https(asked(said, peer=PROXY))
    assert not proxies.is_https(asked(said, peer="10.0.0.6"))
    assert not proxies.is_https(asked(said, peer=None))
    assert not proxies.is_https(asked(("x-forwarded-proto", "https, http"), peer=PROXY)), (
        "the last one is the proxy's own"
    )
    assert not proxies.is_https(asked(peer=PROXY))
    assert proxies.is_https(asked(scheme="https"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.9.9.9", "1.2.3.4", "10.9.9.9"),
        (PROXY, "1.2.3.4", "1.2.3.4"),
        (PROXY, "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        (PROXY, "1.2.3.4, 10.1.0.1", "1.2.3.4"),
        (PROXY, "nonsense", ""),
        (PROXY, "", PROXY),
        (PROXY, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "", "2001:db8:1:2::/64"),
    ],
)
def test_attempts_are_counted_for_the_last_address_before_the_proxies(peer, forwarded, caller):
    headers = [("x-forwarded-for", forwarded)] if forwarded else []
    assert Proxies([PROXY, "10.1.0.0/16"]).caller(asked(*headers, peer=peer)) == caller
