import pytest

from cells_factory import FIRST, build, calls, served
from undertow.ledger.overhead import overhead_items

MONTH = 30.4375


def items_of(*parts, start=0):
    cells = build(served("cheap", 100, days=10), *parts)
    return overhead_items(cells, FIRST + start, 10.0 - start)


def lines(items):
    return {(i.name, i.kind, i.tier): pytest.approx(i.usd_month) for i in items}


def test_answers_that_nobody_got_are_counted_tier_by_tier():
    found = items_of(
        calls("cheap", "serve", 2.0, days=10, fate="discarded"),
        calls("cheap", "serve", 1.0, days=10, fate="failed"),
        calls("capable", "race", 4.0, days=10, fate="cancelled"),
        calls("capable", "race", 0.5, days=10, fate="discarded"),
    )
    assert lines(found) == {
        ("answers thrown away", "wasted", "cheap"): 3.0 * MONTH,
        ("answers thrown away", "wasted", "capable"): 4.5 * MONTH,
    }


@pytest.mark.parametrize(
    ("purpose", "fate"),
    [
        ("serve", "used"),
        ("race", "used"),
        ("serve", "abandoned"),
        ("shadow", "used"),
        ("shadow", "failed"),
        ("judge", "discarded"),
        ("other", "failed"),
    ],
)
def test_what_served_or_watched_is_not_thrown_away(purpose, fate):
    assert items_of(calls("capable", purpose, 9.0, days=10, fate=fate)) == ()


def test_checking_answers_is_one_line_whatever_became_of_the_calls():
    (found,) = items_of(
        calls("cheap", "self_check", 1.0, days=10),
        calls("cheap", "self_check", 0.5, days=10, fate="failed"),
        calls("capable", "classify", 0.25, days=10),
    )
    assert (found.name, found.kind, found.tier) == ("checking answers", "checking", None)
    assert found.usd_month == pytest.approx(1.75 * MONTH)


def test_the_note_says_how_many_calls_and_tokens():
    (found,) = items_of(calls("cheap", "serve", 2.0, days=10, fate="discarded", output_tokens=1500))
    assert found.note == "10 calls, 15,000 output tokens in this log"


def test_a_cost_that_is_not_known_makes_no_line_and_a_part_of_it_is_said():
    unknown = calls("cheap", "serve", None, days=10, fate="discarded")
    assert items_of(unknown) == ()
    (found,) = items_of(unknown, calls("cheap", "serve", 2.0, days=5, fate="discarded"))
    assert found.usd_month == pytest.approx(MONTH)
    assert found.note.endswith("cost known for 5 of them")


def test_calls_before_routing_are_not_charged_to_it():
    assert items_of(calls("cheap", "serve", 9.0, days=5, fate="discarded"), start=5) == ()
    (found,) = items_of(calls("cheap", "serve", 9.0, days=6, fate="discarded"), start=5)
    assert found.usd_month == pytest.approx(9.0 / 5 * MONTH)


def test_calls_of_no_tier_have_a_line_too():
    (found,) = items_of(calls(None, "serve", 1.0, days=10, fate="discarded"))
    assert found.tier is None


def test_a_log_without_calls_has_no_line():
    assert items_of() == ()
