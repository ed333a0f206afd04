import builtins
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from undertow.adapters.telemetry.otlp import OtlpSpans
from undertow.adapters.telemetry.spans import spans_of
from undertow.errors import ConfigError
from undertow.records.decision import Call, DecisionRecord

RECORD = DecisionRecord(
    decision_id="d1",
    event_time="2026-01-01T00:00:00.000Z",
    requested_model="auto",
    tier="cheap",
    status="error",
    finish_reason="stop",
    latency_ms=20.0,
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    calls=(Call(tier="cheap", model="small", latency_ms=10.0),),
)


class Receiver(ThreadingHTTPServer):
    """An OTLP/HTTP receiver that decodes what it gets."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests, self.paths, self.status = [], [], 200

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_receiver_gets_the_spans(receiver):
    exporter = OtlpSpans(f"{receiver.url}/", "support-bot")
    assert exporter.export(spans_of(RECORD, {"cheap": "openai"}))
    exporter.close()
    assert receiver.paths == ["/v1/traces"]
    (resource,) = receiver.requests[0].resource_spans
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "support-bot"
    own, call = resource.scope_spans[0].spans
    assert own.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert own.span_id.hex() == "b7ad6b7169203331"
    assert call.parent_span_id == own.span_id
    assert (own.name, own.kind, call.kind) == ("chat auto", 2, 3)  # SERVER, CLIENT
    assert own.status.code == 2
    assert own.end_time_unix_nano - own.start_time_unix_nano == 20_000_000
    attributes = {a.key: a.value for a in own.attributes}
    assert attributes["undertow.decision.id"].string_value == "d1"
    assert [v.string_value for v in attributes["gen_ai.response.finish_reasons"].array_value.values] == ["stop"]


def test_the_environment_names_the_receiver_where_the_settings_do_not(receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    exporter = OtlpSpans(None, "s")
    assert exporter.export(spans_of(RECORD, {}))
    exporter.close()
    assert receiver.paths == ["/v1/traces"]


def test_a_receiver_that_refuses_is_told_from_one_that_takes(receiver):
    receiver.status = 400
    exporter = OtlpSpans(receiver.url, "s")
    assert not exporter.export(spans_of(RECORD, {}))
    exporter.close()


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("opentelemetry"):
            raise ImportError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"undertow\[otel\]"):
        OtlpSpans(None, "s")
