import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.adapters.store.log import StoreDecisionLog
from undertow.cli.main import main
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
        assert "alerts delivered" in line
        told = len(receiver.requests)
        seen = json.loads(run("store", "--once", "--json").stdout)["watched"]
        assert seen["verdict"] == "quality_loss"
        assert seen["looks"] == 1
        assert len(receiver.requests) == told, "nothing new is nothing to tell"


def test_a_store_that_nobody_is_to_look_at_is_only_kept(run):
    write()
    Path("store/undertow.toml").write_text("[monitors]\nevery_minutes = 0\n", encoding="utf-8")
    assert json.loads(run("store", "--once", "--json").stdout)["watched"] is None
