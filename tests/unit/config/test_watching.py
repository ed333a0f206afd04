import pytest
from pydantic import ValidationError

from undertow.config.watching import (
    ImplicitSettings,
    JudgeSettings,
    MonitorsSettings,
    OutcomeSettings,
    ReviewSettings,
    ShadowSettings,
)


def test_the_defaults_are_those_of_the_report():
    monitors = MonitorsSettings()
    assert (monitors.alpha, monitors.horizon_days, monitors.level) == (0.05, 180, 0.95)
    assert (monitors.segment_margin, monitors.min_share, monitors.bucket) == (0.10, 0.05, "1d")
    assert monitors.margin is None
    assert monitors.segments is None


def test_an_outcome_without_a_price_is_counted_and_not_priced():
    assert OutcomeSettings().usd is None
    assert OutcomeSettings().direction == "bad"


def test_watching_has_budgets():
    assert ShadowSettings().budget_usd_day > 0
    assert JudgeSettings().budget_usd_day > 0
    assert ReviewSettings().per_day > 0


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (MonitorsSettings, {"alpha": 0.0}),
        (MonitorsSettings, {"alpha": 0.5}),
        (MonitorsSettings, {"level": 0.5}),
        (MonitorsSettings, {"horizon_days": 0}),
        (MonitorsSettings, {"bucket": "1w"}),
        (OutcomeSettings, {"usd": -1.0}),
        (OutcomeSettings, {"attribution_days": 0.0}),
        (OutcomeSettings, {"direction": "up"}),
        (ShadowSettings, {"never": ("fraud",)}),
        (ReviewSettings, {"raters": 0}),
        (ImplicitSettings, {"repeat_similarity": 0.0}),
        (ImplicitSettings, {"window_minutes": 0.0}),
        (ImplicitSettings, {"human_words": ("",)}),
    ],
)
def test_values_out_of_bounds_are_refused(section, values):
    with pytest.raises(ValidationError):
        section(**values)
