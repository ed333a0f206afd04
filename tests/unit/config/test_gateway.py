import pytest
from pydantic import ValidationError

from undertow.config.gateway import GatewaySettings, TelemetrySettings, UpstreamSettings


def test_nothing_is_public_or_exported_by_default():
    assert GatewaySettings().allow_public_without_keys is False
    assert TelemetrySettings().traces is False
    assert TelemetrySettings().otlp_endpoint is None


def test_deadlines_grow_outwards():
    upstream = UpstreamSettings()
    assert upstream.connect_timeout_s < upstream.first_byte_timeout_s < upstream.total_timeout_s


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (GatewaySettings, {"workers": 0}),
        (GatewaySettings, {"max_body_mb": 0.0}),
        (GatewaySettings, {"max_nesting": 5000}),  # a parser must not run out of stack
        (GatewaySettings, {"header_timeout_s": 0.0}),
        (GatewaySettings, {"max_in_flight": 0}),
        (UpstreamSettings, {"retry_budget": 1.5}),
        (UpstreamSettings, {"max_retries": -1}),
        (UpstreamSettings, {"total_timeout_s": float("inf")}),
        (TelemetrySettings, {"log_format": "xml"}),
        (TelemetrySettings, {"otlp_endpoint": "http://user:password@host"}),
    ],
)
def test_values_out_of_bounds_are_refused(section, values):
    with pytest.raises(ValidationError):
        section(**values)
