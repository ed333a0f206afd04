import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from store_for_tuning import write_settings, write_store
from tuning_factory import calibration, group
from undertow.adapters.tuning.book import StoreBook
from undertow.cli.main import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    # Decisions of long ago would be too old: these commands read the real clock.
    write_settings(tmp_path, more="[tuning]\nwindow_days = 3660\n")
    return lambda *arguments: CliRunner().invoke(main, ["tune", *arguments])


def test_it_says_what_moved_why_and_how_to_take_it_back(run):
    write_store(Path("store"), 200, failing=0.4)
    done = run()
    assert done.exit_code == 0, done.output
    assert "auto, tier cheap, all requests" in done.stdout
    assert "0.8000 -> " in done.stdout
    assert "(stricter)" in done.stdout
    assert "new labels; margin 3.0%" in done.stdout
    assert "version 1" in done.stdout
    assert "undertow tune --undo" in done.stdout
    undone = run("--undo")
    assert undone.exit_code == 0
    assert "back to version 0" in undone.stdout
    assert "more is served cheaply" in undone.stdout
    assert StoreBook(Path("store")).states().policies["auto"]["cheap"].groups == ()
    history = run("--history").stdout.splitlines()
    assert [line.partition("  ")[0] for line in history] == ["version 2", "version 1"]


def test_a_dry_run_writes_nothing(run):
    write_store(Path("store"), 200, failing=0.4)
    done = run("--dry-run")
    assert "would change 1 as version 1; nothing was written" in done.stdout
    assert StoreBook(Path("store")).history() == ()


def test_json_is_the_only_thing_on_standard_output(run):
    write_store(Path("store"), 60, failing=0.0)
    done = run("store", "--json")
    document = json.loads(done.stdout)
    assert (document["schema"], document["version"], document["changed"]) == ("undertow.tune/1", 0, 0)
    (told,) = document["groups"]
    assert (told["before"], told["after"], told["group"], told["margin"]) == (0.8, 0.8, None, 0.03)
    assert told["loss"] == 0.0
    assert told["changed"] is False
    assert json.loads(run("--history", "--json").stdout) == {"schema": "undertow.tune/1", "history": []}


def test_without_a_look_for_alarms_it_says_so(run):
    write_store(Path("store"), 10, failing=0.0)
    assert "no alarm could be looked for" in run().stdout
    write_store(Path("store"), 400, failing=0.0, day=2)
    assert "no alarm could be looked for" not in run().stdout


def test_certificates_are_voided_with_a_reason_and_restored(run, tmp_path):
    write_settings(tmp_path, calibration(group("a"), group(), group_key="task"))
    write_store(Path("store"), 10, failing=0.0)
    done = run("--void", "task=a", "--why", "refund rules changed")
    assert done.exit_code == 0, done.output
    assert "auto, tier cheap, task=a" in done.stdout
    assert "certificate  void" in done.stdout
    states = StoreBook(Path("store")).states()
    assert [(one.value, one.is_void) for one in states.policies["auto"]["cheap"].groups] == [("a", True)]
    assert "all other task" in run("--dry-run").stdout
    back = run("--restore", "task=a")
    assert "in force again" in back.stdout
    assert "nothing changed" in run("--restore", "task=a").stdout
    lines = run("--history").stdout
    assert "certificate void: refund rules changed" in lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--undo", "--to", "1"), "exclude each other"),
        (("--void", "all"), "--why"),
        (("--void", "all", "--why", " "), "--why"),
        (("--why", "x"), "--why goes with"),
        (("--void", "country=de", "--why", "x"), "no calibration has groups"),
        (("--undo",), "nothing to undo"),
        (("--to", "7"), "versions 0 to 0"),
        (("elsewhere",), "is no store"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, arguments, said):
    write_store(Path("store"), 5, failing=0.0)
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_without_a_calibration_there_is_nothing_to_tune(run):
    write_store(Path("store"), 5, failing=0.0)
    Path("undertow.toml").write_text('[policy]\nkind = "cascade"\n[store]\npath = "store"\n')
    done = run()
    assert done.exit_code == 2
    assert "undertow calibrate" in done.stderr
    Path("undertow.toml").write_text('[policy]\ncalibration = "gone.json"\n[store]\npath = "store"\n')
    assert "gone.json" in run().stderr
