import pytest

from undertow.ledger.usd import OutcomePrice, per_month


def test_a_bad_outcome_costs_and_a_good_one_earns():
    assert OutcomePrice("ticket", 9.0).cost_usd == 9.0
    assert OutcomePrice("order", 9.0, direction="good").cost_usd == -9.0
    assert OutcomePrice("csat", None).cost_usd == 0.0


@pytest.mark.parametrize(
    ("usd", "days", "month"), [(10.0, 10.0, 30.4375), (0.0, 3.0, 0.0), (-30.4375, 30.4375, -1.0 * 30.4375)]
)
def test_a_month_has_its_mean_length(usd, days, month):
    assert per_month(usd, days) == pytest.approx(month)
