"""The gate over real stores, artefacts and suite runs."""

import msgspec
import pytest

from store_for_tuning import write_settings, write_store
from tuning_factory import calibration, group
from undertow.adapters.calibrations import write_calibration
from undertow.adapters.suites.runs import StoreRuns
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.gate import GateRequest, read_candidate, run_gate
from undertow.bootstrap.plan import compile_plan
from undertow.cli.replay import setting_variable
from undertow.config.load import load_settings
from undertow.errors import ConfigError, UsageError
from undertow.records.suite import CaseResult, RunResults, SuiteRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store with two days of answers: those of task b fail often."""
    found = tmp_path_factory.mktemp("check")
    write_settings(found)
    write_store(found / "store", 3_000, 0.02, day=1, task="a")
    write_store(found / "store", 600, 0.3, day=2, seed=2, task="b")
    for name, threshold in (("lower", 0.55), ("higher", 0.95), ("middle", 0.79)):
        write_calibration(calibration(group(threshold=threshold)), found / f"{name}.json")
    return found


def check(folder, candidate=None, *given, suite=None, env=None):
    live = load_settings(folder / "undertow.toml", {})
    file = None if candidate is None else folder / candidate
    found = read_candidate(file, dict(map(setting_variable, given)), live, env or {})
    request = AuditRequest((str(folder / "store"),), settings=live.settings)
    return run_gate(GateRequest(request, live, found, suite))


def test_a_lower_threshold_is_caught_where_it_loses(folder):
    report = check(folder, "lower.json")
    assert report.verdict == "loss"
    assert report.method == "replay"
    assert "only where the cheap tier was asked" in report.method_why
    assert {str(place.segment): place.state for place in report.places} == {
        "whole tier": "loss",
        "task=b": "loss",
        "task=a": "pass",
    }


def test_a_higher_threshold_passes(folder):
    assert check(folder, "higher.json").verdict == "pass"


def test_a_label_that_is_kept_off_passes(folder):
    report = check(folder, None, 'constraints.never_cheap=["task=b"]')
    assert report.verdict == "pass"
    assert [one.name for one in report.differences] == ["constraints.never_cheap"]


def test_the_same_passes_without_a_label(folder):
    report = check(folder, "undertow.toml")
    assert (report.verdict, report.places, report.differences) == ("pass", (), ())


def test_a_candidate_does_not_set_its_own_bar(folder):
    assert check(folder, "lower.json", "monitors.margin=0.9", "policy.margin=0.9").verdict == "loss"


def test_a_calibration_that_does_not_fit_is_refused(folder):
    write_calibration(msgspec.structs.replace(calibration(), tier="middle"), folder / "other.json")
    with pytest.raises(ConfigError, match="it is of the tier 'middle'"):
        check(folder, "other.json")
    write_calibration(msgspec.structs.replace(calibration(), model="tiny"), folder / "model.json")
    with pytest.raises(ConfigError, match="it is of the model 'tiny'"):
        check(folder, "model.json")


def test_without_a_candidate_there_is_nothing_to_check(folder):
    with pytest.raises(UsageError, match="no candidate"):
        check(folder)


def test_another_model_takes_a_run_of_the_suite_with_it(folder):
    (folder / "tiny.toml").write_text((folder / "undertow.toml").read_text().replace('"small"', '"tiny"'))
    report = check(folder, "tiny.toml")
    assert report.verdict == "hole"
    [model] = report.differences
    assert (model.name, model.kind, model.line) == ("tiers.cheap.model", "answers", 2)
    none = check(folder, "tiny.toml", suite="support")
    assert none.verdict == "hole"
    assert "no run with the candidate" in none.suite.why


@pytest.mark.parametrize(("score", "verdict"), [(0.9, "pass"), (0.3, "loss")])
def test_the_run_of_the_candidate_is_compared_with_those_before(folder, score, verdict):
    (folder / "tiny.toml").write_text((folder / "undertow.toml").read_text().replace('"small"', '"tiny"'))
    loaded = load_settings(folder / "tiny.toml", {})
    from datetime import date

    version = compile_plan(loaded.settings, folder, date(2026, 3, 1)).policies[0].version
    book, name = StoreRuns(folder / "store"), f"suite-{verdict}"
    book.prepare(name)
    for number, (of, mean) in enumerate([("old", 0.9), ("old", 0.9), ("old", 0.9), (version, score)]):
        book.add(run(name, number, of, mean))
    report = check(folder, "tiny.toml", suite=name)
    assert report.suite.state == verdict
    assert report.verdict == verdict


def run(name, number, version, mean):
    cases = 200
    results = [
        CaseResult(case_id=f"c{case}", digest="d", target=target, status="ok", score=float(case >= round(cases * (1 - (mean if target != "capable" else 0.9)))), grader="exact", tier="cheap")
        for case in range(cases)
        for target in ("routed", "cheap", "capable")
    ]  # fmt: skip
    head = SuiteRun(
        run_id=f"2026030{number + 1}T120000000Z-00ff00", suite=name, digest="d", began_at="2026-03-01T12:00:00Z", ended_at="2026-03-01T12:05:00Z",
        tiers=("cheap", "capable"), capable="capable", policy="auto", policy_version=version, graders=("exact",), cases=cases,
    )  # fmt: skip
    return RunResults(run=head, results=tuple(results))
