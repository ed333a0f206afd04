"""LiteLLM's payloads become the records that its importer would make of them."""

import asyncio
import json
import sys
import types
from pathlib import Path

import pytest

from client_plan import Recorder as Memory
from undertow.adapters.importers import ImportOptions, import_logs
from undertow.client import litellm_callback
from undertow.client.litellm_callback import Recorder, make_handler
from undertow.errors import ConfigError
from undertow.records.pseudonym import pseudonym

FIXTURES = Path(__file__).parents[2] / "fixtures" / "importers"
PATTERNS = '[tiers.cheap]\nmodels = ["*mini*"]\n[tiers.capable]\nmodels = ["*gpt-4o"]\n'


def payloads(name="litellm_standard_payload"):
    return [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def recorder(memory):
    recorder = Recorder(store=memory.sink)
    yield recorder
    recorder.close()


def test_every_payload_is_one_record_with_its_tier(recorder, memory):
    for payload in payloads():
        recorder.take(payload)
    assert recorder.written == len(memory.records) == 13
    assert recorder.failed == 0
    assert {record.tier for record in memory.records} == {"cheap", "capable", None}
    routed = [record for record in memory.records if record.policy == "smart"]
    assert {record.segment["router_tier"] for record in routed} >= {"SIMPLE", "COMPLEX"}
    assert all(record.calls[0].tier == record.tier for record in memory.records if record.tier)


def test_patterns_of_the_settings_name_the_tiers(tmp_path, memory):
    config = tmp_path / "undertow.toml"
    config.write_text(PATTERNS)
    recorder = Recorder(config, store=memory.sink)
    for payload in payloads():
        recorder.take(payload)
    for record in memory.records:
        assert record.tier in {None, "cheap" if "mini" in record.model else "capable"}
    recorder.close()


def test_ids_are_pseudonyms_where_the_settings_name_a_key(tmp_path, memory, monkeypatch):
    config = tmp_path / "undertow.toml"
    config.write_text(PATTERNS + '[store]\nid_key_env = "ID_KEY"\n')
    with pytest.raises(ConfigError, match="ID_KEY"):
        Recorder(config, store=memory.sink)
    monkeypatch.setenv("ID_KEY", "secret")
    recorder = Recorder(config, store=memory.sink)
    for payload in payloads():
        recorder.take(payload)
    recorder.close()
    users = {record.user_id for record in memory.records}
    conversations = {record.conversation_id for record in memory.records}
    assert pseudonym("user-0", b"secret") in users
    assert pseudonym("session-0", b"secret") in conversations
    assert all(len(name) == 64 for name in (users | conversations) - {None})


def test_what_is_watched_live_is_what_would_be_imported(tmp_path, memory):
    config = tmp_path / "undertow.toml"
    config.write_text(PATTERNS)
    recorder = Recorder(config, store=memory.sink)
    for payload in payloads():
        recorder.take(payload)
    recorder.close()
    patterns = {"cheap": ("*mini*",), "capable": ("*gpt-4o",)}
    files = [str(FIXTURES / "litellm_standard_payload.jsonl")]
    result = import_logs(files, "litellm", tmp_path / "out", ImportOptions(tier_models=patterns))
    imported = {row["decision_id"]: row for row in map(json.loads, result.decisions.read_text().splitlines())}
    assert {record.decision_id for record in memory.records} == imported.keys()
    for record in memory.records:
        row = imported[record.decision_id]
        for name in (
            "event_time",
            "tier",
            "model",
            "requested_model",
            "cost_usd",
            "status",
            "segment",
            "user_id",
            "mode",
        ):
            assert getattr(record, name) == row.get(name), name


def test_litellms_own_calls_are_no_traffic_and_keep_their_spend(recorder, memory):
    for payload in payloads("litellm_internal_calls"):
        recorder.take(payload)
    assert recorder.left_out["excluded_internal_call"] == 3
    kept = [record for record in memory.records if record.origin == "replay"]
    assert kept
    assert all(record.cost_usd > 0 and record.tier is None for record in kept)


def test_a_failure_is_recorded_by_its_code_and_never_its_message(recorder, memory):
    failed = {
        **payloads()[0],
        "status": "failure",
        "error_str": "secret prompt",
        "error_information": {"error_code": "429", "error_class": "RateLimitError", "error_message": "secret prompt"},
    }
    recorder.take(failed)
    recorder.take({**failed, "id": "other", "error_information": {"error_class": "Timeout", "error_code": ""}})
    assert [(r.status, r.error, r.tier) for r in memory.records] == [
        ("error", "http_429", None),
        ("error", "Timeout", None),
    ]
    assert "secret" not in repr(memory.records)


def test_a_call_that_is_told_twice_is_one_record(recorder, memory):
    for _ in range(2):
        recorder.take(payloads()[0])
    assert len(memory.records) == 1


@pytest.mark.parametrize("payload", [None, "text", 7, [], {"call_type": object()}])
def test_garbage_is_counted_and_raises_nothing(recorder, memory, payload, caplog):
    recorder.take(payload)
    assert recorder.failed + sum(recorder.left_out.values()) == 1
    assert memory.records == []


def test_a_sink_that_fails_raises_nothing(recorder, memory, caplog):
    def finish(record):
        raise RuntimeError("secret prompt")

    memory.finish = finish
    recorder.take(payloads()[0])
    assert recorder.failed == 1
    assert "secret" not in caplog.text


def test_records_are_flushed_a_while_after_they_came(memory):
    import threading

    flushed = threading.Event()
    memory.flush = flushed.set
    recorder = Recorder(store=memory.sink, flush_s=0.01)
    recorder.take(payloads()[0])
    assert flushed.wait(5)
    recorder.close()
    assert memory.closed == 1


@pytest.fixture
def litellm(monkeypatch):
    """LiteLLM as far as a callback needs it."""
    module = types.ModuleType("litellm.integrations.custom_logger")
    module.CustomLogger = type("CustomLogger", (), {})
    monkeypatch.setitem(sys.modules, "litellm", types.ModuleType("litellm"))
    monkeypatch.setitem(sys.modules, "litellm.integrations", types.ModuleType("litellm.integrations"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_the_handler_takes_all_four_events(litellm, memory):
    handler = make_handler(store=memory.sink)
    assert isinstance(handler, litellm.CustomLogger)
    given = [{"standard_logging_object": payload} for payload in payloads()[:4]]
    handler.log_success_event(given[0], None, None, None)
    handler.log_failure_event(given[1], None, None, None)
    asyncio.run(handler.async_log_success_event(given[2], None, None, None))
    asyncio.run(handler.async_log_failure_event(given[3], None, None, None))
    handler.log_success_event({}, None, None, None)
    assert (handler.recorder.written, handler.recorder.failed) == (4, 1)
    handler.recorder.close()


def test_the_handler_of_a_proxy_is_made_from_the_environment_once(litellm, tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERTOW_LITELLM_STORE", str(tmp_path / "store"))
    monkeypatch.delattr(litellm_callback, "handler", raising=False)
    handler = litellm_callback.handler
    assert litellm_callback.handler is handler
    handler.log_success_event({"standard_logging_object": payloads()[0]}, None, None, None)
    handler.recorder.flush()
    assert list((tmp_path / "store" / "decisions" / "open").iterdir())
    handler.recorder.close()
    monkeypatch.delattr(litellm_callback, "handler")


def test_without_litellm_the_handler_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(ImportError, match="litellm"):
        make_handler()


def test_other_names_are_none_of_its():
    with pytest.raises(AttributeError, match="handlr"):
        _ = litellm_callback.handlr
