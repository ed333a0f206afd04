import asyncio

from alert_servers import DAY0, OK, alarm, answer, hook, mail_host, report
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.alerting.messages import of_test
from undertow.bootstrap.alerting import alert_rules, announce_look, build_alerts, channels_of
from undertow.records.serving import AlertsPlan

ALL = AlertsPlan(
    slack_url_env="SLACK",
    pagerduty_key_env="PD",
    alertmanager_url="http://am.example:9093",
    webhook_url="https://hooks.example/u",
    webhook_secret_env="KEY",  # noqa: S106 (the name of a variable)
    email_to=("a@example.org",),
    smtp_url_env="SMTP",
    dead_man_url_env="PING",
    link_url="https://u.example",
    repeat_hours=2.0,
)
ENV = {
    "SLACK": "https://slack.example/x",
    "PD": "key",
    "KEY": "k",
    "SMTP": "smtp://m.example",
    "PING": "https://p.example/1",
}


def test_every_channel_that_is_named_is_built():
    parts = build_alerts(ALL, ENV)
    assert tuple(parts.channels) == channels_of(ALL) == ("slack", "pagerduty", "alertmanager", "webhook", "email")
    assert parts.problems == ()
    assert parts.dead_man_url == "https://p.example/1"
    assert channels_of(AlertsPlan()) == ()


def test_one_that_cannot_be_used_is_said_without_its_secret_and_keeps_no_other_from_being_used():
    parts = build_alerts(ALL, {**ENV, "SLACK": " ", "SMTP": "nonsense SECRET", "PING": ""})
    assert tuple(parts.channels) == ("pagerduty", "alertmanager", "webhook")
    said = "\n".join(parts.problems)
    assert "slack: environment variable SLACK is not set" in said
    assert "email: SMTP: it is no address of a mail server" in said
    assert "dead man: environment variable PING is not set" in said
    assert "SECRET" not in said


def test_internal_addresses_are_refused_unless_the_settings_allow_them():
    message = of_test("2026-03-01T00:00:00.000Z", "me")
    with hook(OK) as receiver:
        env = {"SLACK": receiver.url}
        for allowed, count in ((False, 0), (True, 1)):
            parts = build_alerts(AlertsPlan(slack_url_env="SLACK", allow_internal=allowed), env)
            asyncio.run(parts.channels["slack"].send(message))
            assert len(receiver.requests) == count


def test_all_channels_reach_their_receivers():
    message = of_test("2026-03-01T00:00:00.000Z", "me")
    with hook(answer(202)) as receiver, mail_host() as host:
        plan = AlertsPlan(
            slack_url_env="URL", pagerduty_key_env="PD", pagerduty_url=receiver.url, alertmanager_url=receiver.url, webhook_url=receiver.url,
            email_to=("a@example.org",), smtp_url_env="SMTP", allow_internal=True,
        )  # fmt: skip
        env = {"URL": receiver.url, "PD": "key", "SMTP": f"smtp://localhost:{host.port}"}
        parts = build_alerts(plan, env)
        sent = {name: asyncio.run(channel.send(message)) for name, channel in parts.channels.items()}
    assert {name: each.outcome for name, each in sent.items()} == dict.fromkeys(sent, "delivered")
    assert len(sent) == 5
    assert len(host.mails) == 1


def test_rules_are_those_of_the_settings():
    rules = alert_rules(ALL)
    assert (rules.repeat_s, rules.link) == (7200.0, "https://u.example")


def test_episodes_are_kept_where_nobody_is_told(tmp_path):
    announce_look(tmp_path, AlertsPlan(), report(alarm()), (), "auto", DAY0)
    book = StoreAlertBook(tmp_path)
    assert len(book.episodes().episodes) == 1
    assert book.waiting() == ()
