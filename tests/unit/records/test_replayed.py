from datetime import UTC, datetime, timedelta

from undertow.records.replayed import Rerouting, TimeLine

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_days_to_know_are_from_the_onset():
    line = TimeLine("n", (), "quality_loss", NOW + timedelta(days=9), NOW, None, None, 0.5)
    assert line.days_to_know == 9
    assert TimeLine("n", (), "inconclusive", None, None, None, None, 0.5).days_to_know is None


def test_a_rule_without_anything_is_empty():
    assert Rerouting("capable").is_empty
    assert not Rerouting("capable", threshold=0.0).is_empty
    assert not Rerouting("capable", never_cheap=("a=b",)).is_empty
