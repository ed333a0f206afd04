"""`[gateway]`, `[upstream]` and `[telemetry]`: the limits of `undertow serve`, towards callers and upstreams, and what it tells."""

from typing import Annotated, Literal

from pydantic import Field

from undertow.config.section import Section, Share, Url

Seconds = Annotated[float, Field(gt=0, le=86_400)]
"""A length of time that is waited at most."""

Megabytes = Annotated[float, Field(gt=0, le=10_000)]
"""Millions of bytes."""


class GatewaySettings(Section):
    """Limits on callers, and how the gateway runs. Read by `undertow serve`."""

    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Processes that serve. One is enough for most: it waits for models, not for its processor. Give as many as "
        "processors where one is fully used.",
    )
    max_body_mb: Megabytes = Field(
        default=20.0,
        description="Largest request body in millions of bytes, else 413. 20 holds a few images in base64.",
    )
    max_header_bytes: int = Field(
        default=32_768,
        ge=1_024,
        le=1_048_576,
        description="Most bytes of request line and headers together, else 431. nginx allows as much.",
    )
    max_headers: int = Field(
        default=100, ge=10, le=10_000, description="Most headers of a request, else 431. Clients send about fifteen."
    )
    max_nesting: int = Field(
        default=100,
        ge=8,
        le=500,
        description="Deepest nesting of a JSON body, else 400. Tool schemas stay under twenty; deep nesting is an attack.",
    )
    header_timeout_s: Seconds = Field(
        default=10.0, description="Seconds in which all headers must have come; a slower caller is cut off."
    )
    body_timeout_s: Seconds = Field(
        default=60.0, description="Seconds in which the whole body must have come; 20 MB in them is a slow mobile line."
    )
    idle_timeout_s: Seconds = Field(
        default=75.0,
        description="Seconds that an idle connection is kept. More than the 60 s of common load balancers, so that they "
        "close first and never send into a closing one.",
    )
    max_connections: int = Field(
        default=2_000,
        ge=1,
        le=1_000_000,
        description="Most connections of a worker; the process may need a higher limit of open files.",
    )
    max_in_flight: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="Most requests a worker serves at once; more are answered 503 with retry-after. It bounds memory.",
    )
    drain_timeout_s: Seconds = Field(
        default=30.0,
        description="Seconds that requests in flight may still take at shutdown; what orchestrators grant by default.",
    )
    allow_public_without_keys: bool = Field(
        default=False,
        description="Listen on an address other than loopback although there is no [keys.NAME]. Anybody who reaches it "
        "then spends your money; only behind a proxy that checks callers.",
    )


class UpstreamSettings(Section):
    """Deadlines, retries and breakers towards all upstreams. Read by `undertow serve`."""

    connect_timeout_s: Seconds = Field(
        default=5.0, description="Seconds for connecting, TLS included; a healthy upstream needs a tenth."
    )
    first_byte_timeout_s: Seconds = Field(
        default=120.0,
        description="Seconds until the first byte of an answer; reasoning models think for minutes before it.",
    )
    total_timeout_s: Seconds = Field(
        default=600.0, description="Seconds for a whole answer, retries included; the official clients' own default."
    )
    max_retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="Retries of one call, only while the caller has seen nothing and after 408, 409, 429, 5xx or no connection.",
    )
    retry_budget: Share = Field(
        default=0.1,
        description="Retries are at most this share of calls, so that a sick upstream is not hit harder for it.",
    )
    breaker_failures: int = Field(
        default=5, ge=1, le=10_000, description="Failures in a row after which an upstream is left alone for a while."
    )
    breaker_open_s: Seconds = Field(
        default=10.0, description="Seconds that it is left alone; then one request tries it."
    )
    connections: int = Field(
        default=512, ge=1, le=100_000, description="Most connections of a worker to one upstream; more requests wait."
    )
    max_answer_mb: Megabytes = Field(
        default=50.0, description="Largest answer in millions of bytes; a longer one is cut off and counts as an error."
    )


class TelemetrySettings(Section):
    """Metrics, traces and logs; none of them holds prompts, answers or keys. Read by `undertow serve`."""

    metrics: bool = Field(default=True, description="Prometheus metrics at /metrics. They cost next to nothing.")
    traces: bool = Field(
        default=False,
        description='Pass `traceparent` on and export a span for each decision. Needs the extra "otel", so it is off.',
    )
    otlp_endpoint: Url | None = Field(
        examples=["http://127.0.0.1:4318"],
        default=None,
        description="OTLP/HTTP receiver of spans. Unset: OTEL_EXPORTER_OTLP_ENDPOINT, else the exporter's own default.",
    )
    service_name: str = Field(
        default="undertow", min_length=1, max_length=256, description="`service.name` of spans; name each deployment."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least severe level that is logged; info has starts, reloads and faults, no requests.",
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="json: one object a line, as collectors want it; text: lines for people."
    )
