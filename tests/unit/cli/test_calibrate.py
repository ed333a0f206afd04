"""`undertow calibrate`: writes an artefact that a gateway loads, says what it promises, and refuses what it cannot use."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from calibration_factory import draw
from undertow.adapters.calibrations import read_calibration
from undertow.cli.main import main
from undertow.errors import ConfigError


def run(*arguments):
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)])


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def draws(n=800, seed=1):
    score, good, _ = draw(n, np.random.default_rng(seed))
    return list(zip(score.tolist(), good.tolist(), strict=True))


@pytest.fixture
def table(tmp_path):
    rows = [
        {
            "p": p,
            "ok": int(ok),
            "task": "faq" if n % 2 else "legal",
            "prompt": f"parcel {n}",
            "cheap_cost_usd": 1e-4,
            "capable_cost_usd": 4e-3,
        }
        for n, (p, ok) in enumerate(draws())
    ]
    return write(tmp_path / "evaluation.jsonl", rows)


@pytest.fixture
def store(tmp_path):
    """A log in which a tenth of all answers was shadowed, served or not."""
    decisions, signals, drawn = [], [], np.random.default_rng(2)
    for n, (p, ok) in enumerate(draws(3000, 3)):
        served = p > 0.7
        time = f"2026-01-{1 + n // 120:02}T10:00:00.000Z"
        call = {
            "tier": "cheap",
            "model": "small-1",
            "purpose": "serve",
            "cost_usd": 1e-4,
            "status": "ok" if served else "discarded",
        }
        decisions.append(
            {
                "decision_id": f"d{n}",
                "event_time": time,
                "first_tier": "cheap",
                "tier": "cheap" if served else "capable",
                "escalated": not served,
                "reason": "confident" if served else "unsure",
                "features": {"mean_logprob": float(np.log(p))},
                "score": float(np.log(p)),
                "segment": {"intent": "faq" if n % 2 else "legal"},
                "calls": [call],
                "baseline_cost_usd": 4e-3,
            }
        )
        if drawn.random() < 0.4:
            quality, other = (1.0, 1.0) if ok else (0.0, 1.0)
            signals.append(
                {
                    "signal_id": f"s{n}",
                    "event_time": time,
                    "decision_id": f"d{n}",
                    "kind": "shadow",
                    "name": "quality",
                    "value": quality if served else other,
                    "reference_value": other if served else quality,
                    "inclusion_probability": 0.4,
                }
            )
    write(tmp_path / "store" / "decisions" / "rows.jsonl", decisions)
    write(tmp_path / "store" / "signals" / "rows.jsonl", signals)
    return tmp_path / "store"


def test_a_table_becomes_an_artefact_that_loads(table, tmp_path):
    out = tmp_path / "c.json"
    result = run(table, "--label", "ok", "--score", "p", "--margin", 0.05, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Serving cheaply from confidence 0.")
    assert f"wrote {out}" in result.output
    made, _ = read_calibration(out)
    assert (made.tier, made.capable_tier, made.margin, made.delta) == ("cheap", "capable", 0.05, 0.1)
    assert [feature.name for feature in made.features] == ["mean_logprob"]
    assert "parcel" not in result.output + out.read_text()


def test_a_log_is_joined_with_its_signals_by_the_tiers_of_its_settings(store, tmp_path):
    (store / "undertow.toml").write_text(
        '[tiers.cheap]\nmodel = "small"\nbase_url = "http://127.0.0.1:1/v1"\n[tiers.capable]\nmodel = "large"\n'
        'base_url = "http://127.0.0.1:2/v1"\n[policy]\nmargin = 0.04\ndelta = 0.2\n'
    )
    out = tmp_path / "c.json"
    result = run(store, "--out", out, "--segment", "intent", "--html", tmp_path / "c.html")
    assert result.exit_code == 0, result.output
    made, _ = read_calibration(out)
    assert (made.model, made.served_models, made.margin, made.delta) == ("small", ("small-1",), 0.04, 0.2)
    assert [group.value for group in made.groups] == ["faq", "legal", None]
    assert made.fitted_on.source == "shadow pairs"
    assert made.fitted_on.from_at.startswith("2026-01-01")
    assert all(group.certificate.upper <= 0.04 for group in made.groups[:2])
    assert "Undertow calibration" in (tmp_path / "c.html").read_text(encoding="utf-8")
    later = json.loads(run(store, "--out", out, "--since", "2026-01-15", "--margin", 0.05, "--json").stdout)
    assert later["fitted_on"]["labels"] < made.fitted_on.labels
    assert later["left_out"]["too_old"] > 0


def test_json_is_alone_on_standard_output(table, tmp_path):
    result = run(
        table,
        "--label",
        "ok",
        "--score",
        "p",
        "--segment",
        "task",
        "--margin",
        0.05,
        "--out",
        tmp_path / "c.json",
        "--json",
        "--seed",
        7,
    )
    report = json.loads(result.stdout)
    assert report["schema"] == "undertow.calibrate/1"
    assert report["seed"] == 7
    assert report["artefact"] == str(tmp_path / "c.json")
    assert {group["value"] for group in report["groups"]} == {"faq", "legal", None}
    assert report["savings"]["usd_per_request"] > 0
    assert "parcel" not in result.stdout


def test_the_same_labels_and_seed_give_the_same(table, tmp_path):
    one, other = (
        json.loads(
            run(
                table, "--label", "ok", "--score", "p", "--shared", "--margin", 0.05, "--out", tmp_path / name, "--json"
            ).stdout
        )
        for name in ("a.json", "b.json")
    )
    for report in (one, other):
        for key in ("fitted_at", "artefact", "sha256"):
            del report[key]
    assert one == other
    assert one["threshold_scope"] == "shared"


def test_where_no_threshold_qualifies_it_says_so_and_writes_that_down(tmp_path):
    # The most confident answers all look the same, and all fail.
    rows = [{"p": 0.9 if n > 460 else 0.1 + 0.001 * n, "ok": int(150 < n <= 460 and n % 10 > 0)} for n in range(500)]
    result = run(
        write(tmp_path / "t.jsonl", rows),
        "--label",
        "ok",
        "--score",
        "p",
        "--margin",
        0.02,
        "--out",
        tmp_path / "c.json",
    )
    assert result.exit_code == 0, result.output
    assert result.output.startswith("No threshold keeps the loss at or below 2 %")
    assert "missing   all requests: even the most confident" in result.output
    made, _ = read_calibration(tmp_path / "c.json")
    assert made.groups[0].threshold is None


def test_a_number_that_no_gateway_measures_is_reported_but_not_written(tmp_path):
    rows = [{"vibes": 10 * p, "ok": int(ok)} for p, ok in draws()]
    result = run(
        write(tmp_path / "t.jsonl", rows),
        "--label",
        "ok",
        "--score",
        "vibes",
        "--margin",
        0.05,
        "--out",
        tmp_path / "c.json",
    )
    assert result.exit_code == 0, result.output
    assert "no artefact was written: a gateway measures no 'vibes'" in result.output
    assert not (tmp_path / "c.json").exists()


BAD = {
    "few": (
        [{"p": 0.1 + 0.001 * n, "ok": n % 2} for n in range(60)],
        r"60 labels from column ok; .* takes at least 114 .* 54 more",
    ),
    "one class": ([{"p": 0.001 * n, "ok": 1} for n in range(300)], "needs worse ones too"),
    "other class": ([{"p": 0.001 * n, "ok": 0} for n in range(300)], "needs good ones too"),
    "constant": ([{"p": 0.5, "ok": n % 2} for n in range(300)], "a constant tells no answer from another"),
    "missing": ([{"p": None, "ok": n % 2} for n in range(300)], "no confidence feature was measured|never measured"),
    "nan": ([{"p": "NaN", "ok": n % 2} for n in range(300)], "no confidence feature was measured|never measured"),
    "unweighted": (
        [{"p": 0.001 * n, "ok": n % 2, "inclusion_probability": None} for n in range(300)],
        r"0 labels from column ok \(left out: 300 no_inclusion_probability\)",
    ),
    "backwards": (
        [{"p": 0.9 - 0.001 * n, "ok": int(n > 150)} for n in range(300)],
        "a higher score does not go with a better answer",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_labels_are_refused_in_one_line_and_nothing_is_written(name, tmp_path):
    rows, message = BAD[name]
    result = run(write(tmp_path / "t.jsonl", rows), "--label", "ok", "--score", "p", "--out", tmp_path / "c.json")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if "undertow: error:" in line]
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
    assert not (tmp_path / "c.json").exists()


def test_an_edited_artefact_is_refused_where_it_is_read(table, tmp_path):
    out = tmp_path / "c.json"
    assert run(table, "--label", "ok", "--score", "p", "--margin", 0.05, "--out", out).exit_code == 0
    out.write_text(out.read_text().replace('"margin": 0.05', '"margin": 0.5', 1))
    with pytest.raises(ConfigError, match="cut or edited; run `undertow calibrate` again"):
        read_calibration(out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "ok", "--signal", "review.accuracy"], "give one sort"),
        (["--label", "ok", "--out", "no/such/c.json"], "no such folder"),
        (["--label", "ok", "--html", "no/such/c.html"], "no such folder"),
        (["--label", "ok", "--tier", "capable"], "expected one of cheap"),
        (["--label", "ok", "--tier", "large"], "expected one of cheap"),
        (["--label", "okay", "--score", "p"], "did you mean 'ok'"),
        (["--label", "ok", "--margin", "0"], "--margin"),
        (["--signal", "accuracy"], "kind.name"),
        (["--since", "soon"], "--since 'soon'"),
    ],
)
def test_bad_usage_is_refused(arguments, message, table):
    result = run(table, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_log_without_labels_says_what_was_left_out(tmp_path):
    write(tmp_path / "decisions" / "rows.jsonl", [{"decision_id": "d1", "tier": "cheap"}])
    signal = {"signal_id": "s", "decision_id": "d1", "kind": "review", "name": "accuracy", "value": 1.0}
    write(tmp_path / "signals" / "rows.jsonl", [signal])
    result = run(tmp_path, "--out", tmp_path / "c.json")
    assert result.exit_code == 2
    assert "0 labels from signals (left out: 1 no_inclusion_probability)" in result.stderr
