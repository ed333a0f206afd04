"""Prometheus metrics of the data plane, derived from the records alone, so that they can never disagree with the log.

Names follow Prometheus' rules (base units, `_total`); labels are closed lists (tiers, policies, reasons, statuses), never ids,
models of callers or paths. With several workers prometheus_client keeps the values in files that every worker can read, so
`/metrics` of any worker shows all of them.
"""

import os
from typing import TYPE_CHECKING

from undertow.records.decision import DecisionRecord

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

LATENCY_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TTFT_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONFIDENCE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 1.0)
NONE = "none"
"""Label of what is absent."""


class Metrics:
    """All metrics of one worker.

    `prometheus_client` decides at its first import whether values are shared over processes (PROMETHEUS_MULTIPROC_DIR), so
    it is imported here and not before.
    """

    def __init__(self, worker: str = "0") -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415

        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "undertow_requests",
            "Requests, by what became of them.",
            ("tier", "policy", "status", "reason"),
            registry=registry,
        )
        self._latency = Histogram(
            "undertow_request_duration_seconds", "From arrival to the last byte.", ("tier", "policy"),
            buckets=LATENCY_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._ttft = Histogram(
            "undertow_time_to_first_token_seconds", "From arrival to the first piece of the answer.", ("tier", "policy"),
            buckets=TTFT_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._escalations = Counter(
            "undertow_escalations",
            "Cheap answers that were withheld and replaced.",
            ("policy", "reason"),
            registry=registry,
        )
        self._confidence = Histogram(
            "undertow_decision_confidence", "Confidence of the answer that was judged.", ("policy",),
            buckets=CONFIDENCE_BUCKETS, registry=registry,
        )  # fmt: skip
        self._cost = Counter(
            "undertow_cost_usd", "Cost of upstream calls, by tier and whether the answer was served.", ("tier", "kind"),
            registry=registry,
        )  # fmt: skip
        self._baseline = Counter(
            "undertow_baseline_cost_usd", "What the capable tier alone would have cost.", registry=registry
        )
        self._tokens = Counter("undertow_tokens", "Tokens of upstream calls.", ("tier", "direction"), registry=registry)
        self._calls = Counter("undertow_upstream_calls", "Upstream calls.", ("tier", "status"), registry=registry)
        self._signals = Counter("undertow_signals", "Signals that were posted.", ("kind", "outcome"), registry=registry)
        self._keys = Counter(
            "undertow_key_refusals",
            "Requests refused for their key, budget or rate.",
            ("key", "why"),
            registry=registry,
        )
        self.in_flight = Gauge(
            "undertow_requests_in_flight", "Requests being answered.", multiprocess_mode="livesum", registry=registry
        )
        self.log_lost = Gauge(
            "undertow_log_lost_records", "Records that could not be kept. Above zero: an alarm.",
            multiprocess_mode="sum", registry=registry,
        )  # fmt: skip
        self.log_waiting = Gauge(
            "undertow_log_waiting_records", "Records in memory that the disk would not take yet.",
            multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self.log_unsettled = Gauge(
            "undertow_log_unsettled_intents", "Requests with an intent and no record yet.",
            multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self.log_writable = Gauge(
            "undertow_log_writable", "1: the decision log takes records; 0: it does not, and the gateway answers all the same.",
            multiprocess_mode="livemin", registry=registry,
        )  # fmt: skip
        self.log_lag = Gauge(
            "undertow_log_sync_lag_seconds", "Age of the oldest record that is not synced to the disk.",
            multiprocess_mode="livemax", registry=registry,
        )  # fmt: skip
        self.turns_dropped = Counter(
            "undertow_turns_dropped",
            "Turns that the keeper did not take; their implicit signals are missing.",
            registry=registry,
        )
        self.keeper_age = Gauge(
            "undertow_keeper_age_seconds", "Since the keeper last said that it lives. Above 30: monitoring has stopped.",
            multiprocess_mode="livemin", registry=registry,
        )  # fmt: skip
        build = Gauge(
            "undertow_build_info", "1, with the version.", ("version",), multiprocess_mode="livemax", registry=registry
        )
        from undertow import __version__  # noqa: PLC0415

        build.labels(__version__).set(1)
        self._children: dict[tuple[str | None, str | None, str | None, str | None], _Children] = {}
        self._counters: dict[tuple[str, ...], Counter] = {}
        self.worker = worker

    def observe(self, record: DecisionRecord) -> None:
        """Count one decision."""
        key = (record.tier, record.policy, record.status, record.reason)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = self._make(record)
        children.requests.inc()
        if record.latency_ms is not None:
            children.latency.observe(record.latency_ms / 1000)
        if record.ttft_ms is not None:
            children.ttft.observe(record.ttft_ms / 1000)
        if record.escalated:
            children.escalations.inc()
        if record.confidence is not None:
            children.confidence.observe(record.confidence)
        for call in record.calls or ():
            self._child(self._calls, call.tier, call.status).inc()
            if call.cost_usd:
                kind = "served" if call.tier == record.tier and call.status == "ok" else "wasted"
                self._child(self._cost, call.tier, kind).inc(call.cost_usd)
            if call.input_tokens:
                self._child(self._tokens, call.tier, "input").inc(call.input_tokens)
            if call.output_tokens:
                self._child(self._tokens, call.tier, "output").inc(call.output_tokens)
        if record.baseline_cost_usd:
            self._baseline.inc(record.baseline_cost_usd)

    def count_signals(self, kind: str, outcome: str, count: int) -> None:
        """Count posted signals: outcome `accepted`, `duplicate` or `rejected`."""
        if count:
            self._child(self._signals, kind, outcome).inc(count)

    def count_refusal(self, key: str, why: str) -> None:
        """Count a request refused for its key: why `unknown_key`, `rate`, `budget` or `tier`."""
        self._child(self._keys, key, why).inc()

    def exposition(self) -> bytes:
        """All values of all workers, as Prometheus scrapes them."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess  # noqa: PLC0415

        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)

    def _child(self, metric: "Counter", *labels: str) -> "Counter":
        key = (metric._name, *labels)  # noqa: SLF001 (the only name that the library keeps)
        child = self._counters.get(key)
        if child is None:
            child = self._counters[key] = metric.labels(*labels)
        return child

    def _make(self, record: DecisionRecord) -> "_Children":
        tier, policy = record.tier or NONE, record.policy or NONE
        reason = record.reason or NONE
        return _Children(
            requests=self._requests.labels(tier, policy, record.status or NONE, reason),
            latency=self._latency.labels(tier, policy),
            ttft=self._ttft.labels(tier, policy),
            escalations=self._escalations.labels(policy, reason),
            confidence=self._confidence.labels(policy),
        )


class _Children:
    """Metrics of one combination of labels, looked up once."""

    __slots__ = ("confidence", "escalations", "latency", "requests", "ttft")

    def __init__(
        self,
        requests: "Counter",
        latency: "Histogram",
        ttft: "Histogram",
        escalations: "Counter",
        confidence: "Histogram",
    ) -> None:
        self.requests = requests
        self.latency = latency
        self.ttft = ttft
        self.escalations = escalations
        self.confidence = confidence
