"""The lines: sums, what the holdout says of each, and intervals that cover."""

import numpy as np
import pytest

from undertow.ledger.book import book_lines, month_text
from undertow.ledger.usd import OutcomePrice
from undertow.records.cells import ARM_HOLDOUT, ARM_TREATMENT
from undertow.records.money import (
    MONEY_CLUSTERS,
    MoneyCells,
    MoneyEvents,
    MoneyExposure,
    MoneyReviews,
    MoneyTraffic,
    Place,
)

MARCH = 12 * 2026 + 2
TICKET = OutcomePrice("ticket", 5.0)
PLACES = (Place("whole"), Place("segment", "intent=billing"))


def table(kind, rows):
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in kind.__dataclass_fields__]
    types = [
        np.int64 if "IntArray" in str(f.type) or "int64" in str(f.type) else np.float64
        for f in kind.__dataclass_fields__.values()
    ]
    return kind(*(np.array(column, dtype=t) for column, t in zip(columns, types, strict=True)))


def money(rates=((0.03, 0.01),), reviews=(), clusters=MONEY_CLUSTERS, rng=None):
    """A month per pair of rates (treatment, holdout): 100 decisions a cluster and arm, everything in billing too."""
    traffic, exposure, events = [], [], []
    for i, pair in enumerate(rates):
        for place in range(2):
            traffic.append((MARCH + i, place, 0, 1000, 500, 5.0, 20.0))
            traffic.append((MARCH + i, place, 1, 500, 500, 20.0, 20.0))
            for arm, rate in zip((ARM_TREATMENT, ARM_HOLDOUT), pair, strict=True):
                for cluster in range(clusters):
                    exposure.append((MARCH + i, place, 0, arm, cluster, 100))
                    n = 100 * rate if rng is None else rng.binomial(100, rate)
                    events.append((MARCH + i, place, 0, arm, cluster, n, n))
    return MoneyCells(
        PLACES,
        table(MoneyTraffic, traffic),
        table(MoneyExposure, exposure),
        table(MoneyEvents, events),
        table(MoneyReviews, [(MARCH, 0, n) for n in reviews]),
    )


def lines(cells, prices=(TICKET,), **more):
    return book_lines(cells, ("cheap", "capable"), ("ticket",), prices, error=0.05, **more)


def whole(found, month=None):
    return next(each for each in found if each.place == PLACES[0] and each.month == month and each.tier is None)


def test_months_are_named():
    assert month_text(MARCH) == "2026-03"
    assert month_text(12 * 2025 + 11) == "2025-12"


def test_a_line_is_savings_minus_watching_minus_downstream():
    cells = money(reviews=(40,), rng=np.random.default_rng(1))
    found = whole(lines(cells, review_usd=0.5, watching_usd_by_month={MARCH: 3.0}))
    assert found.decisions == 1500
    assert found.savings_usd == pytest.approx(15.0 * 1500 / 1000)  # known of 1,000 decisions, carried over to 1,500
    assert found.watching_usd == pytest.approx(23.0)
    assert found.downstream_usd == pytest.approx(5.0 * MONEY_CLUSTERS * 100 * 0.02, rel=0.2)
    assert found.net_usd == pytest.approx(found.savings_usd - 23.0 - found.downstream_usd)
    low, high = found.net_interval
    assert low < found.net_usd < high


def test_months_add_up_to_the_whole_where_rates_are_alike():
    found = lines(money(((0.03, 0.01), (0.03, 0.01))))
    parts = [whole(found, month) for month in ("2026-03", "2026-04")]
    for name in ("decisions", "savings_usd", "downstream_usd"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole(found), name))


def test_a_line_stands_for_decisions_whose_outcomes_are_still_to_come_too():
    """Of March, which is ripe, a third is cheap; of April, of which a fifth is ripe, all."""
    exposure = [(MARCH + i, 0, 0, arm, c, n) for i, n in ((0, 100), (1, 20)) for arm in (ARM_TREATMENT, ARM_HOLDOUT) for c in range(60)]  # fmt: skip
    events = [(m, 0, o, arm, c, n * r, n * r) for m, _, o, arm, c, n in exposure for r in [0.03 if arm == ARM_TREATMENT else 0.01]]  # fmt: skip
    traffic = [(MARCH, 0, 0, 4_000, 4_000, 1.0, 2.0), (MARCH, 0, 1, 8_000, 8_000, 2.0, 2.0), (MARCH + 1, 0, 0, 12_000, 12_000, 3.0, 6.0)]  # fmt: skip
    found = lines(MoneyCells(PLACES, table(MoneyTraffic, traffic), table(MoneyExposure, exposure), table(MoneyEvents, events), table(MoneyReviews, [])))  # fmt: skip
    march, april, both = (whole(found, month) for month in ("2026-03", "2026-04", None))
    assert march.downstream_usd == pytest.approx(5.0 * 6_000 * 0.02)
    assert april.downstream_usd == pytest.approx(5.0 * 6_000 * 0.02)
    assert both.downstream_usd == pytest.approx(5.0 * 7_200 * 0.02 * 16_000 / 6_400)
    assert (march.note, april.note[:6], both.note[:6]) == ("", "of 80%", "of 60%")


def test_a_month_before_routing_is_left_out():
    found = lines(money(((0.5, 0.01), (0.03, 0.01))), first_month=MARCH + 1)
    assert {each.month for each in found} == {None, "2026-04"}
    assert whole(found).downstream_usd == pytest.approx(whole(found, "2026-04").downstream_usd)


def test_tiers_have_savings_and_no_downstream_cost():
    tiers = [each for each in lines(money()) if each.tier is not None and each.month is None]
    assert [(each.tier, each.downstream_usd) for each in tiers] == [("cheap", None), ("capable", None)]
    assert tiers[0].savings_usd == pytest.approx(30.0)


def test_a_handful_of_users_has_no_interval_and_an_unpriced_outcome_no_cost():
    assert whole(lines(money(clusters=20))).interval is None
    nothing = whole(lines(money(), prices=()))
    assert (nothing.downstream_usd, nothing.net_usd) == (None, None)


def test_more_lines_make_wider_intervals():
    def width(found):
        low, high = whole(found, "2026-03").interval
        return high - low

    one, many = (money(((0.03, 0.01),) * n, rng=np.random.default_rng(2)) for n in (1, 6))
    assert width(lines(many)) > width(lines(one))


def test_intervals_of_all_lines_together_cover_what_is_true():
    rng = np.random.default_rng(71)
    runs, missed = 200, 0
    truth = 5.0 * MONEY_CLUSTERS * 100 * 0.01
    for _ in range(runs):
        found = lines(money(((0.03, 0.02), (0.03, 0.02)), rng=rng))
        shown = [each for each in found if each.interval is not None]
        missed += any(
            not each.interval[0] <= truth * (2 if each.month is None else 1) <= each.interval[1] for each in shown
        )
    assert missed / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
