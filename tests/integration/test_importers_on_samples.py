"""Every importer on the samples beside the project: what the tools themselves wrote. Read in place, never copied."""

import json

import pytest

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from undertow.adapters.importers import ImportOptions, detect_format, import_logs, read_outcomes
from undertow.errors import LogError
from undertow.ports.audit_source import CellOptions

pytestmark = pytest.mark.shared

SAMPLES = [
    # file, format, decisions, signals, tiers
    ("litellm/spend_logs_rows.litellm-1.109.1.json", "litellm", 3, 0, {"cheap", "capable"}),
    ("litellm/standard_logging_payload.litellm-1.109.1.json", "litellm", 3, 0, {"cheap", "capable"}),
    ("langfuse/autogen-2025-06-06.trace.json", "langfuse", 1, 0, {"capable"}),
    ("langfuse/llamaindex-2025-06-05.trace.json", "langfuse", 1, 0, {"capable"}),
    ("helicone/csv_reproduced_from_export_tool.csv", "helicone", 1, 0, {"cheap"}),
    ("helicone/request_query_row.CONSTRUCTED.jsonl", "helicone", 1, 0, {"cheap"}),
    ("otel/otlp_genai_openai-1.3b0.traces.jsonl", "otel", 4, 0, {"cheap", "capable"}),
    ("otel/otlp_genai_openai-1.3b0.logs.jsonl", "otel", 4, 0, {"cheap", "capable"}),
    ("otel/tensorzero_testdata_openai_chat.jsonl", "otel", 2, 0, {"capable"}),
    ("otel/tensorzero_testdata_traces.jsonl", "otel", 6, 0, {"cheap", "capable"}),
    ("openinference/otlp_openinference_openai-0.1.66.traces.jsonl", "openinference", 4, 0, {"cheap"}),
    ("openinference/phoenix_pxi_turn_trace.json", "phoenix", 9, 0, {"capable"}),
    ("openinference/phoenix_spans_dataframe_shape.CONSTRUCTED.parquet", "phoenix", 9, 0, {"capable"}),
    ("openrouter/broadcast_webhook_otlp.json", "openrouter", 1, 0, {"capable"}),
    ("portkey/logs_export_row.CONSTRUCTED.jsonl", "portkey", 1, 0, {"capable"}),
    ("portkey/sample_log_file.json", "portkey", 1, 0, {"capable"}),
    ("vsr/router_replay_record.CONSTRUCTED.jsonl", "vllm_sr", 1, 1, {"capable"}),
    ("tensorzero/chat_inference_examples.head4.jsonl", "tensorzero", 4, 0, {"honest_answer"}),
    ("tensorzero/boolean_metric_feedback_examples.head5.jsonl", "tensorzero", 0, 5, set()),
    ("tensorzero/float_metric_feedback_examples.head5.jsonl", "tensorzero", 0, 1, set()),
    ("openai/stored_completions_list_from_openapi.json", "openai", 1, 0, {"capable"}),
    ("openai/batch_output.CONSTRUCTED.jsonl", "openai", 1, 0, {"capable"}),
    ("openai/chat_completions_examples_from_openapi.json", "openai", 4, 0, {"cheap", "capable"}),
]

REFUSED = [
    ("otel/otlp_genai_openai-1.3b0.metrics.jsonl", "export traces"),
    ("openinference/openinference_client_span_tool_calls.json", "time at which it arrived"),
    ("openinference/otel_genai_client_span_tool_calls.json", "time at which it arrived"),
    ("openrouter/activity_item_example.json", "daily totals"),
    ("vsr/routing_decision_log.CONSTRUCTED.jsonl", "router_replay"),
    ("tensorzero/comment_feedback_examples.head5.jsonl", "comments are text"),
    ("tensorzero/demonstration_feedback_examples.head5.jsonl", "carry no score"),
    ("openai/batch_input.CONSTRUCTED.jsonl", "output file"),
    ("openai/finetune_dpo.CONSTRUCTED.jsonl", "which model"),
    ("openai/finetune_sft.CONSTRUCTED.jsonl", "not traffic"),
    ("openai/stream_tool_calls_tensorzero_fixture.jsonl", "pieces of one streamed answer"),
]


@pytest.mark.parametrize(("name", "format_name", "decisions", "signals", "tiers"), SAMPLES, ids=[s[0] for s in SAMPLES])
def test_sample(shared_dir, tmp_path, name, format_name, decisions, signals, tiers):
    path = str(shared_dir / "samples" / name)
    assert detect_format(path).format == format_name
    result = import_logs([path], format_name, tmp_path, ImportOptions(timezone="UTC"))
    rows = [json.loads(line) for line in result.decisions.read_text().splitlines()]
    assert (len(rows), result.signal_rows) == (decisions, signals)
    assert {row["tier"] for row in rows if "tier" in row} == tiers
    if decisions:
        cells = DuckDbAuditSource(LogInputs((str(result.decisions),))).cells(CellOptions(tier_order=result.tier_order))
        assert (cells.coverage.decisions, cells.coverage.rejected) == (decisions, 0)


@pytest.mark.parametrize(("name", "words"), REFUSED, ids=[s[0] for s in REFUSED])
def test_sample_that_is_no_log_is_refused_with_the_way_out(shared_dir, tmp_path, name, words):
    path = str(shared_dir / "samples" / name)
    with pytest.raises(LogError, match=words) as error:
        import_logs([path], detect_format(path).format, tmp_path)
    assert "\n" not in str(error.value)


def test_traces_and_logs_of_one_run_are_one_set_of_calls(shared_dir, tmp_path):
    folder = shared_dir / "samples" / "otel"
    paths = [str(folder / f"otlp_genai_openai-1.3b0.{kind}.jsonl") for kind in ("traces", "logs")]
    result = import_logs(paths, "otel", tmp_path)
    assert result.rows == 4
    assert result.reasons["duplicate_record"] == 4


@pytest.mark.parametrize(
    ("name", "names", "reasons"),
    [
        ("zendesk_ticket_data.csv", {"outcome.ticket": 8}, {"deleted_ticket": 2}),
        ("intercom_conversation_history_data.csv", {"outcome.ticket": 2}, {"superseded_version": 7}),
    ],
)
def test_outcome_exports(shared_dir, tmp_path, name, names, reasons):
    result = read_outcomes([str(shared_dir / "samples" / "outcomes" / name)], tmp_path)
    assert (result.names, result.reasons) == (names, reasons)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("telco_churn_head.csv", "not when"),
        ("zendesk_user_data.csv", "no table of outcomes"),
        ("zendesk_satisfaction_rating_data.csv", "score_not_a_number"),
    ],
)
def test_outcome_exports_that_cannot_be_used(shared_dir, tmp_path, name, words):
    with pytest.raises(LogError, match=words):
        read_outcomes([str(shared_dir / "samples" / "outcomes" / name)], tmp_path)
