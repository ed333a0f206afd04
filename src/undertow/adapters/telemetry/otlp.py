"""Sends spans to an OpenTelemetry receiver over OTLP/HTTP, with the exporter of the OpenTelemetry project (extra `otel`).

It also reads that project's environment variables: headers, certificates, timeout, compression.
"""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from undertow.adapters.telemetry.spans import Span
from undertow.errors import ConfigError

TIMEOUT_S = 5.0
_TIMEOUT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
PATH = "/v1/traces"


class OtlpSpans:
    """A connection to a receiver.

    Args:
        endpoint: Base URL of the receiver, without `/v1/traces`; None: what the environment says, else http://localhost:4318.
        service_name: `service.name` of the spans.

    Raises:
        ConfigError: The libraries are not installed.
    """

    def __init__(self, endpoint: str | None, service_name: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (extra)
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                f"traces need the extra 'otel' ({error.name} is not installed): pip install 'undertow[otel]', "
                "or set traces = false under [telemetry]"
            ) from error
        url = None if endpoint is None else endpoint.rstrip("/").removesuffix(PATH) + PATH
        # Given explicitly, the timeout would hide the variables that others set for it.
        timeout = None if any(name in os.environ for name in _TIMEOUT_VARIABLES) else TIMEOUT_S
        self._exporter = OTLPSpanExporter(endpoint=url, timeout=timeout)
        own_version = version("undertow")
        attributes = {"service.name": service_name, "service.version": own_version}
        self._resource = Resource.create(attributes)
        self._scope = InstrumentationScope("undertow", own_version)

    def export(self, spans: Sequence[Span]) -> bool:
        """Send spans; False: the receiver did not take them. Blocks for as long as its timeout."""
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

        done = self._exporter.export([self._readable(span) for span in spans])
        return done is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Close the connection; an export in another thread ends early."""
        self._exporter.shutdown()

    def _readable(self, span: Span) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import SpanKind  # noqa: PLC0415
        from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

        context = _context(span.trace_id, span.span_id)
        parent = None if span.parent_span_id is None else _context(span.trace_id, span.parent_span_id)
        attributes: Mapping[str, Any] = span.attributes
        return ReadableSpan(
            name=span.name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=SpanKind.SERVER if span.kind == "server" else SpanKind.CLIENT,
            status=Status(StatusCode.ERROR if span.is_error else StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )


def _context(trace_id: int, span_id: int) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
