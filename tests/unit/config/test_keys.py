import hashlib

import pytest
from pydantic import ValidationError

from undertow.config.keys import KeySettings, key_id_of, matching_key, new_key, sha256_of


def test_a_key_has_a_public_part_and_a_secret_of_256_bits():
    made = new_key()
    assert key_id_of(made.key) == made.key_id
    assert len(made.key) == len("ut_") + 8 + len("_") + 43
    assert made.sha256 == hashlib.sha256(made.key.encode()).hexdigest()
    assert new_key().key != made.key


def test_a_key_does_not_show_in_its_repr():
    made = new_key()
    assert made.key not in repr(made)


@pytest.mark.parametrize(
    "text", ["", "ut_", "sk-1", "ut_Hx3k9Qab_short", "ut_Hx3k-Qab_" + "x" * 43, " ut_Hx3k9Qab_" + "x" * 43]
)
def test_what_is_no_key_has_no_id(text):
    assert key_id_of(text) is None


def test_a_key_is_found_by_its_hash_alone():
    made, other = new_key(), new_key()
    known = {
        "a": KeySettings(id=made.key_id, sha256=other.sha256),
        "b": KeySettings(id="Hx3k9Qab", sha256=made.sha256),
    }
    assert matching_key(made.key, known) == "b"
    assert matching_key(new_key().key, known) is None


@pytest.mark.parametrize(
    "values",
    [
        {"sha256": "0" * 63},
        {"sha256": "A" * 64},
        {"id": "_x3k9Qab"},
        {"id": "Hx3k9Qabc"},
        {"budget_usd_day": -1.0},
        {"requests_per_minute": 0},
        {"labels": {"team": ""}},
        {"labels": {"a\nb": "x"}},
    ],
)
def test_wrong_keys_are_refused(values):
    with pytest.raises(ValidationError):
        KeySettings(**{"id": "Hx3k9Qab", "sha256": sha256_of("x"), **values})
