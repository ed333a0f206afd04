"""What one worker has counted, in plain numbers: cheap to add to on the request path, small to write down, easy to add up.

A worker writes its `Snapshot` into the runtime folder once a second; whoever is asked for `/metrics` adds all of them up. Those of
workers that have ended stay, so that counters never go back while the gateway lives.
"""

from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import msgspec

from undertow.records.decision import Call, DecisionRecord
from undertow.records.unreadable import UNREADABLE

LATENCY_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TTFT_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONFIDENCE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 1.0)
NONE = "none"
"""Label of what is absent."""


class Distribution(msgspec.Struct):
    """A histogram: how many values fell at or below each bound and above the one before; the last count is of those above all."""

    counts: list[int]
    total: float = 0.0

    def add(self, bounds: tuple[float, ...], value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(bounds, value)] += 1
        self.total += value


class Outcome(msgspec.Struct):
    """Requests of one tier, policy, status and reason."""

    requests: int
    escalations: int
    latency_s: Distribution
    ttft_s: Distribution
    confidence: Distribution


class Upstreamed(msgspec.Struct):
    """Upstream calls of one tier and status."""

    calls: int = 0
    served_usd: float = 0.0
    wasted_usd: float = 0.0
    checking_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


class Beside(msgspec.Struct):
    """What a policy had done beside plain asking.

    Attributes:
        commits: Answers whose beginning was served before their end had come.
        races: Calls of a dearer tier that were started beside a cheaper one.
        races_cancelled: Those that were not needed.
        self_checks: Calls that asked a tier about its own answer, or for another one to compare it with.
    """

    commits: int = 0
    races: int = 0
    races_cancelled: int = 0
    self_checks: int = 0


class InForce(msgspec.Struct, frozen=True):
    """A calibrated threshold.

    Attributes:
        threshold: Confidence from which on answers are served; None: nothing is served cheaply.
        is_void: Its certificate is void.
        is_suspect: Scores of late are nothing like those that it was fitted on, as this worker sees them.
    """

    threshold: float | None
    is_void: bool = False
    is_suspect: bool = False


class Restricted(msgspec.Struct, frozen=True):
    """What restricts a policy's requests with a label, or all of them.

    Attributes:
        exposure: Share of the units that may be served below the capable tier.
        raised_by: Added to the confidence that a cheap answer needs.
    """

    exposure: float = 1.0
    raised_by: float = 0.0


class Gauges(msgspec.Struct):
    """What holds at the moment.

    Attributes:
        at: When this was looked at, Unix seconds.
        in_flight: Requests being answered.
        log_lost: Records that could not be kept since the worker began.
        log_waiting: Records in memory that the disk would not take yet.
        log_unsettled: Intents without a record.
        log_sync_errors: Times the disk failed to confirm what was written.
        controls_version: Of the restrictions in force.
        controls_unreadable: Nobody knows what is restricted, so the capable tier answers.
    """

    at: float = 0.0
    in_flight: int = 0
    log_lost: int = 0
    log_waiting: int = 0
    log_unsettled: int = 0
    log_sync_errors: int = 0
    controls_version: int = 0
    controls_unreadable: bool = False


class Snapshot(msgspec.Struct):
    """All counts of one worker.

    Attributes:
        outcomes: By tier, policy, status, reason.
        calls: By tier, status.
        beside: By policy.
        in_force: Thresholds at the moment, by policy, tier and value of the group label.
        restricted: What restricts policies at the moment, by policy and label.
        baseline_usd: What the capable tier alone would have cost.
        signals: Posted signals by kind and outcome.
        key_refusals: Requests refused for their key, by key and why.
        turns_dropped: Turns that the keeper did not take.
        draws: Draws by purpose and whether they chose (`yes`, `no`).
        texts_lost: Drawn decisions whose text was not kept, by why.
        shadows_shed: Requests drawn for a second answer that the keeper did not take.
        gauges: What holds at the moment.
    """

    outcomes: dict[str, Outcome] = {}
    calls: dict[str, Upstreamed] = {}
    beside: dict[str, Beside] = {}
    in_force: dict[str, InForce] = {}
    restricted: dict[str, Restricted] = {}
    baseline_usd: float = 0.0
    signals: dict[str, int] = {}
    key_refusals: dict[str, int] = {}
    turns_dropped: int = 0
    draws: dict[str, int] = {}
    texts_lost: dict[str, int] = {}
    shadows_shed: int = 0
    gauges: Gauges = msgspec.field(default_factory=Gauges)


SEPARATOR = "\x1f"
"""Between the labels of a key: no name can hold it."""
ALL = "*"
"""Stands in labels for all requests, or for those that no group of a calibration holds."""
CHECKING = frozenset({"self_check", "classify"})
"""Purposes of calls that answer nobody."""


class Tallies:
    """The counts of this worker.

    Examples:
        >>> tallies = Tallies()
        >>> tallies.add(DecisionRecord(decision_id="d", event_time="t", tier="cheap", status="ok", latency_ms=80.0))
        >>> [outcome.requests for outcome in tallies.snapshot().outcomes.values()]
        [1]
    """

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str | None, str | None, str | None, str | None], Outcome] = {}
        self._calls: dict[tuple[str, str], Upstreamed] = {}
        self._beside: dict[str, Beside] = {}
        self.in_force: dict[str, InForce] = {}
        self.restricted: dict[str, Restricted] = {}
        self._signals: dict[str, int] = {}
        self._key_refusals: dict[str, int] = {}
        self._draws: dict[tuple[str, bool], int] = {}
        self._texts_lost: dict[str, int] = {}
        self._baseline_usd = 0.0
        self.turns_dropped = 0
        self.shadows_shed = 0
        self.gauges = Gauges()

    def add(self, record: DecisionRecord) -> None:
        """Count one decision."""
        key = (record.tier, record.policy, record.status, record.reason)
        outcome = self._outcomes.get(key)
        if outcome is None:
            outcome = self._outcomes[key] = _new_outcome()
        outcome.requests += 1
        latency_ms, ttft_ms = record.latency_ms, record.ttft_ms
        if latency_ms is not None:
            outcome.latency_s.add(LATENCY_BUCKETS_S, latency_ms / 1000)
        if ttft_ms is not None:
            outcome.ttft_s.add(TTFT_BUCKETS_S, ttft_ms / 1000)
        if record.escalated:
            outcome.escalations += 1
        if record.confidence is not None:
            outcome.confidence.add(CONFIDENCE_BUCKETS, record.confidence)
        for call in record.calls or ():
            place = (call.tier, call.status)
            calls = self._calls.get(place)
            if calls is None:
                calls = self._calls[place] = Upstreamed()
            calls.calls += 1
            if call.purpose != "serve":
                self._add_beside(record.policy or NONE, call)
            if call.cost_usd:
                if call.purpose in CHECKING:
                    calls.checking_usd += call.cost_usd
                elif call.tier == record.tier and call.status == "ok":
                    calls.served_usd += call.cost_usd
                else:
                    calls.wasted_usd += call.cost_usd
            calls.input_tokens += call.input_tokens or 0
            calls.output_tokens += call.output_tokens or 0
        if record.committed_tokens is not None:
            self._of(record.policy or NONE).commits += 1
        for draw in record.draws or ():
            drawn = (draw.purpose, draw.chosen)
            self._draws[drawn] = self._draws.get(drawn, 0) + 1
        self._baseline_usd += record.baseline_cost_usd or 0.0

    def _of(self, policy: str) -> Beside:
        return self._beside.setdefault(policy, Beside())

    def _add_beside(self, policy: str, call: Call) -> None:
        if call.purpose == "race":
            self._of(policy).races += 1
            self._of(policy).races_cancelled += call.status in {"cancelled", "discarded"}
        elif call.purpose == "self_check":
            self._of(policy).self_checks += 1

    def add_signals(self, kind: str, outcome: str, count: int) -> None:
        """Count posted signals: outcome `accepted`, `duplicate` or `rejected`."""
        if count:
            key = kind + SEPARATOR + outcome
            self._signals[key] = self._signals.get(key, 0) + count

    def add_refusal(self, key_name: str, why: str) -> None:
        """Count a request refused for its key: why `unknown_key`, `rate` or `budget`."""
        key = key_name + SEPARATOR + why
        self._key_refusals[key] = self._key_refusals.get(key, 0) + 1

    def add_lost_text(self, why: str) -> None:
        """Count a drawn decision whose text was not kept. Each reason is one thread's."""
        self._texts_lost[why] = self._texts_lost.get(why, 0) + 1

    def snapshot(self) -> Snapshot:
        """All counts as they are now."""
        return Snapshot(
            outcomes={SEPARATOR.join(label or NONE for label in key): value for key, value in self._outcomes.items()},
            calls={SEPARATOR.join(key): value for key, value in self._calls.items()},
            beside=self._beside,
            in_force=self.in_force,
            restricted=self.restricted,
            baseline_usd=self._baseline_usd,
            signals=self._signals,
            key_refusals=self._key_refusals,
            turns_dropped=self.turns_dropped,
            draws={
                purpose + SEPARATOR + ("yes" if chosen else "no"): count
                for (purpose, chosen), count in self._draws.items()
            },
            texts_lost=self._texts_lost,
            shadows_shed=self.shadows_shed,
            gauges=self.gauges,
        )


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Replace a worker's file in one step. A full disk costs metrics, not requests."""
    half = path.with_suffix(".new")
    try:
        half.write_bytes(msgspec.json.encode(snapshot))
        half.replace(path)
    except OSError:
        return


def read_snapshots(folder: Path, except_for: Path | None = None) -> list[Snapshot]:
    """The snapshots of all workers that lie in a folder; what cannot be read is left out."""
    found = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        if path == except_for:
            continue
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Snapshot))
        except (OSError, *UNREADABLE):
            continue
    return found


def merge(snapshots: Iterable[Snapshot], *, alive_since: float) -> Snapshot:
    """Snapshots added up. Gauges count only where they were looked at since `alive_since`, but lost records always do.

    Examples:
        >>> one, two = Snapshot(turns_dropped=1), Snapshot(turns_dropped=2)
        >>> merge([one, two], alive_since=0.0).turns_dropped
        3
    """
    total = Snapshot()
    for found in snapshots:
        for key, outcome in found.outcomes.items():
            _add_outcome(total.outcomes.setdefault(key, _new_outcome()), outcome)
        for key, calls in found.calls.items():
            _add_fields(total.calls.setdefault(key, Upstreamed()), calls)
        for key, beside in found.beside.items():
            _add_fields(total.beside.setdefault(key, Beside()), beside)
        for here, there in (
            (total.signals, found.signals),
            (total.key_refusals, found.key_refusals),
            (total.draws, found.draws),
            (total.texts_lost, found.texts_lost),
        ):
            for key, count in there.items():
                here[key] = here.get(key, 0) + count
        total.baseline_usd += found.baseline_usd
        total.turns_dropped += found.turns_dropped
        total.shadows_shed += found.shadows_shed
        total.gauges.log_lost += found.gauges.log_lost
        total.gauges.log_sync_errors += found.gauges.log_sync_errors
        if found.gauges.at >= alive_since:
            total.gauges.at = max(total.gauges.at, found.gauges.at)
            total.gauges.in_flight += found.gauges.in_flight
            total.gauges.log_waiting += found.gauges.log_waiting
            total.gauges.log_unsettled += found.gauges.log_unsettled
            for key, in_force in found.in_force.items():
                total.in_force[key] = _stricter(total.in_force.get(key), in_force)
            total.gauges.controls_version = max(total.gauges.controls_version, found.gauges.controls_version)
            total.gauges.controls_unreadable |= found.gauges.controls_unreadable
            for key, restricted in found.restricted.items():
                held = total.restricted.get(key, restricted)
                total.restricted[key] = Restricted(
                    min(held.exposure, restricted.exposure), max(held.raised_by, restricted.raised_by)
                )
    return total


def _new_outcome() -> Outcome:
    return Outcome(
        0,
        0,
        Distribution([0] * (len(LATENCY_BUCKETS_S) + 1)),
        Distribution([0] * (len(TTFT_BUCKETS_S) + 1)),
        Distribution([0] * (len(CONFIDENCE_BUCKETS) + 1)),
    )


def _add_fields(into: Upstreamed | Beside, more: Upstreamed | Beside) -> None:
    for name in into.__struct_fields__:
        setattr(into, name, getattr(into, name) + getattr(more, name))


def _stricter(one: InForce | None, other: InForce) -> InForce:
    """Workers read a change within seconds of each other; until then the stricter one is shown."""
    if one is None:
        return other
    return InForce(
        None if one.threshold is None or other.threshold is None else max(one.threshold, other.threshold),
        is_void=one.is_void or other.is_void,
        is_suspect=one.is_suspect or other.is_suspect,
    )


def _add_outcome(into: Outcome, more: Outcome) -> None:
    into.requests += more.requests
    into.escalations += more.escalations
    for name in ("latency_s", "ttft_s", "confidence"):
        here, there = getattr(into, name), getattr(more, name)
        here.counts = [a + b for a, b in zip(here.counts, there.counts, strict=True)]
        here.total += there.total
