import json

import duckdb
import pytest

from undertow.adapters.importers import detect_format
from undertow.errors import LogError

EXPECTED = {
    "helicone_export.csv": "helicone", "helicone_requests.jsonl": "helicone", "langfuse_observations.jsonl": "langfuse", "langfuse_observations.parquet": "langfuse",
    "langfuse_scores.jsonl": "langfuse", "langfuse_traces.jsonl": "langfuse", "litellm_internal_calls.jsonl": "litellm", "litellm_shadow_attempts.jsonl": "litellm",
    "litellm_shadow_jobs.jsonl": "litellm", "litellm_spend_logs.jsonl": "litellm", "litellm_standard_payload.jsonl": "litellm", "openai_stored.json": "openai",
    "openrouter_broadcast.jsonl": "openrouter", "otlp_genai_logs.jsonl": "otel", "otlp_genai_traces.jsonl": "otel", "otlp_openinference_traces.jsonl": "openinference",
    "portkey_logs.jsonl": "portkey", "tensorzero_feedback.jsonl": "tensorzero", "tensorzero_inferences.jsonl": "tensorzero", "tensorzero_model_inferences.jsonl": "tensorzero",
    "vllm_sr_replay.jsonl": "vllm_sr",
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_fixtures(fixtures, tmp_path, name, expected):
    renamed = tmp_path / "data"
    renamed.write_bytes((fixtures / name).read_bytes())
    found = detect_format(renamed)
    assert found.format == expected
    assert found.why


CANONICAL = {"decision_id": "a", "event_time": "2026-08-01T12:00:00Z", "tier": "cheap", "model": "m"}


def test_canonical_lines_and_parquet_and_folders(tmp_path):
    (tmp_path / "decisions").mkdir()
    lines = tmp_path / "decisions" / "part.jsonl"
    lines.write_text(json.dumps(CANONICAL) + "\n")
    parquet = tmp_path / "decisions" / "part.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_json('{lines}')) TO '{parquet}' (FORMAT parquet)")
    for path in (lines, parquet, tmp_path, tmp_path / "decisions" / "*.parquet"):
        assert detect_format(path).format == "undertow"


def test_a_record_that_no_tier_served_is_recognised_by_its_other_columns(tmp_path):
    path = tmp_path / "x.jsonl"
    refused = {"decision_id": "a", "event_time": "2026-08-01T12:00:00Z", "status": "refused", "endpoint": "messages"}
    path.write_text(json.dumps(refused) + "\n")
    assert detect_format(path).format == "undertow"
    path.write_text(json.dumps(refused | {"colour": "red"}) + "\n")
    with pytest.raises(LogError, match="no format that is known"):
        detect_format(path)


def test_canonical_columns_in_a_container_that_the_engine_does_not_read_are_imported(tmp_path, load):
    path = tmp_path / "x.csv"
    path.write_text(",".join(CANONICAL) + "\n" + ",".join(CANONICAL.values()) + "\n")
    assert load(path).decisions["a"]["tier"] == "cheap"
    path = tmp_path / "y.json"
    path.write_text(json.dumps([CANONICAL | {"segment": {"intent": "billing"}}]))
    assert load(path).decisions["a"]["segment"] == {"intent": "billing"}


def test_a_plain_table_says_what_was_taken(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("ts,model,id\n2026-08-01T12:00:00Z,gpt-4o,1\n")
    found = detect_format(path)
    assert found.format == "csv"
    assert "ts -> event_time" in found.why


def test_unknown_records_name_what_was_seen_and_what_to_do(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"colour": "red", "size": 4}\n')
    with pytest.raises(LogError, match=r"'colour', 'size'.*--format.*--map"):
        detect_format(path)


def test_folder_of_other_things(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    with pytest.raises(LogError):
        detect_format(tmp_path)


def test_detection_looks_past_damaged_records(tmp_path, fixtures):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"cut": \n' + (fixtures / "portkey_logs.jsonl").read_bytes())
    assert detect_format(path).format == "portkey"
