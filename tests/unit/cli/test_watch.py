import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from outcome_factory import HEADER, drop, stamp
from review_factory import sampled, text_of, vote
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.row_log import SAMPLED, VOTES, RowLog
from undertow.cli.main import main
from undertow.keeper.watching import Watching
from undertow.records.alert import Delivery, Message
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.serving import StorePlan


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["watch", *arguments])


def write(path="store"):
    log = StoreDecisionLog(StorePlan(path=path), "w0")
    log.finish(DecisionRecord(decision_id="d1", event_time="2026-03-01T12:00:00.000Z", tier="cheap"))
    log.begin(Intent(decision_id="orphan", event_time="2026-03-01T12:00:00.000Z"))
    log.close()


def test_one_pass_recovers_and_converts_and_says_so_as_json(run):
    write()
    done = run("store", "--once", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["schema"] == "undertow.watch/1"
    assert document["recovered"]["orphans"] == 1
    assert document["compacted"]["rows"] == 2
    assert document["length_ratios"] is None
    assert done.stderr == ""
    assert json.loads(run("store", "--once", "--json").stdout)["compacted"]["rows"] == 0


def test_for_people_it_says_so_in_words(run):
    write()
    Path("undertow.toml").write_text("[tiers.cheap]\n[tiers.capable]\n")
    done = run("store", "--once")
    assert done.exit_code == 0
    assert "1 decisions of dead processes" in done.stdout
    assert "with 2 rows" in done.stdout
    assert "too few answers" in done.stdout


def test_what_is_no_store_and_what_cannot_be_meant_is_refused(run):
    Path("empty").mkdir()
    for arguments in (("missing", "--once"), ("empty", "--once")):
        done = run(*arguments)
        assert done.exit_code == 2
        assert "is no store" in done.stderr
    write()
    assert "--once" in run("store", "--json").stderr


def old_text(store, days):
    """A file of texts that was written so many days ago."""
    folder = Path(store, "sampled")
    folder.mkdir(exist_ok=True)
    file = folder / f"20260301T120000000Z-w0-0123456789ab-{days:06d}.jsonl"
    file.write_bytes(b"{}\n")
    at = time.time() - 86_400 * days
    os.utime(file, (at, at))
    return file


def test_one_pass_removes_old_texts_as_the_settings_say(run):
    write()
    young, old = old_text("store", 5), old_text("store", 20)
    assert json.loads(run("store", "--once", "--json").stdout)["text_files_removed"] == 1
    assert (young.exists(), old.exists()) == (True, False)
    Path("undertow.toml").write_text("[tiers.cheap]\n[tiers.capable]\n[retention]\nsampled_text_days = 3\n")
    assert "removed: 1 files of texts older than 3 days" in run("store", "--once").stdout
    assert not young.exists()


def test_without_once_it_watches_until_it_is_told_to_stop(tmp_path):
    write(str(tmp_path / "store"))
    old = old_text(tmp_path / "store", 20)
    command = [sys.executable, "-m", "undertow.cli.main", "watch", "store"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while (
            not list(tmp_path.glob("store/decisions/date=*/*.parquet")) or old.exists()
        ) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, told = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert out == ""
    assert not old.exists()
    assert json.loads(told.splitlines()[0])["event"] == "keeper_started"


def test_one_pass_looks_acts_and_tells_people_once(run, tmp_path):
    """A team's own gateway writes the records; nobody serves by these settings."""
    from alert_servers import OK, hook

    made = CliRunner().invoke(
        main, ["simulate", "support", "--out", "store", "--weeks", "10", "--queries-per-day", "3000", "--quiet"]
    )
    assert made.exit_code == 0, made.output
    with hook(OK) as receiver:
        Path("store/undertow.toml").write_text(
            f"""
[tiers.cheap]
[tiers.capable]
[guard]
route_back = "automatic"
failure_usd = 12.0
[alerts]
webhook_url = "{receiver.url}"
allow_internal = true
""",
            encoding="utf-8",
        )
        done = run("store", "--once")
        assert done.exit_code == 0, done.output
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("watched:")]
        assert "intent=billing" in line
        assert "1 done" in line
        opened = int(re.search(r"; (\d+) alarms open;", line)[1])
        assert opened >= 1
        assert re.search(r"^alerts: \d+ delivered$", done.stdout, re.MULTILINE)
        told = len(receiver.requests)
        document = json.loads(run("store", "--once", "--json").stdout)
        seen = document["watched"]
        assert seen["verdict"] == "quality_loss"
        assert (seen["looks"], seen["alarms_open"]) == (1, opened)
        assert document["alerts"] == {"alerts_waiting": 0}
        assert len(receiver.requests) == told, "nothing new is nothing to tell"


def test_a_store_that_nobody_is_to_look_at_is_only_kept(run):
    write()
    Path("store/undertow.toml").write_text("[monitors]\nevery_minutes = 0\n", encoding="utf-8")
    assert json.loads(run("store", "--once", "--json").stdout)["watched"] is None


SOURCE = """
[tiers.cheap]
[tiers.capable]
[store]
{key}
[outcomes.ticket]
usd = 5.0
direction = "bad"
[sources.crm]
kind = "files"
path = "tickets.csv"
outcome = "ticket"
"""


def vote_in(store):
    now = time.time()
    texts, votes = RowLog(Path(store), SAMPLED, "w0"), RowLog(Path(store), VOTES, "review")
    texts.append(sampled("d1", event_time=text_of(now - 7_200)))
    votes.append(vote("d1", at=text_of(now - 3_600)))
    texts.close()
    votes.close()


def published(store):
    return b"".join(path.read_bytes() for path in Path(store, "signals").rglob("*.jsonl"))


def test_one_pass_pulls_outcomes_and_publishes_reviews_once(run, tmp_path):
    write()
    vote_in("store")
    Path("store/undertow.toml").write_text(SOURCE.format(key=""), encoding="utf-8")
    drop(tmp_path / "store" / "tickets.csv", HEADER + f"1,{stamp(1)},u1,1\n2,{stamp(1)},u1,-1\n")
    done = run("store", "--once")
    assert done.exit_code == 0, done.output
    assert "outcomes: 1 new; 1 set aside\n" in done.stdout
    assert "reviews: 1 published\n" in done.stdout
    again = json.loads(run("store", "--once", "--json").stdout)
    assert (again["outcomes"]["outcomes_accepted"], again["reviews"]["reviews_published"]) == (0, 0)
    assert again["failed"] == {}


def test_without_its_id_key_nothing_is_written_that_needs_it_and_one_line_says_so(run, tmp_path, monkeypatch):
    write()
    vote_in("store")
    Path("store/undertow.toml").write_text(SOURCE.format(key='id_key_env = "THE_KEY"'), encoding="utf-8")
    drop(tmp_path / "store" / "tickets.csv", HEADER + f"1,{stamp(1)},u1,1\n")
    monkeypatch.delenv("THE_KEY", raising=False)
    done = run("store", "--once", "--json")
    assert done.exit_code == 0, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("note: store.id_key_env names THE_KEY, which is not set")
    document = json.loads(done.stdout)
    assert (document["outcomes"], document["reviews"]) == (None, None)
    assert published("store") == b""
    monkeypatch.setenv("THE_KEY", "secret")
    document = json.loads(run("store", "--once", "--json").stdout)
    assert (document["outcomes"]["outcomes_accepted"], document["reviews"]["reviews_published"]) == (1, 1)


def test_alerts_that_wait_are_shown_whoever_tried_to_deliver_them(run):
    write()
    message = Message(id="m", kind="test", severity="info", at="2026-03-01T12:00:00.000Z", title="t")
    # Put off by an hour: this pass does not try it.
    later = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3_600))
    StoreAlertBook(Path("store")).put(Delivery(message=message, channel="webhook", due_at=later))
    assert "alerts: 1 waiting\n" in run("store", "--once").stdout
    Path("store/undertow.toml").write_text("[monitors]\nevery_minutes = 0\n", encoding="utf-8")
    document = json.loads(run("store", "--once", "--json").stdout)
    assert (document["watched"], document["alerts"]) == (None, {"alerts_waiting": 1})


def test_a_look_that_fails_hides_nothing_that_was_done(run, monkeypatch):
    def fails(_self):
        raise KeyError("words of users")

    monkeypatch.setattr(Watching, "look", fails)
    write()
    done = run("store", "--once")
    assert done.exit_code == 70
    assert "recovered: 1 decisions of dead processes" in done.stdout
    assert "with 2 rows" in done.stdout
    assert "watched: failed: KeyError\n" in done.stdout
    assert "removed: 0 files" in done.stdout
    done = run("store", "--once", "--json")
    assert done.exit_code == 70
    document = json.loads(done.stdout)
    assert document["failed"] == {"watched": "KeyError"}
    assert document["compacted"]["rows"] == 0
