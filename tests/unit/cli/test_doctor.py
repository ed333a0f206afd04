import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.cli.main import main

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["doctor", *arguments])


def write_log(days: int = 20, a_day: int = 40, tiers=("cheap", "capable")) -> None:
    rows, reviews = [], []
    for i in range(days * a_day):
        at = (START + timedelta(days=i // a_day, minutes=i % a_day)).isoformat()
        tier = tiers[i % len(tiers)]
        rows.append(
            {"decision_id": f"d{i}", "event_time": at, "tier": tier, "user_id": f"u{i % 50}", "model": f"m-{tier}",
             "cost_usd": 0.01, "baseline_cost_usd": 0.02, "segment": {"intent": "billing" if i % 3 else "other"}}
        )  # fmt: skip
        if i % 4 == 0:
            reviews.append(
                {"signal_id": f"s{i}", "event_time": at, "decision_id": f"d{i}", "kind": "review", "name": "accuracy",
                 "value": 1.0 if i % 5 else 0.0, "inclusion_probability": 0.25}
            )  # fmt: skip
    Path("log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reviews))


def checks(done) -> dict[str, str]:
    document = json.loads(done.stdout)
    assert document["schema"] == "undertow.doctor/1"
    assert all(set(f) == {"check", "severity", "seen", "why", "todo"} for f in document["findings"])
    return {finding["check"]: finding["severity"] for finding in document["findings"]}


def test_a_log_without_labels_blocks_every_verdict(run):
    write_log()
    done = run("log.jsonl", "--json")
    assert done.exit_code == 2
    assert checks(done)["no_labels"] == "blocks"
    assert done.stderr == ""


def test_a_log_with_labels_but_no_holdout_and_outcomes_weakens(run):
    write_log()
    done = run("log.jsonl", "--signals", "reviews.jsonl", "--json")
    found = checks(done)
    assert done.exit_code == 1, done.output
    assert {"no_holdout", "no_outcomes", "few_labels"} <= set(found)
    assert not {"one_tier", "no_labels", "no_segments", "no_costs", "no_model", "no_join_keys", "short_history"} & set(
        found
    )


def test_one_tier_blocks(run):
    write_log(tiers=("capable",))
    assert checks(run("log.jsonl", "--json"))["one_tier"] == "blocks"


def test_for_people_each_finding_says_what_why_and_what_to_do(run):
    write_log()
    done = run("log.jsonl")
    assert "no_labels: no quality signal is joined to a decision" in done.stdout
    assert "-> Add --signals FILE" in done.stdout
    assert "blocks" in done.stderr


def test_without_input_the_settings_are_looked_at(run):
    Path("undertow.toml").write_text('[holdout]\nshare = 0.0\n[tiers.cheap]\napi_key_env = "KEY_THAT_IS_UNSET"\n')
    found = checks(run("--json"))
    assert found == {
        "secret_unset": "note",
        "holdout_off": "weakens",
        "unpriced_outcomes": "weakens",
        "id_key_unset": "note",
    }


def test_good_settings_have_nothing_missing(run):
    Path("undertow.toml").write_text('[outcomes.ticket]\nusd = 12.0\n[store]\nid_key_env = "ID_KEY"\n')
    done = CliRunner().invoke(main, ["doctor"], env={"ID_KEY": "x"})
    assert done.exit_code == 0
    assert "Nothing is missing" in done.stdout


GATEWAY = """
[outcomes.ticket]
usd = 12.0
[tiers.cheap]
model = "gpt-4o-mini"
base_url = "https://api.openai.com/v1"
[tiers.capable]
model = "gpt-4o"
base_url = "https://api.openai.com/v1"
"""
KEY = f'[keys.web]\nid = "Hx3k9Qab"\nsha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: text + KEY, {}),
        (lambda text: text, {"no_keys": "note"}),
        (lambda text: text + "[gateway]\nallow_public_without_keys = true\n", {"no_keys": "weakens"}),
        (lambda text: text.replace("gpt-4o-mini", "our-own-7b") + KEY, {"unknown_prices": "weakens"}),
        (lambda text: text.replace('model = "gpt-4o"\n', "") + KEY, {"not_servable": "weakens"}),
        (lambda text: text.replace('-mini"', "-mini\"\nkind = 'anthropic'") + KEY, {"unlikely_setting": "weakens"}),
    ],
)
def test_settings_of_a_gateway_are_looked_at_before_it_starts(run, change, found):
    Path("undertow.toml").write_text(change(GATEWAY))
    assert checks(run("--json")) == found | {"id_key_unset": "note"}


@pytest.mark.parametrize(
    "arguments", [("absent.jsonl",), ("--config", "absent.toml"), ("log.jsonl", "--format", "nonsense")]
)
def test_bad_input_is_one_line_and_exit_status_2(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("undertow: error: ")
    assert done.stdout == ""
