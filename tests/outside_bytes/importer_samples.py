"""The first records of the importers' fixtures, small enough to begin fuzzing with."""

from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "importers"
FORMAT_OF = {
    "litellm_spend_logs.jsonl": "litellm",
    "litellm_standard_payload.jsonl": "litellm",
    "openrouter_broadcast.jsonl": "openrouter",
    "otlp_openinference_traces.jsonl": "openinference",
    "langfuse_observations.jsonl": "langfuse",
    "helicone_requests.jsonl": "helicone",
    "helicone_export.csv": "helicone",
    "portkey_logs.jsonl": "portkey",
    "vllm_sr_replay.jsonl": "vllm_sr",
    "tensorzero_inferences.jsonl": "tensorzero",
    "tensorzero_feedback.jsonl": "tensorzero",
    "openai_stored.json": "openai",
    "otlp_genai_traces.jsonl": "otel",
    "otlp_genai_logs.jsonl": "otel",
    "plain.csv": "csv",
}
MOST = 12_000
"""Bytes of one sample."""


def head(path: Path) -> bytes:
    """Whole lines from the start of a file, as many as are small."""
    content = path.read_bytes()
    return content if len(content) <= MOST else content[: content.rfind(b"\n", 0, MOST) + 1] or content[:MOST]


SAMPLES = tuple((format_, head(FIXTURES / name)) for name, format_ in FORMAT_OF.items())
OUTCOMES = tuple(head(path) for path in sorted(FIXTURES.glob("outcomes_*")))
