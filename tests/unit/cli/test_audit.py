import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sound_calibrations import calibration
from undertow.adapters.calibrations import write_calibration
from undertow.cli.audit import parse_date, settings_file
from undertow.cli.main import main
from undertow.errors import UsageError

START = datetime(2026, 3, 2, tzinfo=UTC)
PRE, DAYS, A_DAY = 8, 40, 60


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["audit", *arguments])


def write(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def write_log(fails=0.0, reference=0.0, *, holdout=True):
    """Rows of a small log whose cheap tier fails every so many requests; every request is reviewed."""
    rows, reviews = [], []
    for i in range(DAYS * A_DAY):
        day = i // A_DAY
        at = START + timedelta(days=day, minutes=i % A_DAY)
        held = holdout and i % 3 == 0
        tier = "capable" if day < PRE or held else "cheap"
        rate = fails if tier == "cheap" else reference
        rows.append(
            {"decision_id": f"d{i}", "event_time": at.isoformat(), "tier": tier, "user_id": f"u{i % 401}", "cost_usd": 0.01,
             "baseline_cost_usd": 0.02, **({"arm": "holdout" if held else "treatment"} if holdout else {})}
        )  # fmt: skip
        reviews.append(
            {"signal_id": f"s{i}", "event_time": at.isoformat(), "decision_id": f"d{i}", "kind": "review", "name": "accuracy",
             "value": 0.0 if (i * 0.618034) % 1.0 < rate else 1.0, "inclusion_probability": 1.0}
        )  # fmt: skip
    return write("log.jsonl", rows), write("reviews.jsonl", reviews)


@pytest.mark.parametrize(
    ("fails", "status", "verdict"), [(0.0, 0, "healthy"), (0.4, 1, "quality_loss"), (0.012, 3, "inconclusive")]
)
def test_the_exit_status_is_the_verdict(run, fails, status, verdict):
    log, reviews = write_log(fails)
    done = run(log, "--signals", reviews, "--json")
    assert done.exit_code == status
    report = json.loads(done.stdout)
    assert (report["schema"], report["verdict"]) == ("undertow.audit/1", verdict)
    assert done.stderr == ""


def test_a_trap_has_the_status_of_a_loss(run):
    log, reviews = write_log(0.4)
    tickets = [
        {"signal_id": f"t{i}", "event_time": (START + timedelta(days=i // A_DAY, hours=5)).isoformat(), "decision_id": f"d{i}",
         "kind": "outcome", "name": "ticket", "value": 1.0}
        for i in range(PRE * A_DAY, DAYS * A_DAY) if i % 3 and i % 2
    ]  # fmt: skip
    Path("undertow.toml").write_text(
        '[tiers.cheap]\nmodels = ["s*"]\n[tiers.capable]\nmodels = ["l*"]\n'
        "[outcomes.ticket]\nusd = 50.0\nmaturity_days = 1\nattribution_days = 1\n"
    )
    done = run(log, "--signals", reviews, "--outcomes", write("tickets.jsonl", tickets), "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["verdict"]) == (1, "pareto_trap")
    assert report["ledger"]["interval"][1] < 0
    assert done.stderr == "settings: undertow.toml\n", "whose settings were used is said, and not on standard output"


def test_json_stands_alone_on_standard_output(monkeypatch, tmp_path):
    """As a script sees it: one document, nothing before or after it, and no word on standard error."""
    monkeypatch.chdir(tmp_path)
    log, reviews = write_log(0.0)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "undertow.cli.main", "audit", log, "--signals", reviews, "--json"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_pages_are_written_where_asked(run):
    log, reviews = write_log(0.4)
    done = run(log, "--signals", reviews, "--html", "a.html", "--markdown", "a.md", "--junit", "a.xml")
    assert done.exit_code == 1
    assert Path("a.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert "cheap" in Path("a.md").read_text()
    assert Path("a.xml").read_text().startswith("<?xml")
    assert "cheap" in done.stdout
    assert "a.html" in done.stdout


@pytest.mark.parametrize("option", ["--html", "--markdown", "--junit"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(run, option):
    log, reviews = write_log(0.4)
    done = run(log, "--signals", reviews, option, "no/such/folder/a.out")
    assert done.exit_code == 2
    assert "folder does not exist" in done.stderr
    assert done.stdout == ""


def test_a_folder_is_no_report_file(run):
    log, _ = write_log()
    Path("folder").mkdir()
    assert run(log, "--html", "folder").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "INPUT"),
        (("missing.jsonl",), "missing.jsonl"),
        (("log.jsonl", "--signals", "missing.jsonl"), "missing.jsonl"),
        (("log.jsonl", "--outcomes", "missing.csv"), "missing.csv"),
        (("log.jsonl", "--config", "missing.toml"), "missing.toml"),
        (("log.jsonl", "--baseline-until", "March"), "expected a date such as 2026-03-01"),
        (("log.jsonl", "--baseline-until", "2026-02-30"), "expected a date"),
        (("log.jsonl", "--baseline-until", "0001-01-01T00:00:00+14:00"), "expected a date"),
        (("log.jsonl", "--baseline-until", "2031-01-01"), "the log runs from"),
        (("log.jsonl", "--margin", "2"), "margin"),
        (("log.jsonl", "--alpha", "0"), "alpha"),
        (("log.jsonl", "--format", "nonsense"), "nonsense"),
        (("log.jsonl", "--engine", "spark://x"), "spark"),
        (("log.jsonl", "--map", "missing.toml"), "missing.toml"),
        (("log.jsonl", "--timezone", "Mars/Olympus"), "Mars/Olympus"),
    ],
)  # fmt: skip
def test_bad_usage_is_one_line_and_status_two(run, arguments, said):
    write_log()
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_margin_and_alpha_reach_the_report(run):
    log, reviews = write_log()
    report = json.loads(run(log, "--signals", reviews, "--json", "--margin", "0.2", "--alpha", "0.01").stdout)
    assert (report["settings"]["margin"], report["settings"]["alpha"]) == (0.2, 0.01)


def test_a_named_baseline_is_used(run):
    log, reviews = write_log(0.4, holdout=False)
    report = json.loads(run(log, "--signals", reviews, "--json", "--baseline-until", "2026-03-08").stdout)
    assert report["reference"]["kind"] == "pre_routing"


def test_explaining_shows_columns_and_audits_nothing(run):
    log, _ = write_log()
    done = run(log, "--explain")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Undertow's own format" in done.stdout
    assert json.loads(run(log, "--explain", "--json").stdout)["schema"] == "undertow.explain/1"


def test_rejected_rows_are_written_on_request(run):
    log, reviews = write_log()
    with Path(log).open("a") as file:
        file.write('{"decision_id": "odd", "event_time": "never", "tier": "cheap"}\n')
    done = run(log, "--signals", reviews, "--json", "--rejects", "aside")
    assert json.loads(done.stdout)["coverage"]["rejected"] == 1
    assert list(Path("aside").iterdir())


def test_settings_are_those_named_or_the_logs_or_the_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings_file(None, ("store",)) is None
    Path("undertow.toml").touch()
    assert settings_file(None, ("store",)) == Path("undertow.toml")
    Path("store").mkdir()
    Path("store/undertow.toml").touch()
    assert settings_file(None, ("store",)) == Path("store/undertow.toml")
    assert settings_file("other.toml", ("store",)) == Path("other.toml")


def test_dates_are_utc_unless_they_say_otherwise():
    assert parse_date(None) is None
    assert parse_date("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert parse_date("2026-03-01T02:00+02:00") == datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(UsageError):
        parse_date("soon")


def test_the_margin_is_the_calibrations_where_none_is_set(run):
    log, reviews = write_log(0.0)
    write_calibration(calibration(monitors_margin=0.05), "calibration.json")
    Path("undertow.toml").write_text('[policy]\ncalibration = "calibration.json"\n')

    def margin(*options):
        return json.loads(run(log, "--signals", reviews, "--json", *options).stdout)["settings"]["margin"]

    assert margin() == 0.05
    assert margin("--margin", "0.03") == 0.03
