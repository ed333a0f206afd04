"""`undertow outcomes`: what people and scripts see."""

import json
import os

import pytest
from click.testing import CliRunner

from outcome_factory import HEADER, decision, drop, stamp, write_decisions
from undertow.cli.main import main

SETTINGS = """\
[store]
path = "store"

[sources.crm]
path = "drops/*.csv"
outcome = "ticket"

[outcomes.ticket]
usd = 12.0
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "undertow.toml").write_text(SETTINGS)
    write_decisions(tmp_path / "store", [decision(1, 0), decision(2, 0)])
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["outcomes", *arguments])


def test_pull_says_what_was_done_and_where_the_rest_is(folder):
    drop(folder / "drops" / "a.csv", HEADER + f"1,{stamp(1)},u1,1\n2,{stamp(1)},=u2,1\n3,{stamp(1)},u1,-5\n")
    result = run("pull")
    assert result.exit_code == 0, result.output
    assert "crm: read 3 rows of 1 new or changed; 2 new, 0 corrected, 0 taken back, 0 known already" in result.stdout
    assert "set aside: negative_value 1" in result.stdout
    assert "source-crm.jsonl" in result.stdout
    again = json.loads(run("pull", "crm", "--again", "--json").stdout)
    assert again["schema"] == "undertow.outcomes/1"
    assert (again["pulled"][0]["accepted"], again["pulled"][0]["duplicates"]) == (0, 2)
    assert "1 unchanged" in run("pull").stdout


def test_pull_of_a_file_that_cannot_be_read_ends_with_two_and_brings_in_the_others(folder):
    drop(folder / "drops" / "a.csv", HEADER + f"1,{stamp(1)},u1,1\n")
    drop(folder / "drops" / "b.csv", "x,y\n1,2\n")
    result = run("pull", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["pulled"][0]["accepted"] == 1
    assert "b.csv" in result.stderr


def test_a_name_that_is_no_source_and_settings_without_any_are_refused(folder):
    assert "sources in the settings: crm" in run("pull", "cmr").stderr
    (folder / "undertow.toml").write_text('[store]\npath = "store"\n')
    result = run("pull")
    assert result.exit_code == 2
    assert "no [sources.NAME]" in result.stderr
    assert "no store" in run("status", "--store", "nowhere").stderr


def test_add_takes_the_name_of_the_file_and_what_is_said(folder):
    drop(folder / "refund.csv", "id,date,user_id,amount\n1,2026-03-02,u1,12 EUR\n2,2026-03-02,u1,$5\n")
    result = json.loads(run("add", "refund.csv", "--currency", "EUR", "--timezone", "Europe/Berlin", "--json").stdout)
    assert (result["pulled"][0]["accepted"], result["pulled"][0]["set_aside"]) == (1, {"other_currency": 1})
    status = json.loads(run("status", "--json").stdout)
    assert [(each["source"], each["name"]) for each in status["outcomes"]] == [("outcomes:added", "refund")]
    lent = run("add", "refund.csv", "--source", "crm", "--timezone", "UTC", "--json")
    assert json.loads(lent.stdout)["pulled"][0]["set_aside"] == {"other_currency": 1}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--timezone", "Mars"), "no time zone"),
        (("--currency", "dollars"), "--currency"),
        (("--source", "\x1b[1m"), "--source is no name"),
    ],
)
def test_add_refuses_what_cannot_be_meant(folder, arguments, why):
    drop(folder / "t.csv", HEADER)
    result = run("add", "t.csv", *arguments)
    assert result.exit_code == 2
    assert why in result.stderr
    assert "\x1b" not in result.stderr


def test_a_fresh_file_is_waited_for(folder, monkeypatch):
    path = drop(folder / "t.csv", HEADER + f"1,{stamp(1)},u1,1\n", age_s=0.5)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        at = path.stat().st_mtime - 10
        os.utime(path, (at, at))

    monkeypatch.setattr("undertow.cli.outcomes.time.sleep", sleep)
    assert "1 new" in run("add", "t.csv").stdout
    assert 0 < slept[0] < 3


def test_status_shows_sources_and_joins(folder):
    drop(folder / "drops" / "a.csv", HEADER + f"1,{stamp(1)},u1,1\n2,{stamp(1)},u9,1\n3,{stamp(1)},u1,x\n")
    run("pull")
    shown = run("status").stdout
    assert "read       3 rows: 2 new" in shown
    assert "set aside  not_a_number 1" in shown
    assert "joined     1 of 2 (by user 1)" in shown
    assert "unjoined   unknown_user 1; 1 wait for their decision" in shown
    document = json.loads(run("status", "--json").stdout)
    assert document["sources"]["crm"]["set_aside"] == {"not_a_number": 1}
    assert document["outcomes"][0]["waiting"] == 1
    (folder / "undertow.toml").write_text(SETTINGS.replace("usd = 12.0", "attribution_days = 14"))
    assert "set usd under [outcomes.ticket]" in run("status").stdout


def test_status_of_a_store_without_outcomes_says_what_to_do(folder):
    assert "undertow outcomes pull" in run("status").stdout
    assert run("unjoined").stdout == "every outcome belongs to a decision\n"


def test_unjoined_lists_and_writes_a_table_that_no_spreadsheet_runs(folder):
    rows = f"1,{stamp(1)},=HYPERLINK(1),1\n2,{stamp(2)},u\x1b[2J9,1\n3,{stamp(1)},u1,1\n"
    drop(folder / "drops" / "a.csv", HEADER + rows)
    run("pull")
    shown = run("unjoined").stdout
    assert "2  unknown_user: no decision has its user_id" in shown
    assert "\x1b" not in shown
    document = json.loads(run("unjoined", "--limit", "1", "--json").stdout)
    assert (document["unjoined"], len(document["listed"])) == ({"unknown_user": 2}, 1)
    result = run("unjoined", "--csv", "out.csv")
    assert "2 listed in out.csv" in result.stdout
    table = (folder / "out.csv").read_text(encoding="utf-8-sig")
    assert "'=HYPERLINK(1)" in table
    assert "\x1b" not in table
    assert (folder / "out.csv").stat().st_mode & 0o007 == 0
    assert "does not exist" in run("unjoined", "--csv", "none/out.csv").stderr
