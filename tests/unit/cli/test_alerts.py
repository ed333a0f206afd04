import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from alert_servers import OK, alarm, answer, hook, mail_host, report
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.cli.main import main
from undertow.records.moment import rfc3339
from undertow.records.segment import Segment
from undertow.services.alerts import AlertRules, announce

NOW = datetime.now(UTC)


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store" / "decisions").mkdir(parents=True)
    configure("")
    return lambda *arguments: CliRunner().invoke(main, ["alerts", *arguments])


def configure(alerts):
    Path("undertow.toml").write_text(f'[store]\npath = "store"\n[alerts]\n{alerts}\n', encoding="utf-8")


BILLING = Segment("intent", "billing")


def told(segment=BILLING):
    rules = AlertRules(("slack", "webhook"))
    announce(report(alarm(segment)), (), StoreAlertBook(Path("store")), rules, "auto", NOW)


def test_a_test_says_of_each_channel_whether_it_took_it_and_shows_no_secret(run, monkeypatch):
    with hook(OK) as good, hook(answer(403)) as bad, mail_host() as host:
        configure(
            f'slack_url_env = "SLACK"\nwebhook_url = "{bad.url}"\nwebhook_secret_env = "KEY"\nallow_internal = true\n'
            'email_to = ["a@example.org"]\nsmtp_url_env = "SMTP"\ndead_man_url_env = "PING"\npagerduty_key_env = "PD"\n'
        )
        monkeypatch.setenv("SLACK", f"{good.url}/SECRET")
        monkeypatch.setenv("KEY", "SECRET")
        monkeypatch.setenv("SMTP", f"smtp://localhost:{host.port}")
        monkeypatch.setenv("PING", f"{good.url}/SECRET")
        done = run("test")
    assert done.exit_code == 1
    lines = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert "ok" in lines["slack"]
    assert "FAILED: status 403" in lines["webhook"]
    assert "ok" in lines["email"]
    assert "FAILED: environment variable PD is not set" in lines["pagerduty"]
    assert "ok" in lines["dead man"]
    assert "SECRET" not in done.output
    assert len(host.mails) == 1


def test_a_test_of_one_channel_is_json_where_asked(run, monkeypatch):
    with hook(OK) as receiver:
        configure('slack_url_env = "SLACK"\npagerduty_key_env = "PD"\nallow_internal = true')
        monkeypatch.setenv("SLACK", receiver.url)
        done = run("test", "--channel", "slack", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"schema": "undertow.alerts/1", "channels": {"slack": [True, "status 200"]}}


def test_without_a_channel_a_test_is_bad_usage(run):
    done = run("test")
    assert done.exit_code == 2
    assert "no channel is set" in done.stderr


def test_open_episodes_are_listed_with_what_people_are_told(run):
    assert "no episode is open" in run("list").stdout
    told()
    shown = run("list").stdout
    assert "open" in shown
    assert "tier cheap, intent=billing" in shown
    assert "loss" in shown
    (row,) = json.loads(run("list", "--json").stdout)["episodes"]
    assert (row["segment"], row["silence"]) == ("intent=billing", None)


def test_what_stands_in_a_log_cannot_steer_the_terminal(run):
    told(Segment("intent", "a\x1b[2J\nb"))
    for command in ("list", "status"):
        assert "\x1b" not in run(command).stdout


def test_a_silence_lasts_is_shown_and_can_be_ended(run):
    now = datetime.now(UTC)
    done = run("silence", "--for", "4h", "--why", "known", "--segment", "intent=billing", "--kind", "alarm")
    assert done.exit_code == 0, done.output
    assert "alarm, intent=billing" in done.stdout
    (kept,) = StoreAlertBook(Path("store")).silences().silences
    until = datetime.fromisoformat(kept.until)
    assert timedelta(hours=3.9) < until - now < timedelta(hours=4.1)
    told()
    assert StoreAlertBook(Path("store")).waiting() == ()
    status = run("status").stdout
    assert "silenced" in status
    assert kept.id in status
    assert f"silence {kept.id}" in run("list").stdout
    assert run("unsilence", kept.id).exit_code == 0
    assert kept.id not in "".join(line for line in run("status").stdout.splitlines() if line.startswith("silence "))
    again = run("unsilence", kept.id)
    assert again.exit_code == 2
    assert "running: none" in again.stderr
    assert len(StoreAlertBook(Path("store")).silences().silences) == 1


@pytest.mark.parametrize("span", ["0h", "91d", "4", "h", "-1h", "1e9w", "nan", "99999999999999999999w"])
def test_a_silence_has_an_end(run, span):
    done = run("silence", f"--for={span}", "--why", "x")
    assert done.exit_code == 2
    assert "expected a span up to 90 days" in done.stderr


def test_a_silence_needs_a_reason_and_never_covers_that_nobody_watches(run):
    assert run("silence", "--for", "1h", "--why", " ").exit_code == 2
    assert run("silence", "--for", "1h", "--why", "x", "--kind", "watching_stopped").exit_code == 2


def test_the_status_shows_what_waits_and_what_became_of_the_rest(run):
    assert "nobody was told anything yet" in run("status").stdout
    told()
    shown = run("status").stdout
    assert shown.count("waits") == 2
    document = json.loads(run("status", "--json").stdout)
    assert [each["channel"] for each in document["waiting"]] == ["slack", "webhook"]
    assert document["history"] == []
    assert rfc3339(NOW)[:4] in document["waiting"][0]["due_at"]


def test_a_folder_that_is_no_store_is_said(run):
    assert run("list", "elsewhere").exit_code == 2
