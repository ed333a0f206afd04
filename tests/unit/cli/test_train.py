"""`undertow train`: writes an artefact that serves, says how well it does, and refuses what it cannot use."""

import json
import random

import pytest
from click.testing import CliRunner

from undertow.adapters.classifiers.loading import load_classifier, read_artefact
from undertow.cli.main import main
from undertow.cli.train import _Vectors

EASY, HARD = "where is my parcel number", "dispute the fraudulent transfer number"


def run(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "labels.jsonl"
    rows = [{"prompt": f"{EASY if n % 2 else HARD} {n}", "label": n % 2} for n in range(80)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_labelled_table(table, tmp_path):
    out = tmp_path / "c.json"
    result = run(table, "--out", out)
    assert result.exit_code == 0, result.output
    assert "80 labels from column label" in result.output
    assert "AUROC" in result.output
    classifier = load_classifier(out)
    assert classifier.probability_of(EASY) > 0.8
    assert classifier.probability_of(HARD) < 0.2


def test_json_is_alone_on_standard_output_and_holds_no_text(table, tmp_path):
    result = run(table, "--out", tmp_path / "c.json", "--json", "--seed", 7)
    report = json.loads(result.stdout)
    assert report["schema"] == "undertow.train/1"
    assert report["seed"] == 7
    assert report["trained_on"]["labels"] == 80
    assert report["auroc"]["value"] > 0.9
    assert "weights" not in report
    assert "parcel" not in result.stdout + (tmp_path / "c.json").read_text()


def test_a_log_with_signals_by_the_tiers_of_its_settings(tmp_path):
    drawn = random.Random(1)
    decisions, signals = [], []
    for n in range(200):
        is_easy, p = n % 2 == 0, drawn.choice([0.1, 0.5])
        time = "2026-01-01T00:00:00.000Z"
        text = json.dumps([{"role": "user", "content": f"{EASY if is_easy else HARD} {n}"}])
        tier = "little" if n % 4 < 2 else "big"
        decisions.append({"decision_id": f"d{n}", "event_time": time, "tier": tier, "prompt": text})
        signals.append(
            {"signal_id": f"s{n}", "event_time": time, "decision_id": f"d{n}", "kind": "review", "name": "accuracy"}
            | {"value": float(is_easy), "inclusion_probability": p}
        )
    store = tmp_path / "store"
    for name, rows in (("decisions", decisions), ("signals", signals)):
        (store / name).mkdir(parents=True)
        (store / name / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "c.json"
    refused = run(store, "--out", out)
    assert refused.exit_code == 2
    assert "--config" in refused.output
    settings = tmp_path / "undertow.toml"
    settings.write_text("[tiers.big]\nrank = 1\n[tiers.little]\nrank = 0\n")
    result = run(store, "--out", out, "--config", settings, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["trained_on"]["labels"] == 100
    assert report["trained_on"]["source"] == "review, judge"
    assert report["left_out"] == {"not_served_cheaply": 100}
    assert load_classifier(out).probability_of(EASY) > 0.8


def test_bad_usage_is_one_line(table, tmp_path):
    for arguments, message in (
        ([table, "--label", "label", "--signal", "review.accuracy"], "give one sort"),
        ([table, "--out", tmp_path / "none" / "c.json"], "no such folder"),
        ([tmp_path / "none.jsonl"], "none.jsonl"),
        ([table, "--text-column", "promt"], "did you mean 'prompt'"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output
    assert len(list(tmp_path.iterdir())) == 1


def test_a_table_that_is_neither(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    result = run(path)
    assert result.exit_code == 2
    assert "name the column with --label" in result.output


def test_too_few_labels_leave_an_older_artefact_alone(tmp_path):
    path, out = tmp_path / "few.csv", tmp_path / "c.json"
    path.write_text("prompt,easy\nhello,1\nbye,0\n")
    out.write_text("older")
    result = run(path, "--out", out)
    assert result.exit_code == 2
    assert "48 more" in result.output
    assert out.read_text() == "older"


def test_vectors_are_made_some_at_a_time():
    from classifier_factory import FakeEncoder

    told = []
    vectors = _Vectors(FakeEncoder())([f"text {n}" for n in range(150)], lambda *state: told.append(state))
    assert vectors.shape == (150, 8)
    assert [done for _, done, _ in told] == [0, 64, 128]


def test_method_embedding_writes_an_artefact_for_the_sidecar(table, tmp_path, monkeypatch):
    from classifier_factory import FAKE_ENCODER, FakeEncoder

    monkeypatch.setattr("undertow.cli.train._encoder", FakeEncoder)
    out = tmp_path / "c.json"
    assert run(table, "--method", "embedding", "--out", out).exit_code == 0
    artefact, _ = read_artefact(out)
    assert (artefact.method, artefact.features, artefact.size) == ("embedding", FAKE_ENCODER, 8)
