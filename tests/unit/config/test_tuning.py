import pytest
from pydantic import ValidationError

from undertow.calibration.online import STEP
from undertow.config.tuning import TuningSettings
from undertow.records.serving import TuningPlan


def test_nothing_is_tuned_unasked_and_defaults_are_those_that_were_measured():
    settings = TuningSettings()
    assert settings.enabled is False
    assert settings.step == STEP
    plan = TuningPlan()
    assert {name: getattr(plan, name) for name in settings.model_dump()} == settings.model_dump()


@pytest.mark.parametrize(
    "values", [{"step": 0.0}, {"max_step": 0.0}, {"every_minutes": 0.5}, {"window_days": 0.0}, {"enabled": "yes"}]
)
def test_wrong_values_are_refused(values):
    with pytest.raises(ValidationError):
        TuningSettings(**values)
