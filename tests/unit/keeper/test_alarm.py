import json

import pytest

from alert_servers import DAY0, OK, alarm, hook, report
from gateway_stub.plans import plan
from undertow.bootstrap.alerting import announce_look
from undertow.keeper.alarm import main
from undertow.records.serving import AlertsPlan, StorePlan, encode_plan


def arguments(tmp_path, alerts):
    import msgspec

    made = msgspec.structs.replace(plan("v1"), store=StorePlan(path=str(tmp_path / "store")), alerts=alerts)
    (tmp_path / "plan.json").write_bytes(encode_plan(made))
    return [
        "--plan-file",
        str(tmp_path / "plan.json"),
        "--trouble",
        "keeper_gone",
        "--since",
        "2026-03-01T00:00:00+00:00",
    ]


def test_it_tells_once_however_often_it_is_started_and_delivers_what_the_keeper_left(tmp_path):
    with hook(OK) as receiver:
        alerts = AlertsPlan(webhook_url=receiver.url, allow_internal=True)
        announce_look(tmp_path / "store", alerts, report(alarm()), (), "auto", DAY0)
        given = arguments(tmp_path, alerts)
        assert [main(given) for _ in range(3)] == [0, 0, 0]
    assert sorted(each["kind"] for each in receiver.documents) == ["alarm", "watching_stopped"]
    assert "2026-03-01 00:00 UTC" in json.dumps(receiver.documents)


def test_a_plan_that_is_none_is_an_exit_status(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    assert (
        main(
            [
                "--plan-file",
                str(tmp_path / "plan.json"),
                "--trouble",
                "look_overdue",
                "--since",
                "2026-03-01T00:00:00+00:00",
            ]
        )
        == 1
    )
    with pytest.raises(SystemExit):
        main(["--plan-file", "x", "--trouble", "bored", "--since", "2026-03-01"])
