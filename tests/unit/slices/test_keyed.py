"""Hidden sketches: comparable among themselves, told by the key alone, and of no use to whoever has a dictionary."""

import subprocess
import sys

from undertow.slices.keyed import SketchKey
from undertow.slices.sketch import BUCKETS, sketch

MINE, OTHER = SketchKey(b"mine"), SketchKey(b"other")


def test_the_key_tells_them_again_and_another_does_not():
    seen = sketch("Where is the charge on my card from?")
    hidden = MINE.hidden(seen)
    assert MINE.shown(hidden) == seen
    assert SketchKey(b"mine").shown(hidden) == seen
    assert OTHER.shown(hidden) != seen
    assert list(hidden) == sorted(set(hidden))


def test_it_is_one_to_one_so_texts_are_as_alike_as_before():
    assert MINE.hidden(tuple(range(BUCKETS))) == tuple(range(BUCKETS))
    one, two = sketch("cancel my plan"), sketch("please cancel the plan")
    assert len(set(MINE.hidden(one)) & set(MINE.hidden(two))) == len(set(one) & set(two))


def test_a_dictionary_finds_no_word_without_the_key():
    words = ["refund", "card", "charge", "cancel", "fraud", "invoice", "parcel", "password"]
    hits = sum(set(sketch(word)) <= set(MINE.hidden(sketch(word))) for word in words)
    assert hits == 0


def test_numbers_of_no_bucket_are_no_sketch():
    assert MINE.shown((BUCKETS,)) is None
    assert MINE.shown((-1,)) is None
    assert MINE.shown(()) == ()


def test_a_worker_that_keeps_them_loads_no_numpy():
    code = "import sys, undertow.slices.keyed, undertow.gateway.sampled; print({'numpy', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
