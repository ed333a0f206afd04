import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from review_factory import sampled, text_of, write_texts
from undertow.cli.main import main
from undertow.records.runtime_files import SAMPLING


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, keys="": CliRunner().invoke(main, ["review", *arguments], input=keys)


@pytest.fixture
def store(tmp_path):
    now = datetime.now(UTC).timestamp()
    write_texts(tmp_path / "store", *(sampled(f"d{i}", event_time=text_of(now - 60)) for i in range(3)))
    return tmp_path / "store"


def write_log(folder: Path, count: int = 60) -> str:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    rows = [
        {"decision_id": f"d{i}", "event_time": f"{day}T{i % 24:02}:00:00Z", "tier": "cheap", "confidence": i / count, "prompt": "asked", "response": "said"}
        for i in range(count)
    ]  # fmt: skip
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "log.jsonl"


@pytest.mark.parametrize("command", ["start", "next", "status", "export"])
def test_a_folder_that_is_no_store_is_told_with_what_to_do(run, tmp_path, command):
    (tmp_path / "empty").mkdir()
    done = run(command, "empty")
    assert done.exit_code == 2
    assert "this is no store" in done.stderr
    assert "undertow review draw" in done.stderr


def test_next_is_one_item(run, store):
    done = run("next", "store", "--rater", "ann", keys="y\ny\n")
    assert done.output.count("kept: good") == 1
    assert run("start", "store", "--rater", "ann", keys="y\nn\n").output.count("kept:") == 2


def test_the_rubric_of_the_settings_is_asked(run, store, tmp_path):
    (tmp_path / "undertow.toml").write_text(
        '[review]\nrubric = "Right?"\n[review.rubrics]\n"intent=billing" = "Did it name the charge?"\n'
    )
    assert "Did it name the charge?" in run("next", "store", "--rater", "ann", keys="q\n").output


def test_status_as_json_is_the_only_thing_on_standard_output(run, store):
    document = json.loads(run("status", "store", "--json").stdout)
    assert (document["schema"], document["queue"]["items"], document["raters"]) == ("undertow.review/1", 3, [])


def test_an_export_to_a_file_is_not_for_everybody(run, store, tmp_path):
    done = run("export", "store", "--out", "out.jsonl", "--limit", "2")
    assert done.exit_code == 0, done.output
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) & 0o007 == 0
    assert len(run("export", "store").stdout.splitlines()) == 1


def test_import_says_what_became_of_every_label(run, store, tmp_path):
    rows = [{"decision_id": "d0", "rater": "ann", "value": 5}, {"decision_id": "d1", "value": 9}, {"decision_id": "d2"}]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("import", "store", "labels.jsonl", "--scale", "1,5", "--rater", "bob")
    assert done.exit_code == 0, done.output
    assert "1 of 2 labels kept" in done.stdout
    assert "set aside: 1 out of range (row 2)" in done.stdout


@pytest.mark.parametrize("scale", ["5", "1,1", "a,b", "1,2,3", "nan,1", "0,inf"])
def test_a_scale_that_is_none(run, store, scale):
    (store / "x.jsonl").write_text("{}\n")
    done = run("import", "store", "store/x.jsonl", "--scale", scale)
    assert done.exit_code == 2
    assert "expected two different numbers" in done.stderr


def test_seeds_that_are_none_are_told(run, store, tmp_path):
    (tmp_path / "seeds.jsonl").write_text('{"prompt": "?", "answer": "!"}\n{"prompt": "?"}\n')
    done = run("seed", "store", "seeds.jsonl")
    assert "1 new case of 1" in done.stdout
    assert "set aside: 1 row (no text)" in done.stdout


def test_a_draw_makes_the_store_and_can_be_made_again_elsewhere(run, tmp_path):
    log = write_log(tmp_path)
    one = json.loads(run("draw", "one", "--log", log, "--per-day", "10", "--json").stdout)
    (tmp_path / "two" / "state").mkdir(parents=True)
    (tmp_path / "two" / SAMPLING).write_text('{"salt": "another", "version": "v"}')
    two = json.loads(run("draw", "two", "--log", log, "--per-day", "10", "--json").stdout)
    same = json.loads(run("draw", "three", "--log", log, "--per-day", "10", "--salt", "another", "--json").stdout)
    texts = {name: {row["decision_id"] for row in rows(tmp_path / name)} for name in ("one", "two", "three")}
    assert one["drawn"] == two["drawn"] == same["drawn"] == 10
    assert texts["two"] == texts["three"] != texts["one"]


def rows(store: Path) -> list[dict]:
    return [json.loads(line) for path in (store / "sampled").glob("*") for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--day", "tomorrow"], "expected a date"),
        (["--day", "2999-01-01"], "that day is not over yet"),
        (["--day", "2020-01-01"], "texts may be shown for 14 days"),
    ],
)
def test_days_that_cannot_be_drawn(run, tmp_path, arguments, message):
    log = write_log(tmp_path)
    done = run("draw", "one", "--log", log, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_draw_without_a_log_needs_a_store(run):
    done = run("draw", "nowhere")
    assert done.exit_code == 2
    assert "name the log with --log" in done.stderr


def test_drawn_decisions_without_text_are_told(run, tmp_path):
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"decision_id": "d", "event_time": f"{day}T01:00:00Z", "tier": "cheap"}) + "\n"
    )
    done = run("draw", "one", "--log", "log.jsonl")
    assert "1 of the drawn have no text in the log" in done.stdout
