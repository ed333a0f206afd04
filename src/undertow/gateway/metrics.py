"""`/metrics`: the tallies of all workers as Prometheus scrapes them.

Counts come from the records alone, so they cannot disagree with the log. Names follow Prometheus' rules (base units, `_total`);
labels are closed lists (tiers, policies, reasons, statuses, key names), never ids, models of callers or paths.
`prometheus_client` writes the format; it is loaded when somebody asks.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from undertow.gateway.runtime import Runtime, Supervision, read_supervision
from undertow.gateway.tallies import (
    ALL,
    CONFIDENCE_BUCKETS,
    LATENCY_BUCKETS_S,
    SEPARATOR,
    TTFT_BUCKETS_S,
    Distribution,
    Restricted,
    Snapshot,
    Tallies,
    merge,
    read_snapshots,
    write_snapshot,
)
from undertow.records.runtime_files import HEARTBEAT, Heartbeat
from undertow.records.unreadable import UNREADABLE

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

ALIVE_S = 5.0
"""A worker that has not written its snapshot for this long does not live."""

PER_USD = 1_000_000
"""The keeper counts costs in millionths (`*_usd_millionths`)."""
SHADOW_OUTCOMES = ("answered", "failed", "shed", "over_budget", "forbidden", "unsupported", "unredacted", "unwritten")

MOST_SEGMENTS = 200
"""Restricted segments of a policy that are shown one by one; whoever calls may make up labels, and each would be a series for ever."""
OTHER = "other"
"""Stands for the rest of them: the least exposure, and the most that a threshold was raised by."""

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one worker, and on request of all.

    Args:
        runtime: Where the workers of this gateway meet.
        pid: This process, part of its file's name.
    """

    def __init__(self, runtime: Runtime, pid: int) -> None:
        self.tallies = Tallies()
        self._runtime = runtime
        self._file = Path(runtime.metrics_dir) / f"worker-{runtime.worker_number}-{pid}.json"

    def write(self) -> None:
        """Write this worker's tallies down for the others."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_snapshot(self.tallies.snapshot(), self._file)

    def exposition(self, now_s: float | None = None) -> bytes:
        """All values of all workers."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 (loaded by whoever is asked)

        now_s = time.time() if now_s is None else now_s
        others = read_snapshots(self._file.parent, except_for=self._file)
        total = merge([self.tallies.snapshot(), *others], alive_since=now_s - ALIVE_S)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(total, read_supervision(self._runtime.runtime_dir), self._heartbeat(), now_s))  # type: ignore[arg-type]
        return generate_latest(registry)

    def _heartbeat(self) -> Heartbeat | None:
        try:
            return msgspec.json.decode(Path(self._runtime.runtime_dir, HEARTBEAT).read_bytes(), type=Heartbeat)
        except (OSError, *UNREADABLE):
            return None


class _Collected:
    """A collector over values that were gathered before."""

    def __init__(
        self, total: Snapshot, supervision: Supervision | None, heartbeat: Heartbeat | None, now_s: float
    ) -> None:
        self._total = total
        self._supervision = supervision
        self._heartbeat = heartbeat
        self._now_s = now_s

    def collect(self) -> "Iterator[Metric]":
        yield from self._requests()
        yield from self._calls()
        yield from self._beside()
        yield from self._thresholds()
        yield from self._restrictions()
        yield from self._log()
        yield from self._draws()
        yield from self._watching()

    def _requests(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415

        requests = CounterMetricFamily(
            "undertow_requests", "Requests, by what became of them.", labels=("tier", "policy", "status", "reason")
        )
        escalations = CounterMetricFamily(
            "undertow_escalations", "Cheap answers that were withheld and replaced.", labels=("policy", "reason")
        )
        latency = HistogramMetricFamily(
            "undertow_request_duration_seconds", "From arrival to the last byte.", labels=("tier", "policy")
        )
        ttft = HistogramMetricFamily(
            "undertow_time_to_first_token_seconds",
            "From arrival to the first piece of the answer.",
            labels=("tier", "policy"),
        )
        confidence = HistogramMetricFamily(
            "undertow_decision_confidence", "Confidence of the answer or request that was judged.", labels=("policy",)
        )
        escalated: dict[tuple[str, str], int] = {}
        latencies: dict[tuple[str, ...], Distribution] = {}
        firsts: dict[tuple[str, ...], Distribution] = {}
        confidences: dict[tuple[str, ...], Distribution] = {}
        for key, outcome in self._total.outcomes.items():
            tier, policy, status, reason = key.split(SEPARATOR)
            requests.add_metric((tier, policy, status, reason), outcome.requests)
            if outcome.escalations:
                place = (policy, reason)
                escalated[place] = escalated.get(place, 0) + outcome.escalations
            _gather(latencies, (tier, policy), outcome.latency_s)
            _gather(firsts, (tier, policy), outcome.ttft_s)
            _gather(confidences, (policy,), outcome.confidence)
        for labels, count in escalated.items():
            escalations.add_metric(labels, count)
        for family, found, bounds in (
            (latency, latencies, LATENCY_BUCKETS_S),
            (ttft, firsts, TTFT_BUCKETS_S),
            (confidence, confidences, CONFIDENCE_BUCKETS),
        ):
            for labels, distribution in found.items():
                family.add_metric(labels, _cumulative(distribution, bounds), distribution.total)
        yield from (requests, escalations, latency, ttft, confidence)

    def _calls(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

        calls = CounterMetricFamily("undertow_upstream_calls", "Upstream calls.", labels=("tier", "status"))
        cost = CounterMetricFamily(
            "undertow_cost_usd",
            "Cost of upstream calls, by tier and what became of the answer.",
            labels=("tier", "kind"),
        )
        tokens = CounterMetricFamily("undertow_tokens", "Tokens of upstream calls.", labels=("tier", "direction"))
        sums: dict[str, list[float]] = {}
        for key, found in self._total.calls.items():
            tier, status = key.split(SEPARATOR)
            calls.add_metric((tier, status), found.calls)
            usd = (found.served_usd, found.wasted_usd, found.checking_usd)
            more = (*usd, float(found.input_tokens), float(found.output_tokens))
            sums[tier] = [a + b for a, b in zip(sums.get(tier, [0.0] * len(more)), more, strict=True)]
        for tier, (served, wasted, checking, read, written) in sums.items():
            cost.add_metric((tier, "served"), served)
            cost.add_metric((tier, "wasted"), wasted)
            cost.add_metric((tier, "checking"), checking)
            tokens.add_metric((tier, "input"), read)
            tokens.add_metric((tier, "output"), written)
        baseline = CounterMetricFamily(
            "undertow_baseline_cost_usd", "What the capable tier alone would have cost.", value=self._total.baseline_usd
        )
        yield from (calls, cost, tokens, baseline)

    def _beside(self) -> "Iterator[Metric]":
        """What cascades did beside plain asking."""
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

        families = {
            "commits": "Answers whose beginning was served before their end had come.",
            "races": "Calls of a dearer tier that were started beside a cheaper one.",
            "races_cancelled": "Such calls that were not needed.",
            "self_checks": "Calls that asked a tier about its own answer.",
        }
        for name, meaning in families.items():
            family = CounterMetricFamily(f"undertow_{name}", meaning, labels=("policy",))
            for policy, found in self._total.beside.items():
                family.add_metric((policy,), getattr(found, name))
            yield family

    def _thresholds(self) -> "Iterator[Metric]":
        """Calibrated thresholds in force."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

        labels = ("policy", "tier", "group")
        threshold = GaugeMetricFamily(
            "undertow_threshold",
            "Confidence from which on cheap answers are served; +Inf: none are.",
            labels=labels,
        )
        void = GaugeMetricFamily("undertow_certificate_void", "1: its certificate is void.", labels=labels)
        suspect = GaugeMetricFamily(
            "undertow_calibration_suspect",
            "1: scores of late are nothing like those that it was fitted on; nothing is served cheaply.",
            labels=("policy", "tier"),
        )
        suspects: dict[tuple[str, str], bool] = {}
        for key, found in self._total.in_force.items():
            policy, tier, group = key.split(SEPARATOR)
            threshold.add_metric((policy, tier, group), math.inf if found.threshold is None else found.threshold)
            void.add_metric((policy, tier, group), int(found.is_void))
            suspects[policy, tier] = suspects.get((policy, tier), False) or found.is_suspect
        for place, is_suspect in suspects.items():
            suspect.add_metric(place, int(is_suspect))
        yield from (threshold, void, suspect)

    def _restrictions(self) -> "Iterator[Metric]":
        """What the guard restricts."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

        labels = ("policy", "segment")
        exposure = GaugeMetricFamily(
            "undertow_exposure", "Share of users that may be served below the capable tier.", labels=labels
        )
        raised = GaugeMetricFamily(
            "undertow_threshold_raised_by", "Added to the confidence that a cheap answer needs.", labels=labels
        )
        for place, found in _capped(self._total.restricted):
            exposure.add_metric(place, found.exposure)
            raised.add_metric(place, found.raised_by)
        yield from (exposure, raised)
        gauges = self._total.gauges
        yield GaugeMetricFamily(
            "undertow_controls_version",
            "Of the restrictions in force; 0: none ever were.",
            value=gauges.controls_version,
        )
        yield GaugeMetricFamily(
            "undertow_controls_unreadable",
            "1: what is restricted cannot be read, so the capable tier answers everything.",
            value=int(gauges.controls_unreadable),
        )

    def _log(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        gauges = self._total.gauges
        signals = CounterMetricFamily("undertow_signals", "Signals that were posted.", labels=("kind", "outcome"))
        refusals = CounterMetricFamily(
            "undertow_key_refusals", "Requests refused for their key, budget or rate.", labels=("key", "why")
        )
        for family, found in ((signals, self._total.signals), (refusals, self._total.key_refusals)):
            for key, count in found.items():
                family.add_metric(key.split(SEPARATOR), count)
        yield from (signals, refusals)
        yield CounterMetricFamily(
            "undertow_turns_dropped",
            "Turns that the keeper did not take; their implicit signals are missing.",
            value=self._total.turns_dropped,
        )
        yield GaugeMetricFamily("undertow_requests_in_flight", "Requests being answered.", value=gauges.in_flight)
        yield CounterMetricFamily(
            "undertow_log_lost_records", "Records that could not be kept. Above zero: an alarm.", value=gauges.log_lost
        )
        yield CounterMetricFamily(
            "undertow_log_sync_errors",
            "Times the disk failed to confirm what was written.",
            value=gauges.log_sync_errors,
        )
        yield GaugeMetricFamily(
            "undertow_log_waiting_records",
            "Records in memory that the disk would not take yet.",
            value=gauges.log_waiting,
        )
        yield GaugeMetricFamily(
            "undertow_log_unsettled_intents", "Requests with an intent and no record yet.", value=gauges.log_unsettled
        )
        yield GaugeMetricFamily(
            "undertow_log_writable",
            "1: the decision log takes records; 0: it does not, and the gateway answers all the same.",
            value=0 if gauges.log_waiting else 1,
        )

    def _draws(self) -> "Iterator[Metric]":
        """Decisions drawn to be looked at."""
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

        draws = CounterMetricFamily(
            "undertow_draws",
            "Decisions that could be drawn, by what for and whether they were.",
            labels=("purpose", "chosen"),
        )
        for key, count in self._total.draws.items():
            draws.add_metric(key.split(SEPARATOR), count)
        lost = CounterMetricFamily(
            "undertow_drawn_texts_lost",
            "Drawn decisions whose text was not kept: the redaction hook or the disk failed, or too many waited.",
            labels=("why",),
        )
        for why, count in self._total.texts_lost.items():
            lost.add_metric((why,), count)
        yield from (draws, lost)
        yield CounterMetricFamily(
            "undertow_shadows_shed",
            "Requests drawn for a second answer that the keeper did not take.",
            value=self._total.shadows_shed,
        )

    def _second_answers(self, counts: Mapping[str, int]) -> "Iterator[Metric]":
        """What the keeper asked others to watch by, and what that cost."""
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

        cost = CounterMetricFamily(
            "undertow_watching_usd", "Cost of calls made to watch, since the keeper began.", labels=("purpose",)
        )
        for purpose in ("shadow", "judge"):
            cost.add_metric((purpose,), counts.get(f"{purpose}_usd_millionths", 0) / PER_USD)
        answers = CounterMetricFamily(
            "undertow_shadow_requests",
            "Requests that the keeper took to be answered again, by what became of them.",
            labels=("outcome",),
        )
        for outcome in SHADOW_OUTCOMES:
            answers.add_metric((outcome,), counts.get(f"shadow_{outcome}", 0))
        yield from (cost, answers)

    def _watching(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        from undertow import __version__  # noqa: PLC0415

        yield GaugeMetricFamily(
            "undertow_keeper_age_seconds",
            "Since the keeper last said that it lives; -1: it never did. Above 30: monitoring has stopped.",
            value=-1 if self._heartbeat is None else max(self._now_s - self._heartbeat.at, 0.0),
        )
        if self._heartbeat is not None:
            failures = CounterMetricFamily("undertow_keeper_job_failures", "Failed runs of a job.", labels=("job",))
            for name, job in self._heartbeat.jobs.items():
                failures.add_metric((name,), job.failures)
            yield failures
            yield from self._second_answers(self._heartbeat.counts)
        if self._supervision is not None:
            state = self._supervision
            yield GaugeMetricFamily("undertow_keeper_up", "The keeper's process lives.", value=int(state.keeper_up))
            yield CounterMetricFamily(
                "undertow_keeper_restarts", "Times the keeper had to be started again.", value=state.keeper_restarts
            )
            yield GaugeMetricFamily("undertow_workers", "Workers that accept requests.", value=state.workers)
            yield CounterMetricFamily(
                "undertow_worker_deaths", "Workers that died without having been told to.", value=state.worker_deaths
            )
            yield GaugeMetricFamily("undertow_plan_generation", "Plans served so far.", value=state.generation)
            yield CounterMetricFamily(
                "undertow_reloads_refused", "Reloads whose settings were wrong.", value=state.reloads_refused
            )
            yield GaugeMetricFamily(
                "undertow_sidecars", "Processes with a classifier's encoder that live.", value=state.sidecars
            )
            yield GaugeMetricFamily(
                "undertow_sidecars_missing",
                "Such processes that are dead; the capable tier answers for them.",
                value=state.sidecars_missing,
            )
            yield GaugeMetricFamily(
                "undertow_pins_unserved",
                "Policies that were rolled back to a version that cannot be served; the capable tier answers for them.",
                value=state.pins_unserved,
            )
            yield CounterMetricFamily(
                "undertow_sidecar_restarts", "Times one had to be started again.", value=state.sidecar_restarts
            )
        build = GaugeMetricFamily("undertow_build_info", "1, with the version.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build


def _capped(restricted: Mapping[str, Restricted]) -> Iterator[tuple[tuple[str, str], Restricted]]:
    """Restrictions by policy and segment, the strictest first; what is too many of a policy's is one."""
    shown: Counter[str] = Counter()
    rest: dict[str, Restricted] = {}
    for key, found in sorted(restricted.items(), key=lambda each: (each[1].exposure, -each[1].raised_by, each[0])):
        policy, segment = key.split(SEPARATOR)
        shown[policy] += segment != ALL
        if segment == ALL or shown[policy] <= MOST_SEGMENTS:
            yield (policy, segment), found
        else:
            held = rest.get(policy, found)
            rest[policy] = Restricted(min(held.exposure, found.exposure), max(held.raised_by, found.raised_by))
    for policy, found in rest.items():
        yield (policy, OTHER), found


def _gather(into: dict[tuple[str, ...], Distribution], labels: tuple[str, ...], more: Distribution) -> None:
    if not any(more.counts):
        return
    here = into.get(labels)
    if here is None:
        into[labels] = Distribution(list(more.counts), more.total)
    else:
        here.counts = [a + b for a, b in zip(here.counts, more.counts, strict=True)]
        here.total += more.total


def _cumulative(distribution: Distribution, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
    found, total = [], 0
    for bound, count in zip((*map(str, bounds), "+Inf"), distribution.counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
