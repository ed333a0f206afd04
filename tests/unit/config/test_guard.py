import pytest
from pydantic import ValidationError

from undertow.config.guard import GuardSettings, RolloutSettings, SourceSettings


def test_nothing_is_taken_off_the_cheap_tier_by_default_without_a_person():
    guard = GuardSettings()
    assert "automatic" not in (guard.route_back, guard.tighten, guard.roll_back)
    assert guard.restore_after_days is None


def test_stages_of_the_default_rollout_rise_to_all():
    stages = RolloutSettings().stages
    assert list(stages) == sorted(set(stages))
    assert stages[-1] == 1.0


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (GuardSettings, {"route_back": "on"}),
        (GuardSettings, {"segments": {"fraud": "automatic"}}),
        (GuardSettings, {"max_actions_per_day": 0}),
        (RolloutSettings, {"stages": (0.0, 1.0)}),
        (RolloutSettings, {"stages": (0.5, 0.2, 1.0)}),
        (RolloutSettings, {"stages": (0.1, 0.5)}),
        (RolloutSettings, {"stages": ()}),
        (SourceSettings, {"kind": "ftp"}),
        (SourceSettings, {"kind": "sql", "query": "SELECT 1"}),
        (SourceSettings, {"kind": "files"}),
        (SourceSettings, {"kind": "files", "path": "x.csv", "currency": "usd"}),
        (SourceSettings, {"kind": "files", "path": "x.csv", "timezone": "Mars/Base"}),
        (SourceSettings, {"kind": "files", "path": "x.csv", "columns": {"usr": "customer"}}),
    ],
)
def test_wrong_values_are_refused(section, values):
    with pytest.raises(ValidationError):
        section(**values)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "+02:00"])
def test_a_source_takes_a_zone_and_other_names_of_columns(zone):
    source = SourceSettings(path="drops/*.csv", timezone=zone, columns={"user_id": "customer"})
    assert (source.timezone, source.columns) == (zone, {"user_id": "customer"})
