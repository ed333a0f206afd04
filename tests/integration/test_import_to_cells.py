"""Foreign log -> canonical files -> engine: what the importers write is what the engine takes, with nothing set aside."""

from pathlib import Path

import pytest

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from undertow.adapters.importers import ImportOptions, detect_format, import_logs, read_mapping
from undertow.ports.audit_source import CellOptions

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "importers"

LOGS = [
    (("litellm_spend_logs.jsonl",), 0),
    (("litellm_internal_calls.jsonl", "litellm_shadow_attempts.jsonl", "litellm_shadow_jobs.jsonl"), 3),
    (("langfuse_observations.jsonl", "langfuse_traces.jsonl", "langfuse_scores.jsonl"), 3),
    (("helicone_requests.jsonl",), 2),
    (("otlp_genai_traces.jsonl", "otlp_genai_logs.jsonl"), 4),
    (("otlp_openinference_traces.jsonl",), 4),
    (("openrouter_broadcast.jsonl",), 0),
    (("portkey_logs.jsonl",), 1),
    (("vllm_sr_replay.jsonl",), 2),
    (("tensorzero_inferences.jsonl", "tensorzero_model_inferences.jsonl", "tensorzero_feedback.jsonl"), 2),
    (("openai_stored.json",), 0),
]


@pytest.mark.parametrize(("names", "joined"), LOGS, ids=[names[0] for names, _ in LOGS])
def test_the_engine_takes_everything(tmp_path, names, joined):
    paths = [str(FIXTURES / name) for name in names]
    result = import_logs(paths, detect_format(paths[0]).format, tmp_path)
    signals = (str(result.signals),) if result.signals else ()
    cells = DuckDbAuditSource(LogInputs((str(result.decisions),), signals)).cells(
        CellOptions(tier_order=result.tier_order)
    )
    assert cells.coverage.reasons == {}
    assert cells.coverage.decisions == result.rows
    assert cells.coverage.joined == joined
    assert cells.tiers == ("cheap", "capable")
    whole = cells.traffic.take(cells.traffic.segment == 0)
    live = sum(1 for line in result.decisions.read_text().splitlines() if '"origin":"live"' in line)
    assert whole.decisions.sum() == live


def test_a_mapped_table(tmp_path):
    result = import_logs(
        [str(FIXTURES / "plain.csv")], "csv", tmp_path, ImportOptions(mapping=read_mapping(FIXTURES / "plain.toml"))
    )
    assert result.signals is not None
    cells = DuckDbAuditSource(LogInputs((str(result.decisions),), (str(result.signals),))).cells(CellOptions())
    # One of the two ratings has no usable inclusion probability; the engine sets it aside and says so.
    assert cells.coverage.decisions == 2
    assert cells.coverage.signals == 1
    assert cells.coverage.rejected == 1
