import pytest

from cells_factory import FIRST, build, calls, latency, served, skipped
from undertow.ledger.skipping import skipped_items

MONTH = 30.4375


def items_of(*parts, start=0, tiers=("cheap", "capable")):
    cells = build(served("cheap", 100, days=10), *parts, tiers=tiers)
    return skipped_items(cells, FIRST + start, 10.0 - start)


def thrown(usd_a_day, *, tier="cheap", days=10, **kind):
    return calls(tier, kind.pop("purpose", "serve"), usd_a_day, days=days, fate=kind.pop("fate", "discarded"))


def test_each_skipped_request_saves_what_a_cheap_answer_thrown_away_costs_in_the_mean():
    (found,) = items_of(skipped("capable", 3, days=10), thrown(0.2), thrown(0.4))
    assert (found.name, found.kind, found.tier) == ("cheap answers not asked for", "skipped", "cheap")
    assert found.usd_month == pytest.approx(3 * 0.3 * MONTH)
    assert (found.interval, found.causal) == (None, False)
    assert found.note == "30 requests, at the mean cost of 20 cheap answers thrown away"


@pytest.mark.parametrize(
    "other",
    [
        {"fate": "used"},
        {"fate": "cancelled"},
        {"fate": "failed"},
        {"purpose": "race"},
        {"purpose": "self_check"},
        {"purpose": "shadow"},
        {"tier": "capable"},
    ],
)
def test_no_other_call_has_a_part_in_that_mean(other):
    many = skipped("capable", 3, days=10)
    assert items_of(many, thrown(9.0, **other)) == ()
    assert items_of(many, thrown(0.2), thrown(9.0, **other)) == items_of(many, thrown(0.2))


def test_the_answer_not_asked_for_is_that_of_the_cheapest_tier():
    (found,) = items_of(
        skipped("capable", 1, days=10),
        thrown(0.2),
        thrown(0.8, tier="medium"),
        tiers=("cheap", "medium", "capable"),
    )
    assert found.usd_month == pytest.approx(0.2 * MONTH)


def test_costs_that_are_not_known_have_no_part_in_the_mean():
    assert items_of(skipped("capable", 3, days=10), thrown(None)) == ()
    (found,) = items_of(skipped("capable", 1, days=10), thrown(None), thrown(0.2, days=4))
    assert found.usd_month == pytest.approx(0.2 * MONTH)
    assert found.note.endswith("4 cheap answers thrown away")


def test_where_nothing_was_skipped_there_is_no_line():
    assert items_of(thrown(0.2)) == ()
    assert items_of(thrown(0.2), skipped("capable", 9, days=5), start=5) == ()


def test_only_the_routed_period_counts():
    (found,) = items_of(thrown(9.0, days=5), calls("cheap", "serve", 0.2, days=5, start=5, fate="discarded"),
                        skipped("capable", 2, days=10), start=5)  # fmt: skip
    assert found.usd_month == pytest.approx(2 * 0.2 * MONTH)


@pytest.mark.parametrize(
    ("skipped_bin", "said"),
    [
        (140, "; answered 704 ms sooner in the median than escalated ones (other requests: not a causal comparison)"),
        (170, "; answered 801 ms later in the median than escalated ones (other requests: not a causal comparison)"),
    ],
)
def test_the_note_compares_the_medians_of_the_capable_tier(skipped_bin, said):
    (found,) = items_of(
        skipped("capable", 3, days=10),
        thrown(0.2),
        latency("cheap", {10: 50}),
        latency("capable", {20: 50}),
        latency("capable", {160: 20}, way="escalated"),
        latency("capable", {skipped_bin: 30}, way="skipped"),
    )
    assert found.note.endswith(said)
    assert len(found.note) < 200


@pytest.mark.parametrize("way", ["escalated", "skipped"])
def test_where_one_of_the_two_latencies_is_not_known_none_is_compared(way):
    (found,) = items_of(skipped("capable", 3, days=10), thrown(0.2), latency("capable", {160: 20}, way=way))
    assert found.note.endswith("thrown away")
