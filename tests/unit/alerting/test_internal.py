import pytest

from undertow.alerting.internal import is_internal, is_named_internal


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "no address", "", "fec0::1", "192.0.0.8",
    ],
)  # fmt: skip
def test_addresses_of_this_house_are_internal_however_they_are_wrapped(address):
    assert is_internal(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_not(address):
    assert not is_internal(address)


def test_names_are_not_looked_up():
    assert is_named_internal("LOCALHOST")
    assert is_named_internal("a.localhost")
    assert not is_named_internal("internal.example.org")
    assert not is_named_internal("8.8.8.8")
