import json
import stat

import msgspec
import pytest
from click.testing import CliRunner

from suite_runs import result, run
from undertow.adapters.store.row_log import SAMPLED, RowLog
from undertow.adapters.suites.runs import StoreRuns
from undertow.cli.main import main
from undertow.records.watched import SampledText

SETTINGS = """
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:9/v1"
prices = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }
[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:9/v1"
"""


def invoke(*arguments):
    return CliRunner().invoke(main, ["suite", *arguments], prog_name="undertow")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "undertow.toml").write_text(SETTINGS)
    (tmp_path / "support.jsonl").write_text('{"id": "a", "prompt": "where is my order", "expected": "x"}\n')
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.jsonl",), "none.jsonl: cannot be read"),
        (("support.jsonl", "--policy", "other"), "--policy 'other': expected one of auto"),
        (("support.jsonl", "--tiers", "medium"), "--tiers 'medium': expected some of cheap, capable"),
        (("support.jsonl", "--budget-usd", "1"), "the prices of capable are unknown"),
        (("bad.jsonl",), "bad line 1: expected: empty; fill it in or remove the case"),
        (("judged.jsonl",), "there is no judge"),
    ],
)
def test_bad_input_ends_in_one_line_before_anything_is_asked(folder, arguments, said):
    (folder / "bad.jsonl").write_text('{"id": "a", "prompt": "p", "expected": ""}\n')
    (folder / "judged.jsonl").write_text('{"id": "a", "prompt": "p", "check": {"kind": "judge"}}\n')
    done = invoke("run", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "undertow-data").exists()


def put(folder, scores):
    book = StoreRuns(folder / "undertow-data")
    for number, score in enumerate(scores):
        found = run([result(c, t, score) for c in range(60) for t in ("cheap", "capable")], number)
        head = msgspec.structs.replace(found.run, run_id=f"20260301T12000{number:04d}Z-00ff{number:02d}")
        book.add(msgspec.structs.replace(found, run=head))


def test_list_and_show_tell_of_runs_as_they_were(folder):
    assert "no suite was run yet" in invoke("list").stdout
    put(folder, [1.0, 0.0])
    assert [line.split()[0][-2:] for line in invoke("list").stdout.splitlines()] == ["00", "01"]
    assert len(json.loads(invoke("list", "--json").stdout)["runs"]) == 2
    assert invoke("show", "s").stdout.startswith("s: nothing can be said yet."), "all tiers lost the same cases at once"
    before = json.loads(invoke("show", "s", "--run", "20260301T120000000Z-00ff00", "--json").stdout)
    assert (before["schema"], before["runs"], before["verdict"]) == ("undertow.suite/1", 1, "inconclusive")
    missing = invoke("show", "other")
    assert (missing.exit_code, "has no run" in missing.stderr) == (2, True)


def test_refresh_writes_proposals_to_a_file_of_their_own_and_shows_no_text(folder):
    log = RowLog(folder / "undertow-data", SAMPLED, "w0")
    for i, text in enumerate(["where is my order", "cancel my secret flight", "cancel my secret flight now"]):
        log.append(
            SampledText(
                decision_id=f"d{i}", event_time="2026-03-01T12:00:00.000Z", tier="cheap", segment={"intent": f"i{i}"},
                inclusion_probability=0.5, stratum="common", prompt=f"user: {text}", answer="a",
            )
        )  # fmt: skip
    log.close()
    before = (folder / "support.jsonl").read_text()
    done = invoke("refresh", "support.jsonl", "undertow-data", "--by", "words")
    assert done.exit_code == 0, done.stderr
    assert "33.3 % of the traffic has a case near it" in done.stdout
    assert "secret" not in done.output
    rows = [json.loads(line) for line in (folder / "support.proposed.jsonl").read_text().splitlines()]
    assert [(row["id"], row["expected"]) for row in rows] == [("live-1", "")]
    assert "secret flight" in rows[0]["prompt"]
    assert (folder / "support.jsonl").read_text() == before
    assert (
        json.loads(invoke("refresh", "support.jsonl", "undertow-data", "--by", "words", "--json").stdout)[
            "covered_after"
        ]
        == 1.0
    )


def texts(folder):
    log = RowLog(folder / "undertow-data", SAMPLED, "w0")
    log.append(
        SampledText(
            decision_id="d", event_time="2026-03-01T12:00:00.000Z", tier="cheap", inclusion_probability=0.5, stratum="common",
            prompt="user: cancel my flight", answer="a",
        )
    )  # fmt: skip
    log.close()


def test_proposals_are_not_for_everybody_to_read_and_what_was_filled_in_is_left_alone(folder):
    texts(folder)
    command = ("refresh", "support.jsonl", "undertow-data", "--by", "words")
    proposed = folder / "support.proposed.jsonl"
    for _ in range(2):  # nobody has touched it: it is made anew
        assert invoke(*command).exit_code == 0
    assert stat.S_IMODE(proposed.stat().st_mode) == 0o640
    mine = proposed.read_text().replace('"expected":""', '"expected":"done"')
    proposed.write_text(mine)
    done = invoke(*command)
    assert (done.exit_code, "filled in" in done.stderr) == (2, True)
    assert proposed.read_text() == mine
    proposed.write_text("{half a line")
    assert invoke(*command).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "support.jsonl", "--junit", "none/suite.xml"),
        ("run", "support.jsonl", "--markdown", "none/suite.md"),
        ("refresh", "support.jsonl", "undertow-data", "--out", "none/x.jsonl"),
        ("list", "--store", "none"),
        ("show", "support", "--store", "none"),
    ],
)
def test_a_folder_that_is_not_there_is_told_before_anything_is_asked(folder, arguments):
    texts(folder)
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert "none" in done.stderr
    assert not (folder / "undertow-data" / "decisions").exists()


def test_a_store_that_cannot_be_written_is_told_before_anything_is_asked(folder):
    (folder / "undertow-data").mkdir()
    (folder / "undertow-data" / "suites").write_text("in the way")
    done = invoke("run", "support.jsonl", "--retries", "0")
    assert not (folder / "undertow-data" / "decisions").exists()
    assert done.exit_code == 2
    assert "suites" in done.stderr


def test_records_that_cannot_be_written_end_in_one_line(folder):
    (folder / "undertow-data").mkdir()
    (folder / "undertow-data" / "decisions").write_text("in the way")
    done = invoke("run", "support.jsonl", "--retries", "0")
    assert done.exit_code == 2
    assert "the run cannot be kept" in done.stderr
    assert invoke("list").stdout.startswith("no suite was run yet")


def test_refresh_never_writes_over_the_suite(folder):
    (folder / "undertow-data").mkdir()
    done = invoke("refresh", "support.jsonl", "undertow-data", "--out", "support.jsonl")
    assert (done.exit_code, "that is the suite itself" in done.stderr) == (2, True)
    assert "no text of live requests" in invoke("refresh", "support.jsonl", "undertow-data").stderr
    assert "this is no folder" in invoke("refresh", "support.jsonl", "nowhere").stderr
