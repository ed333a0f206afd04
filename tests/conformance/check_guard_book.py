"""What every `GuardBook` keeps: a list of checks, each given a function that opens the same book anew."""

import pytest
from msgspec.structs import replace

from undertow.records.guard import Controls, GuardMemory, PolicyControls, Restriction, RolloutState, TrailEntry

AT = "2026-03-01T00:00:00.000Z"
RESTRICTED = PolicyControls(restrictions=(Restriction(segment="intent=billing", exposure=0.0, source="a1"),))


def controls(version, policies=None):
    return Controls(version=version, at=AT, policies={"auto": RESTRICTED} if policies is None else policies)


def memory(looked_until="2026-03-01", **more):
    rollout = RolloutState(
        policy="auto", version="v2", stages=(0.1, 1.0), stage={"": 0}, since={"": AT}, status="stopped"
    )
    return GuardMemory(
        at=AT, looked_until=looked_until, rollouts=(rollout,), suggested=("a9",), cooling={"x": AT}, **more
    )


def entry(name, **more):
    return TrailEntry(id=name, at=AT, who="guard", kind="route_back", evidence={"loss": 0.1, "note": None}, **more)


def check_a_new_book_is_empty(opened):
    book = opened()
    assert (book.controls(), book.trail(), book.memory(), book.versions()) == (None, (), None, ())


def check_what_is_written_is_read_again(opened):
    with opened().locked() as is_mine:
        assert is_mine
        opened().write(controls(1), memory(), [entry("a1"), entry("a2")])
    assert (opened().controls(), opened().memory()) == (controls(1), memory())
    assert opened().trail() == (entry("a1"), entry("a2"))


def check_no_controls_are_as_before(opened):
    with opened().locked():
        opened().write(controls(1), memory(), [])
        opened().write(None, memory("2026-03-02"), [entry("a1")])
    assert opened().controls() == controls(1)
    assert opened().memory() == memory("2026-03-02")


def check_the_latest_memory_holds_whatever_the_clock_says(opened):
    with opened().locked():
        opened().write(None, memory("2026-03-09"), [])
        opened().write(None, replace(memory("2026-03-02"), at="2020-01-01T00:00:00.000Z"), [])
    assert opened().memory().looked_until == "2026-03-02"


def check_the_trail_only_grows(opened):
    for number in range(5):
        with opened().locked():
            opened().write(controls(number + 1), memory(), [entry(f"a{number}")])
    assert [one.id for one in opened().trail()] == [f"a{number}" for number in range(5)]
    assert opened().controls().version == 5


def check_one_writes_at_a_time(opened):
    with opened().locked() as first:
        with opened().locked() as second:
            assert (first, second) == (True, False)
        with opened().locked() as third:
            assert not third, "that another was turned away frees nothing"
    with opened().locked() as later:
        assert later


def check_no_version_of_controls_is_used_twice(opened):
    with opened().locked():
        opened().write(controls(2), memory(), [])
        with pytest.raises(AssertionError):
            opened().write(controls(2, policies={}), memory(), [])


CHECKS = (
    check_a_new_book_is_empty,
    check_what_is_written_is_read_again,
    check_no_controls_are_as_before,
    check_the_latest_memory_holds_whatever_the_clock_says,
    check_the_trail_only_grows,
    check_one_writes_at_a_time,
    check_no_version_of_controls_is_used_twice,
)
