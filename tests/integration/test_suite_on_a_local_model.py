"""A suite with a real local model behind both tiers: answers that a stated rule grades."""

import json
import re

from click.testing import CliRunner

from conftest import require
from undertow.cli.main import main

CASES = 5


def pattern(rule):
    """The first group of words that an answer must hold, as a pattern; None where the rule is of another sort."""
    if rule.must:
        return "(?i)" + "|".join(re.escape(word) for word in rule.must[0])
    return None


def test_a_real_model_answers_a_suite_as_routed_and_by_tier(tmp_path, project_dir, monkeypatch):
    monkeypatch.syspath_prepend(str(project_dir / "benchmarks"))
    from cascade.local_model import is_installed, local_model

    require(is_installed(), "the local model is not installed (make local)")
    from cascade.shop_questions import messages, record_demo

    suite = tmp_path / "shop.jsonl"
    known = [query for query in record_demo.queries() if pattern(query.rule) is not None][:CASES]
    suite.write_text(
        "".join(
            json.dumps(
                {
                    "id": query.query_id, "messages": messages(query), "segment": {"intent": query.intent},
                    "check": {"kind": "regex", "pattern": pattern(query.rule)},
                }
            ) + "\n"
            for query in known
        )
    )  # fmt: skip
    with local_model("cheap", tmp_path) as cheap, local_model("capable", tmp_path) as capable:
        (tmp_path / "undertow.toml").write_text(
            "".join(
                f'[tiers.{name}]\nmodel = "smollm2-135m"\nbase_url = "{address}/v1"\nrank = {rank}\n'
                "parameters = { temperature = 0.0, max_tokens = 40 }\n"
                for rank, (name, address) in enumerate((("cheap", cheap), ("capable", capable)))
            )
            + "[policy]\nthreshold = 0.8\n"
        )
        reports = []
        for _ in range(2):
            done = CliRunner().invoke(
                main,
                ["suite", "run", str(suite), "--config", str(tmp_path / "undertow.toml"), "--json"],
                prog_name="undertow",
            )
            assert done.exit_code == 3, (done.output, done.stderr)
            reports.append(json.loads(done.stdout))
    cells = {cell["target"]: cell for cell in reports[-1]["cells"] if cell["segment"] == ""}
    assert {target: (cell["n"], cell["unscored"]) for target, cell in cells.items()} == {
        "routed": (CASES, 0), "cheap": (CASES, 0), "capable": (CASES, 0),
    }  # fmt: skip
    assert cells["capable"]["quality"] > 0.3, "it answers these, if not all"
    assert (cells["cheap"]["compared"], reports[-1]["findings"]) == (CASES, [])
