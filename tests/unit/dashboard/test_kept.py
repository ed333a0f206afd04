"""What views computed from one reading."""

from undertow.dashboard.kept import Kept


def test_a_value_is_made_once_a_reading():
    kept, made = Kept(), []
    reading, next_reading = object(), object()
    for given in (reading, reading, next_reading, next_reading):
        assert kept.of(given, "a", lambda: made.append(1) or len(made)) == len(made)
    assert len(made) == 2


def test_the_longest_unused_go_first():
    kept, reading, made = Kept(most=2), object(), []

    def ask(key):
        kept.of(reading, key, lambda: made.append(key))

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert made == ["a", "b", "c", "b"]


def test_what_was_made_of_an_older_reading_is_not_kept():
    kept, old, new = Kept(), object(), object()

    def slow():
        kept.of(new, "b", lambda: 2)  # the log was read anew meanwhile
        return 1

    assert kept.of(old, "a", slow) == 1
    assert kept.of(new, "a", lambda: 3) == 3
