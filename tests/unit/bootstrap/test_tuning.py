"""What tuning a store is built from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tuning_factory import NOW, calibration
from undertow.adapters.calibrations import write_calibration
from undertow.bootstrap.tuning import (
    alarms_of,
    audit_settings_of,
    calibrations_of,
    committing_of,
    open_alarms,
    targets_of,
    tune_store,
)
from undertow.config import Settings
from undertow.errors import ConfigError
from undertow.ports.tuning import OpenAlarm
from undertow.records.report import Alarm, AuditSettings
from undertow.records.segment import WHOLE, Segment
from undertow.records.serving import TuningPlan
from undertow.services.tune import Bounds
from undertow.services.tuning_run import Run

AT = datetime(2026, 3, 1, tzinfo=UTC)
ALARM = Alarm(
    monitor="quality", signal="review.accuracy", tier="cheap", segment=Segment("intent", "billing"), cause="routing",
    basis="human", detected_at=AT, onset=AT, onset_interval=(AT, AT + timedelta(days=1)), loss=0.1, interval=(0.05, 0.2),
    evidence=5.0, latest_interval=(0.0, 0.1),
)  # fmt: skip


def report(*alarms, series=("s",), labels=100):
    """The part of an audit's report that is read."""
    tier = SimpleNamespace(
        signals={"review.accuracy": SimpleNamespace(n=labels), "thumb.helpful": SimpleNamespace(n=3)}
    )
    return SimpleNamespace(settings=AuditSettings(margin=0.02), alarms=alarms, evidence_series=series, tiers=(tier,))


def test_an_alarm_is_open_until_labels_show_the_loss_within_the_margin():
    whole = replace(ALARM, segment=WHOLE, latest_interval=None)
    over = replace(ALARM, latest_interval=(-0.01, 0.015))
    found = open_alarms(report(ALARM, over, whole))
    assert found.open == (OpenAlarm("cheap", {"intent": "billing"}), OpenAlarm("cheap", {}))
    assert found.unknown is None


@pytest.mark.parametrize("missing", [{"series": ()}, {"labels": 99}])
def test_without_evidence_nobody_knows_of_alarms(missing):
    assert open_alarms(report(**missing)).unknown


def test_a_store_without_decisions_says_why_no_alarm_could_be_looked_for(tmp_path):
    (tmp_path / "decisions" / "open").mkdir(parents=True)
    assert alarms_of(tmp_path, Settings()).unknown


def test_every_cascade_names_its_calibrations_and_they_are_read(tmp_path):
    sha256 = write_calibration(calibration(), tmp_path / "c.json")
    settings = Settings(
        policy={"kind": "cascade", "calibration": "c.json"},
        policies={"fixed": {"kind": "fixed"}, "plain": {"kind": "cascade"}},
    )
    paths = calibrations_of(settings, tmp_path)
    assert paths == {"auto": (str(tmp_path / "c.json"),), "plain": ()}
    (target,) = targets_of(paths)
    assert (target.policy, target.calibration, target.version, target.commits) == ("auto", calibration(), sha256, False)
    assert targets_of(paths, {"auto"})[0].commits
    with pytest.raises(ConfigError, match=r"d\.json"):
        targets_of({"auto": (str(tmp_path / "d.json"),)})


def test_policies_that_serve_the_first_tokens_are_known():
    commits = {"kind": "cascade", "streaming": "commit"}
    assert committing_of(Settings(policy=commits, policies={"held": {"kind": "cascade"}})) == {"auto"}
    assert committing_of(Settings(policies={"quick": commits, "one": {"kind": "fixed"}})) == {"quick"}


def test_the_audit_for_alarms_has_the_monitors_and_the_order_of_the_plan():
    plan = TuningPlan(monitors_margin=0.05, alpha=0.1, bucket="1h", segments=("intent",))
    settings = audit_settings_of(plan, ("small", "large"))
    assert settings.tier_order == ("small", "large")
    assert (settings.monitors_margin, settings.monitors.alpha) == (0.05, 0.1)
    assert (settings.monitors.bucket, settings.monitors.segments) == ("1h", ("intent",))


def test_a_young_store_is_tuned_without_a_change(tmp_path):
    (tmp_path / "decisions" / "open").mkdir(parents=True)
    write_calibration(calibration(), tmp_path / "c.json")
    targets = targets_of({"auto": (str(tmp_path / "c.json"),)})
    found = tune_store(tmp_path, targets, Bounds(0.15, 1.0, 30.0), Run("ann", NOW), Settings())
    assert (found.version, found.changed) == (0, 0)
    assert found.groups[0].why == "there are no labels yet"
    assert not (tmp_path / "state" / "thresholds.json").exists()
