import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from undertow.adapters.judges.book import JudgeBook
from undertow.bootstrap.audit import AuditRequest, audit_settings, explain, outcome_prices, read_cells, run_audit
from undertow.config.load import load_settings
from undertow.detectors.judge_drift import judge_drift
from undertow.errors import DataError, LogError, UndertowError, UsageError
from undertow.records.judged import AnchorResult
from undertow.records.trained import TrainedScores

START = datetime(2026, 3, 2, tzinfo=UTC)


def write(path: Path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def decisions(days=30, a_day=20, **given):
    for i in range(days * a_day):
        at = START + timedelta(days=i // a_day, minutes=i % a_day)
        tier = "capable" if i // a_day < 8 else ("cheap", "capable")[i % 2]
        yield {"decision_id": f"d{i}", "event_time": at.isoformat(), "tier": tier, "user_id": f"u{i % 40}"} | given


def reviews(days=30, a_day=20):
    for i in range(0, days * a_day, 2):
        at = START + timedelta(days=i // a_day, minutes=i % a_day + 30)
        yield {
            "signal_id": f"s{i}", "event_time": at.isoformat(), "decision_id": f"d{i}", "kind": "review", "name": "accuracy",
            "value": float(i % 7 > 0), "inclusion_probability": 0.5,
        }  # fmt: skip


@pytest.fixture
def log(tmp_path):
    return write(tmp_path / "log.jsonl", decisions())


@pytest.fixture
def signals(tmp_path):
    return write(tmp_path / "signals.jsonl", reviews())


def settings(tmp_path, text):
    (tmp_path / "undertow.toml").write_text(text)
    return load_settings(tmp_path / "undertow.toml", {}).settings


def test_a_log_and_its_signals_become_a_report(log, signals):
    report = run_audit(AuditRequest((log,), signals=(signals,)))
    assert report.coverage.decisions == 600
    assert report.coverage.joined == 300
    assert report.reference.kind == "pre_routing"
    assert report.verdict == "inconclusive"


def test_only_what_was_known_then_counts(log, signals):
    until = START + timedelta(days=10)
    report = run_audit(AuditRequest((log,), signals=(signals,), until=until))
    assert report.coverage.decisions == 200
    assert report.period[1] < until


def test_settings_reach_the_audit_and_the_report(tmp_path, log, signals):
    text = (
        '[tiers.cheap]\nmodels = ["s*"]\n[tiers.capable]\nmodels = ["l*"]\n'
        '[monitors]\nmargin = 0.05\nalpha = 0.01\nbucket = "1h"\n[outcomes.ticket]\nusd = 8.0\n'
    )
    chosen = settings(tmp_path, text)
    request = AuditRequest((log,), signals=(signals,), settings=chosen, trust_judge=True)
    assert (audit_settings(request).margin, audit_settings(request).alpha, audit_settings(request).trust_judge) == (
        0.05,
        0.01,
        True,
    )
    (price,) = outcome_prices(chosen)
    assert (price.name, price.usd, price.direction) == ("ticket", 8.0, "bad")
    assert read_cells(request).bucket_s == 3600
    assert run_audit(request).settings.margin == 0.05


@pytest.mark.parametrize("day", [-900, 0, 40])
def test_a_baseline_outside_the_log_is_refused(log, signals, day):
    until = START + timedelta(days=day)
    with pytest.raises(UsageError, match="the log runs from 2026-03-02 to 2026-03-31"):
        run_audit(AuditRequest((log,), signals=(signals,), baseline_until=until))


def test_a_replay_up_to_some_day_may_end_inside_its_baseline(log, signals):
    request = AuditRequest(
        (log,), signals=(signals,), baseline_until=START + timedelta(days=20), until=START + timedelta(days=15)
    )
    assert run_audit(request).verdict == "inconclusive"


def test_a_row_from_another_century_is_named_and_not_computed_with(tmp_path, signals):
    stray = {"decision_id": "x", "event_time": "2099-01-01T00:00:00Z", "tier": "cheap"}
    log = write(tmp_path / "stray.jsonl", [*decisions(), stray])
    with pytest.raises(DataError, match=r"2099-01-01.*event_time"):
        run_audit(AuditRequest((log,), signals=(signals,)))


def test_nothing_to_audit_is_bad_usage():
    with pytest.raises(UsageError, match="nothing to audit"):
        run_audit(AuditRequest(()))


def test_an_unknown_engine_is_refused(log):
    with pytest.raises(UsageError, match="spark"):
        run_audit(AuditRequest((log,), engine="spark://x"))


def test_a_missing_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(LogError):
        run_audit(AuditRequest((str(tmp_path / "no.jsonl"),)))


@pytest.mark.parametrize("text", ["", "\n", "not json\n", "{}\n", '{"a": 1}\n', "[1, 2]\n", "\x00\x01\x02"])
def test_what_is_no_log_is_refused(tmp_path, text):
    path = tmp_path / "odd.jsonl"
    path.write_text(text)
    with pytest.raises(UndertowError):
        run_audit(AuditRequest((str(path),)))


def test_undertows_own_format_needs_no_explaining(log):
    assert explain(AuditRequest((log,))) is None


def test_a_plain_table_is_explained(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        "when,chosen\n" + "".join(f"2026-03-0{d}T00:00:00Z,{t}\n" for d in range(1, 8) for t in ("a-mini", "a-large"))
    )
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        '[columns]\nevent_time = "when"\nmodel = "chosen"\n[tiers]\ncheap = ["a-mini"]\ncapable = ["a-large"]\n'
    )
    found = explain(AuditRequest((str(path),), map_file=str(mapping)))
    assert found.format == "csv"
    assert {c.column: c.source for c in found.columns}["model"] == "chosen"


def test_scores_are_counted_by_the_shares_of_the_calibration(tmp_path):
    rows = [row | {"score": i % 10 + 0.5} for i, row in enumerate(decisions())]
    given = AuditRequest((write(tmp_path / "d.jsonl", rows),))
    assert len(read_cells(given).scores) == 0
    scores = read_cells(
        replace(given, trained=TrainedScores(tuple(float(i) for i in range(11)), 500.0, "cheap"))
    ).scores
    whole = scores.take(scores.segment == 0)
    assert {int(b): int(whole.n[whole.bin == b].sum()) for b in range(10)} == dict.fromkeys(range(10), len(rows) // 10)


def test_clocks_that_run_ahead_are_found_where_the_present_is_known(log, signals):
    given = AuditRequest((log,), signals=(signals,))
    last = run_audit(given).period[1]
    assert "dated_in_future" not in run_audit(replace(given, now=last + timedelta(days=10))).coverage.reasons
    assert run_audit(replace(given, now=last - timedelta(days=2))).coverage.reasons["dated_in_future"] > 0


def judged_again(days, wrong_from=25):
    """Anchors of a judge that becomes worse on a day: 20 each day, of 100."""
    return [
        AnchorResult(
            anchor_id=f"a{(20 * day + i) % 100}", at=f"{date(2026, 3, 2) + timedelta(days=day)}T06:00:00.000Z", judge="m", version="v",
            human="A", verdict="A" if day < wrong_from or i % 3 else "B",
        )
        for day in range(days) for i in range(20)
    ]  # fmt: skip


@pytest.mark.parametrize(("alpha", "stores", "is_warned"), [(0.05, 1, True), (0.05, 2, False), (0.02, 1, False)])
def test_a_judge_is_said_to_have_changed_by_its_part_of_the_budget_of_warnings(tmp_path, alpha, stores, is_warned):
    results = judged_again(28)
    assert 28_800 < judge_drift(results).evidence.max() < 57_600, "an eighth of alpha, and of alpha with two judges"
    roots = []
    for number in range(stores):
        (tmp_path / f"{number}" / "decisions").mkdir(parents=True)
        rows = ({**row, "decision_id": f"{number}-{row['decision_id']}"} for row in decisions())
        write(tmp_path / f"{number}" / "decisions" / "log.jsonl", rows)
        JudgeBook(tmp_path / f"{number}").add_results(results if number == 0 else results[:100])
        roots.append(str(tmp_path / f"{number}"))
    chosen = settings(tmp_path, f"[monitors]\nalpha = {alpha}\n")
    report = run_audit(AuditRequest(tuple(roots), format="undertow", settings=chosen))
    assert [warning.monitor for warning in report.warnings] == ["judge"] * is_warned
