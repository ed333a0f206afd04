import hashlib

import pytest

from undertow.records.key_ring import KeyRing
from undertow.records.serving import KeyPlan

SECRET = b"ut_abcdefgh_secret_with_underscores"
KEY = KeyPlan(name="team", key_id="abcdefgh", sha256=hashlib.sha256(SECRET).hexdigest())


def test_the_key_opens():
    assert KeyRing([KEY]).find(SECRET) is KEY


@pytest.mark.parametrize(
    "presented",
    [None, b"", b"ut_abcdefgh_", b"ut_abcdefgh_wrong", b"ut_zzzzzzzz_x", SECRET + b" ", b"abcdefgh", b"\xff_\xff_\xff"],
)
def test_nothing_else_does(presented):
    assert KeyRing([KEY]).find(presented) is None


def test_without_keys_the_gateway_is_open_and_knows_nobody():
    ring = KeyRing([])
    assert ring.is_open
    assert ring.find(SECRET) is None


def test_the_empty_key_is_not_the_nobody_that_unknown_ids_are_compared_with():
    assert KeyRing([]).find(b"") is None


def test_comparison_is_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr("undertow.records.key_ring.hmac.compare_digest", lambda a, b: compared.append((a, b)) or False)
    ring = KeyRing([KEY])
    ring.find(b"ut_abcdefgh_wrong")
    ring.find(b"ut_unknown0_wrong")
    assert len(compared) == 2, "an unknown id is compared too, so that it takes as long"
