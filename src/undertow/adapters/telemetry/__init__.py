"""What Undertow tells of itself: structured logs, and spans exported to an OpenTelemetry receiver."""
