"""Novelty is the share of words that were never seen, and nothing can be read back."""

import base64

import pytest

from undertow.policies.novelty import novelty_of, pack_seen, unpack_seen


def test_seen_texts_are_not_new_and_others_are():
    seen = unpack_seen(pack_seen(["Where is my card?", "My card was stolen"]))
    assert novelty_of("where is my card", seen) == 0.0
    assert novelty_of("quantum chromodynamics", seen) == 1.0
    # "my card" is known as a word and a pair; "blue", "my blue" and "blue card" are not
    assert novelty_of("my blue card", seen) == pytest.approx(3 / 5)
    assert novelty_of("?", seen) is None


def test_nothing_seen_is_all_new():
    assert novelty_of("card", unpack_seen(pack_seen([]))) == 1.0


@pytest.mark.parametrize("packed", ["%", "AAAA", base64.b64encode(bytes(4097)).decode(), "größe"])
def test_what_is_no_map_is_refused(packed):
    with pytest.raises(ValueError, match=r"bytes|base64|ASCII"):
        unpack_seen(packed)
