"""Whatever a record holds, an importer yields rows or a counted rejection: it never raises, and what it yields can be written."""

import json
import math
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.adapters.importers import detect_format, import_logs
from undertow.adapters.importers.detect import recognise
from undertow.adapters.importers.fields import Fields
from undertow.adapters.importers.files import records
from undertow.adapters.importers.importer import Reading
from undertow.adapters.importers.mapping import MappingFile
from undertow.adapters.importers.outcomes import kind_of
from undertow.adapters.importers.outcomes import rows as outcome_rows
from undertow.adapters.importers.registry import BY_FORMAT
from undertow.adapters.importers.rows import Context, Decision, Rejected, Signal
from undertow.errors import UndertowError
from undertow.records.columns import DECISION_COLUMNS, SIGNAL_COLUMNS

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "importers"
FIXTURE_OF = {
    "litellm": ("litellm_internal_calls.jsonl", "litellm_shadow_attempts.jsonl", "litellm_shadow_jobs.jsonl"),
    "openrouter": ("openrouter_broadcast.jsonl",),
    "openinference": ("otlp_openinference_traces.jsonl",),
    "phoenix": ("otlp_openinference_traces.jsonl",),
    "langfuse": ("langfuse_observations.jsonl", "langfuse_traces.jsonl", "langfuse_scores.jsonl"),
    "helicone": ("helicone_requests.jsonl",),
    "portkey": ("portkey_logs.jsonl",),
    "vllm_sr": ("vllm_sr_replay.jsonl",),
    "tensorzero": ("tensorzero_inferences.jsonl", "tensorzero_model_inferences.jsonl", "tensorzero_feedback.jsonl"),
    "openai": ("openai_stored.json",),
    "otel": ("otlp_genai_traces.jsonl", "otlp_genai_logs.jsonl"),
    "csv": ("plain.csv",),
}
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["", "NaN", "-1e999", "{", '{"a":', "[[[", "2026-08-01T00:00:00", "1e400", "None", "\x00", "x" * 5000, "9" * 400, 1e308, -1, 2**63, 10**400]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
DECISION_NAMES = {c.name for c in DECISION_COLUMNS}
SIGNAL_NAMES = {c.name for c in SIGNAL_COLUMNS}


def examples(format_name):
    return [r for name in FIXTURE_OF[format_name] for r in records(FIXTURES / name)]


def paths_into(value, at=()):
    """All places in a nested value."""
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_into(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:3]):
            yield from paths_into(inner, (*at, index))


def replaced(value, at, new):
    """A copy of a nested value with one place changed."""
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(copy[at[0]], at[1:], new)
    return copy


def check(rows):
    for row in rows:
        match row:
            case Rejected():
                assert row.reason
            case Context():
                assert isinstance(row.key, str)
                msgspec.json.encode(row.row)
            case Decision():
                assert row.row.keys() <= DECISION_NAMES
                assert isinstance(row.row["decision_id"], str)
                datetime.fromisoformat(row.row["event_time"])
                check_values(row.row)
            case Signal():
                assert row.row.keys() <= SIGNAL_NAMES
                datetime.fromisoformat(row.row["event_time"])
                if row.row["kind"] != "outcome":
                    assert 0 <= row.row["value"] <= 1
                check_values(row.row)
            case _:
                pytest.fail(f"not a row: {row!r}")


def check_values(row):
    for value in row.values():
        assert value is not None
        assert not (isinstance(value, float) and not math.isfinite(value))
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("name", BY_FORMAT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_anywhere_in_a_real_record(name, data):
    record = data.draw(st.sampled_from(examples(name)))
    if isinstance(record, dict):
        at = data.draw(st.sampled_from(list(paths_into(record))))
        record = replaced(record, at, data.draw(VALUES))
    if isinstance(record, dict):
        recognise(record)
        check(BY_FORMAT[name].rows(record, Reading(Fields("UTC"))))


@pytest.mark.parametrize("name", BY_FORMAT)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_object_with_a_formats_keys(name, data):
    keys = sorted({k for r in examples(name) if isinstance(r, dict) for k in r})
    record = data.draw(st.dictionaries(st.one_of(st.sampled_from(keys), st.text(max_size=6)), VALUES, max_size=8))
    recognise(record)
    check(BY_FORMAT[name].rows(record, Reading(Fields())))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "user_id",
                "id",
                "created_at",
                "requester_id",
                "status",
                "score",
                "ticket_id",
                "source_author_id",
                "state",
                "churn_date",
                "date",
                "value",
                "name",
                "source",
                "_fivetran_active",
                "conversation_rating_value",
            ]
        ),
        VALUES,
        max_size=8,
    )
)
def test_any_outcome_record(record):
    try:
        kind = kind_of(record, MappingFile(), Path("x.csv"))
    except UndertowError:
        return
    for row in outcome_rows(record, kind, "x", Reading(Fields("UTC"))):
        if isinstance(row, Signal):
            check_values(row.row)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.lists(VALUES, max_size=5).map(lambda v: json.dumps(v).encode()),
        st.lists(VALUES, max_size=5).map(lambda v: "\n".join(map(json.dumps, v)).encode()),
    )
)
def test_any_file_is_a_format_or_a_one_line_error(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    try:
        found = detect_format(path)
        if found.format != "undertow":
            import_logs([str(path)], found.format, tmp_path / "out")
    except UndertowError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
