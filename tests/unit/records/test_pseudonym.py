import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from undertow.records.pseudonym import pseudonym


def test_it_is_the_hmac_that_anybody_with_the_key_can_compute():
    assert pseudonym("user-1", b"key") == hmac.new(b"key", b"user-1", hashlib.sha256).hexdigest()


def test_without_a_key_and_without_an_id_nothing_changes():
    assert pseudonym("user-1", None) == "user-1"
    assert pseudonym(None, b"key") is None


@given(st.text(), st.text())
def test_equal_ids_meet_and_different_ids_do_not(left, right):
    assert (pseudonym(left, b"key") == pseudonym(right, b"key")) == (left == right)


def test_keys_separate_stores():
    assert pseudonym("user-1", b"one") != pseudonym("user-1", b"two")
