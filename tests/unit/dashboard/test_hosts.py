import pytest

from undertow.dashboard.hosts import LOCAL_NAMES, host_name, is_known_host


@pytest.mark.parametrize(
    "header", ["localhost", "LOCALHOST:8484", "127.0.0.1:4040", "[::1]:4040", "[::1]", "localhost."]
)
def test_this_machines_own_names_are_known(header):
    assert is_known_host(header, LOCAL_NAMES)


@pytest.mark.parametrize(
    "header",
    [
        "", "evil.example", "evil.example:8484", "localhost.evil.example", "evil.example#localhost", "localhost@evil.example",
        "localhost/ui/static/?", "localhost:8484:1", "localhost:port", "[::1", "::1:8484", "[localhost]", "localhost\tx", "127.0.0.1.nip.io",
        "10.0.0.7",
    ],
)  # fmt: skip
def test_nothing_else_is(header):
    assert not is_known_host(header, LOCAL_NAMES)


@pytest.mark.parametrize(("header", "known"), [
    ("10.0.0.7:4040", True), ("[fd00::7]:4040", True), ("10.0.0.7.nip.io:4040", False), ("1234567", False), ("0x7f.1", False),
])  # fmt: skip
def test_an_address_can_be_known_too_and_what_only_looks_like_one_is_not(header, known):
    assert is_known_host(header, LOCAL_NAMES, takes_addresses=True) is known


def test_names_are_compared_without_their_case():
    assert host_name("Undertow.Example.ORG:8443") == "undertow.example.org"
    assert is_known_host("Undertow.Example.ORG", frozenset({"undertow.example.org"}))
