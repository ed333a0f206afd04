"""From a dropped file to the ledger: what `undertow outcomes` pulls is what `undertow audit` of the store counts."""

import json

import pytest
from click.testing import CliRunner

from outcome_factory import HEADER, decision, drop, stamp, write_decisions
from undertow.adapters.store.compaction import compact
from undertow.cli.main import main

SETTINGS = """\
[store]
path = "store"
id_key_env = "ID_KEY"

[sources.helpdesk]
kind = "zendesk"
path = "exports/"

[sources.refunds]
kind = "files"
path = "refunds/*.csv"
outcome = "refund"
timezone = "UTC"

[outcomes.ticket]
usd = 10.0
maturity_days = 5
attribution_days = 5

[outcomes.refund]
usd = 1.0
unit = "value"
maturity_days = 5
attribution_days = 5
"""
KEY = b"secret"
USERS, DAYS, EVERY_H = 200, 30, 12.0
"""Users 0 to 99 are in the holdout; each asks twice a day."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ID_KEY", KEY.decode())
    (tmp_path / "undertow.toml").write_text(SETTINGS)
    number = 0
    decisions = []
    for user in range(USERS):
        is_held = user < USERS // 2
        for step in range(int(DAYS * 24 / EVERY_H)):
            number += 1
            more = (
                {"arm": "holdout", "tier": "capable", "arm_probability": 0.5, "reason": "holdout", "cost_usd": 0.04}
                if is_held
                else {"arm_probability": 0.5}
            )
            decisions.append(decision(number, step * EVERY_H + user / 100, user=f"u{user}", key=KEY, **more))
    write_decisions(tmp_path / "store", decisions)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


def audit():
    result = run("audit", "store", "--config", "undertow.toml", "--json")
    assert result.exit_code in {0, 1, 3}, result.stderr
    return json.loads(result.stdout)


def tickets(users, *, status="open", first=1, hours=240.5):
    lines = [
        {
            "id": first + n,
            "status": status,
            "created_at": stamp(hours),
            "updated_at": stamp(hours + (1 if status == "deleted" else 0)),
            "requester_id": f"u{user}",
            "via": {"channel": "web"},
            "subject": "private words",
        }
        for n, user in enumerate(users)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def items(report):
    return {item["name"]: item for item in report["ledger"]["items"] if item["kind"] == "downstream"}


def test_a_pulled_ticket_is_in_the_ledger_and_its_deletion_takes_it_out_again(folder):
    drop(folder / "exports" / "a.jsonl", tickets(range(100, 160)), age_s=7200)
    drop(
        folder / "refunds" / "a.csv",
        "id,date,user_id,amount\n" + "".join(f"{n},2026-03-11 00:30:00,u{n},8.00\n" for n in range(100, 120)),
    )
    pulled = run("outcomes", "pull", "--json")
    assert pulled.exit_code == 0, pulled.stderr
    assert [each["accepted"] for each in json.loads(pulled.stdout)["pulled"]] == [60, 20]
    report = audit()
    found = items(report)
    decisions_per_month = 100 * 2 * 30.4375
    # 60 tickets and 20 refunds of 8 USD in the treatment arm, whose 6,000 decisions are all old enough; none in the holdout.
    assert found["ticket"]["usd_month"] == pytest.approx(60 / 6_000 * 10.0 * decisions_per_month, rel=0.01)
    assert found["refund"]["usd_month"] == pytest.approx(20 * 8 / 6_000 * decisions_per_month, rel=0.01)
    assert found["ticket"]["causal"] is True
    assert report["coverage"]["unjoined"] == 0

    drop(folder / "exports" / "b.jsonl", tickets(range(100, 130), status="deleted"), age_s=3600)
    drop(
        folder / "refunds" / "b.csv",
        "id,date,user_id,amount\n" + "".join(f"{n},2026-03-11 00:30:00,u{n},2.00\n" for n in range(100, 120)),
        age_s=60,
    )
    again = json.loads(run("outcomes", "pull", "--json").stdout)["pulled"]
    assert [(each["deleted"], each["corrected"], each["accepted"]) for each in again] == [(30, 0, 0), (0, 20, 0)]
    after = audit()
    assert items(after)["ticket"]["usd_month"] == pytest.approx(found["ticket"]["usd_month"] / 2)
    assert items(after)["refund"]["usd_month"] == pytest.approx(found["refund"]["usd_month"] / 4)
    assert after["coverage"]["reasons"]["corrected_outcome"] == 50
    assert after["coverage"]["reasons"]["deleted_outcome"] == 30

    # The same once the keeper has turned segments into Parquet, and once the index is lost and everything is read again.
    compact(folder / "store", grace_s=0.0)
    for leftover in (folder / "store" / "state" / "outcomes").iterdir():
        if leftover.name.startswith("index"):
            leftover.unlink()
    repeated = json.loads(run("outcomes", "pull", "--json").stdout)["pulled"]
    assert [each["accepted"] for each in repeated] == [0, 0]
    assert items(audit())["ticket"]["usd_month"] == pytest.approx(items(after)["ticket"]["usd_month"])
    assert "private words" not in "".join(
        path.read_text(errors="replace") for path in folder.joinpath("store", "signals").rglob("*.jsonl")
    )


def test_status_and_audit_count_alike(folder):
    rows = "".join(f"{n},{stamp(240.5)},u{user},1\n" for n, user in enumerate([100, 101, 999, 1_000]))
    drop(folder / "refunds" / "a.csv", HEADER + rows + f"8,{stamp(24 * 80)},u100,1\n")
    run("outcomes", "pull", "refunds")
    status = json.loads(run("outcomes", "status", "--json").stdout)["outcomes"][0]
    coverage = audit()["coverage"]
    assert sum(status["joined"].values()) == coverage["joined"] == 2
    assert sum(status["unjoined"].values()) == coverage["unjoined"] == 3
    assert status["unjoined"] == {"outside_attribution_window": 1, "unknown_user": 2}
