import stat
from datetime import timedelta

import pytest

from alert_servers import DAY0, OK, alarm, answer, hook, report
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.bootstrap.alerting import alert_rules
from undertow.keeper.alerts import CALL_AGAIN_S, HOLD_S, Alerts
from undertow.records.alert import EPISODES
from undertow.records.serving import AlertsPlan
from undertow.services.alerts import watching_stopped


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def wall(self):
        return DAY0 + timedelta(days=12, seconds=self.seconds)


def job(store, plan, env=None, clock=None):
    clock = clock or Clock()
    return Alerts(store, plan, env or {}, clock.wall, clock, lambda: 0.5)


def test_a_look_is_told_and_the_dead_mans_address_is_called_once_for_it(tmp_path):
    with hook(OK) as receiver, hook(OK) as dead_man:
        plan = AlertsPlan(webhook_url=receiver.url, dead_man_url_env="PING", allow_internal=True)
        alerts = job(tmp_path, plan, {"PING": dead_man.url})
        assert alerts.run() == {}
        assert alerts.looked(report(alarm())) == {"alerts_announced": 1, "alerts_silenced": 0}
        assert alerts.run() == {"alerts_delivered": 1, "dead_man_calls": 1}
        assert alerts.run() == {}
        alerts.looked(None)
        assert alerts.run() == {"dead_man_calls": 1}
    assert [first for first, _, _ in dead_man.requests] == ["GET /hook"] * 2
    assert stat.S_IMODE((tmp_path / EPISODES).stat().st_mode) == 0o640


def test_a_call_of_the_dead_man_that_fails_is_tried_again_and_logged_without_its_address(tmp_path, caplog):
    clock = Clock()
    with hook(answer(500), OK) as dead_man:
        url = f"{dead_man.url}/SECRET"
        alerts = job(tmp_path, AlertsPlan(dead_man_url_env="PING", allow_internal=True), {"PING": url}, clock)
        alerts.looked(None)
        assert alerts.run() == {"dead_man_calls_failed": 1}
        assert alerts.run() == {}
        clock.seconds = CALL_AGAIN_S
        assert alerts.run() == {"dead_man_calls": 1}
    assert "SECRET" not in caplog.text


def test_open_alerts_are_sent_to_alertmanager_again_every_minute(tmp_path):
    clock = Clock()
    with hook(OK) as receiver:
        plan = AlertsPlan(alertmanager_url=f"http://127.0.0.1:{receiver.port}", allow_internal=True)
        alerts = job(tmp_path, plan, clock=clock)
        alerts.looked(report(alarm()))
        for second in range(0, 600, 5):
            clock.seconds = second
            alerts.run()
    assert len(receiver.requests) == 1 + 600 / HOLD_S
    ends = [document[0]["endsAt"] for document in receiver.documents]
    assert ends == sorted(ends)
    assert len({document[0]["labels"]["episode"] for document in receiver.documents}) == 1


def test_people_who_were_told_that_nobody_watches_hear_that_it_goes_on(tmp_path):
    with hook(OK) as receiver:
        plan = AlertsPlan(webhook_url=receiver.url, allow_internal=True)
        watching_stopped("keeper_gone", DAY0, StoreAlertBook(tmp_path), alert_rules(plan), DAY0)
        alerts = job(tmp_path, plan)
        alerts.looked(None)
        alerts.run()
        alerts.looked(None)
        alerts.run()
    assert [each["kind"] for each in receiver.documents] == ["watching_stopped", "resolved"]


def test_what_is_refused_or_fails_is_counted_and_logged(tmp_path, caplog):
    with hook(OK) as receiver:
        alerts = job(tmp_path, AlertsPlan(webhook_url=receiver.url, slack_url_env="UNSET"))
        alerts.looked(report(alarm()))
        assert alerts.run() == {"alerts_failed": 1, "alert_calls_refused": 1}
    assert "alert_channel_unusable" in caplog.text
    assert "alerts_not_delivered" in caplog.text


def test_without_anybody_to_tell_a_run_does_nothing(tmp_path):
    assert job(tmp_path, AlertsPlan()).run() == {}
    assert not (tmp_path / "state").exists()


def test_the_dead_mans_address_is_not_called_for_a_look_of_which_nobody_can_be_told(tmp_path):
    with hook(OK) as dead_man:
        alerts = job(tmp_path, AlertsPlan(dead_man_url_env="PING", allow_internal=True), {"PING": dead_man.url})
        (tmp_path / "state").write_text("in the way")
        with pytest.raises(OSError, match="state"):
            alerts.looked(report(alarm()))
        (tmp_path / "state").unlink()
        assert alerts.run() == {}
    assert dead_man.requests == []
