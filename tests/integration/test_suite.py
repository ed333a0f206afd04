"""A suite through the real router before a fake upstream: what is recorded, what is told of a change, and of whom."""

import json

import pytest
from click.testing import CliRunner

import undertow
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, settings_for
from undertow.cli.main import main

CASES = 80
WRONG = Reply(text="no idea", confidence=0.95, fingerprint="fp_later")


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        upstream.answer("small", Reply(text="wrong", confidence=0.5))
        upstream.answer("large", Reply(text="It is 5.", fingerprint="fp_first"))
        yield upstream


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "support.jsonl"
    rows = [
        {
            "id": f"case-{i}", "prompt": f"Question {i}?", "segment": {"intent": "ab"[i % 2]},
            "check": {"kind": "exact", "expected": "5", "normalise": "number"},
        }
        for i in range(CASES)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(tmp_path, suite, upstream, *arguments, policy="threshold = 0.9", settings=None):
    config = tmp_path / "undertow.toml"
    config.write_text(settings or settings_for(upstream.base_url, policy=policy))
    done = CliRunner().invoke(
        main, ["suite", "run", str(suite), "--config", str(config), "--json", *arguments], env=ENV, prog_name="undertow"
    )
    assert done.exit_code in {0, 1, 3}, (done.output, done.stderr)
    return done.exit_code, json.loads(done.stdout)


def records(store):
    paths = sorted((store / "decisions").rglob("*.jsonl*"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def signals(store):
    paths = sorted((store / "signals").rglob("*.jsonl*"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def findings(report):
    return {(each["kind"], each["target"], each["cause"]) for each in report["findings"]}


def test_the_first_run_is_recorded_as_a_suite_and_says_nothing_of_a_change(tmp_path, suite, upstream):
    status, report = run(tmp_path, suite, upstream)
    assert (status, report["verdict"], report["runs"]) == (3, "inconclusive", 1)
    store = tmp_path / "undertow-data"
    found = records(store)
    assert len(found) == 3 * CASES
    assert {record["origin"] for record in found} == {"suite"}
    routed = [record for record in found if record.get("policy") == "auto"]
    assert {record["reason"] for record in routed} == {"unsure"}
    assert {record["tier"] for record in found if record.get("policy") is None} == {"cheap", "capable"}
    assert not any(record.get("draws") for record in found), "a suite is no traffic: nothing of it is drawn for review"
    scores = signals(store)
    assert len(scores) == 3 * CASES
    assert {(s["kind"], s["name"], s["source"], s["inclusion_probability"]) for s in scores} == {
        ("suite", "support", "exact:exact", 1.0), ("suite", "support.routed", "exact:exact", 1.0),
    }  # fmt: skip
    by_id = {record["decision_id"]: record["tier"] for record in found}
    assert all(s["value"] == float(by_id[s["decision_id"]] == "capable") for s in scores)
    cells = {(cell["target"], cell["segment"]): cell for cell in report["cells"]}
    assert cells["routed", ""]["quality"] == cells["capable", ""]["quality"] == 1.0
    assert (cells["cheap", ""]["quality"], cells["cheap", ""]["loss"]) == (0.0, 1.0)
    assert report["run"]["cost_usd"] == pytest.approx(sum(record["cost_usd"] for record in found))


def test_the_audit_counts_no_decision_of_a_suite_as_traffic(tmp_path, suite, upstream):
    run(tmp_path, suite, upstream)
    store = tmp_path / "undertow-data"
    with undertow.Client(tmp_path / "undertow.toml", sink=store, env=ENV) as client:
        client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hi"}])
    report = undertow.run_audit(undertow.AuditRequest((str(store),)))
    assert sum(tier.decisions for tier in report.tiers) == 1


def test_nothing_changes_and_nothing_is_said_to_have_changed(tmp_path, suite, upstream):
    for _ in range(4):
        status, report = run(tmp_path, suite, upstream)
    assert (status, report["verdict"], report["findings"]) == (0, "no_loss", [])
    assert report["runs"] == 4


def test_a_model_that_changed_behind_its_name_is_laid_to_the_provider(tmp_path, suite, upstream):
    run(tmp_path, suite, upstream)
    upstream.answer("large", WRONG)
    status, report = run(tmp_path, suite, upstream)
    assert (status, report["verdict"]) == (1, "loss")
    assert findings(report) == {("change", "capable", "provider"), ("change", "routed", "provider")}
    assert any("fp_later" in each for each in report["changed"])


def test_a_lowered_threshold_is_laid_to_routing(tmp_path, suite, upstream):
    run(tmp_path, suite, upstream)
    status, report = run(tmp_path, suite, upstream, policy="threshold = 0.3")
    assert (status, report["verdict"]) == (1, "loss")
    assert findings(report) == {("change", "routed", "routing"), ("level", "routed", "routing")}
    assert "100.0 from 80 cases that went to another tier" in report["findings"][0]["why"]
    assert any(each.startswith("policy version was") for each in report["changed"])


def test_a_loss_stays_shown_until_it_is_mended_or_accepted(tmp_path, suite, upstream):
    run(tmp_path, suite, upstream)
    upstream.answer("large", WRONG)
    assert [run(tmp_path, suite, upstream)[0] for _ in range(3)] == [1, 1, 1]
    upstream.answer("large", Reply(text="It is 5.", fingerprint="fp_first"))
    assert run(tmp_path, suite, upstream)[0] == 0
    upstream.answer("large", WRONG)
    assert run(tmp_path, suite, upstream, "--baseline")[0] == 3
    assert run(tmp_path, suite, upstream)[0] == 0


def test_a_failing_upstream_is_tried_again_and_told_as_no_answer(tmp_path, suite, upstream):
    upstream.script(Reply(status=503))
    settings = settings_for(upstream.base_url, policy="threshold = 0.9")
    _, report = run(tmp_path, suite, upstream, "--limit", "1", "--concurrency", "1", settings=settings)
    assert report["run"]["cases"] == 1
    upstream.answer("small", Reply(status=500))
    _, report = run(tmp_path, suite, upstream, "--limit", "2", "--retries", "0")
    cells = {cell["target"]: cell for cell in report["cells"] if cell["segment"] == ""}
    assert (cells["cheap"]["n"], cells["cheap"]["unscored"], cells["routed"]["n"]) == (0, 2, 2)


def test_a_tier_that_a_constraint_forbids_is_not_asked(tmp_path, suite, upstream):
    settings = settings_for(upstream.base_url, '[constraints]\nnever_cheap = ["intent=a"]', policy="threshold = 0.9")
    _, report = run(tmp_path, suite, upstream, settings=settings)
    cells = {(cell["target"], cell["segment"]): cell for cell in report["cells"]}
    assert (cells["cheap", "intent=a"]["n"], cells["cheap", "intent=a"]["unscored"]) == (0, 0)
    assert cells["cheap", "intent=b"]["n"] == CASES // 2
    assert len(upstream.asked("small")) == CASES, "cases of the other label, direct and routed"


def test_the_budget_leaves_cases_out_and_says_so(tmp_path, suite, upstream):
    _, whole = run(tmp_path, suite, upstream)
    budget = whole["run"]["cost_usd"] / 4
    _, report = run(tmp_path, suite, upstream, "--budget-usd", f"{budget:.9f}")
    assert report["run"]["cost_usd"] <= budget * (1 + 1e-9)
    assert 0 < report["run"]["cases"] <= CASES / 4
    assert report["run"]["skipped"] == CASES - report["run"]["cases"]
    assert any("the budget left out" in note for note in report["notes"])
