"""What a request is before its policy decides, what a router is built from, and what callers are told when nobody can answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from undertow.policies.base import Policy, Setting
from undertow.ports.classifier import Classifier
from undertow.ports.decision_log import DecisionLog
from undertow.ports.upstream import Upstream, UpstreamFailedError
from undertow.ports.wire import Dialect, ReadRequest
from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord
from undertow.records.request import RequestFacts
from undertow.records.serving import ServingPlan
from undertow.sampling.draw import CompiledRates


class Placement(msgspec.Struct, frozen=True, gc=False):
    """What is settled of a request before its policy decides.

    Attributes:
        policy: Decides; None: the caller named a tier, which is `setting.tiers[0]`.
        mode: `route` or `observe`.
        setting: Tiers that can be used, eligibility, arm and draw.
        arm: `treatment`, `holdout`, or None where nothing is randomised.
        arm_probability: Probability of that arm.
        observed_tier: Mode observe: the tier that the caller asked for, which serves.
        reason: Where no policy decides: why this tier.
    """

    policy: Policy | None
    mode: str
    setting: Setting
    arm: str | None = None
    arm_probability: float | None = None
    observed_tier: str | None = None
    reason: str = "requested"


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """One request to be routed.

    Attributes:
        dialect: Its wire format.
        read: Its body, read.
        facts: What is known of it; ids are pseudonymous, labels complete.
        placement: What is settled already.
        decision_id: Its id.
        event_time: When it arrived, RFC 3339.
        began: The same on the router's clock, in seconds.
        headers: Headers for the upstream (trace context, beta flags).
        key_name: Gateway key that it came with.
        client_retry: How often the caller's client had tried before.
        trace_id, span_id, parent_span_id: Trace context, or None.
        prompt: Text to keep, or None.
        origin: As in `undertow.services.admit.Context`.
    """

    dialect: Dialect
    read: ReadRequest
    facts: RequestFacts
    placement: Placement
    decision_id: str
    event_time: str
    began: float
    headers: tuple[tuple[bytes, bytes], ...] = ()
    key_name: str | None = None
    client_retry: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    prompt: str | None = None
    origin: str = "live"


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """What the caller is told when no tier could answer."""

    status: int
    message: str
    code: str


REFUSALS: Mapping[str, Refusal] = {
    "connect": Refusal(502, "the upstream could not be reached", "upstream_unreachable"),
    "timeout": Refusal(504, "the upstream did not answer in time", "upstream_timeout"),
    "cut": Refusal(502, "the upstream's answer ended before it was complete", "upstream_cut"),
    "garbage": Refusal(502, "the upstream sent something that is no answer", "upstream_garbage"),
    "too_large": Refusal(502, "the upstream's answer is larger than this gateway allows", "upstream_too_large"),
    "breaker_open": Refusal(
        503, "the upstream keeps failing and is given a rest; try again shortly", "upstream_resting"
    ),
    "no_endpoint": Refusal(
        400, "no upstream of this tier speaks the wire format of this request", "wire_format_unsupported"
    ),
    "aborted": Refusal(499, "the caller went away", "client_closed"),
    "status": Refusal(502, "the upstream refused the request", "upstream_refused"),
    "internal": Refusal(500, "the gateway failed; the decision id leads to its record", "internal_error"),
}
"""By kind of the last tier's failure."""

FORWARDED_STATUS = frozenset({400, 404, 405, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504, 529})
"""An upstream's status that the caller is shown as it is. 401 and 403 speak of our credentials, which are not the caller's affair."""

NO_HEADERS: Mapping[bytes, bytes] = {}


def as_shown(
    refusal: Refusal, failure: UpstreamFailedError | None, dialect: Dialect
) -> tuple[int, Mapping[bytes, bytes], bytes]:
    """Status, upstream headers and body of the error that a caller gets.

    Args:
        refusal: What to say of the failure.
        failure: Why the last tier failed; its own error is shown where that is the caller's affair.
        dialect: The caller's wire format.
    """
    if failure is None or failure.kind != "status" or failure.status not in FORWARDED_STATUS:
        return (
            refusal.status,
            NO_HEADERS,
            dialect.error_body(refusal.message, type_="upstream_error", code=refusal.code),
        )
    body = failure.body
    if b'"error"' not in body or body.lstrip()[:1] != b"{":
        message = f"the upstream answered with status {failure.status}"
        body = dialect.error_body(message, type_="upstream_error", code=f"http_{failure.status}")
    return failure.status, failure.headers, body


@dataclass(frozen=True, slots=True)
class RouterParts:
    """What a router is built from.

    Attributes:
        plan: Tiers, prices and limits.
        upstreams: By tier.
        decisions: Where records go.
        classifiers: By policy; a policy without one gets `classifier_absent`.
        now: Monotonic seconds.
        on_record: Told of every record, with the request and the answer's facts (metrics, budgets, implicit signals).
        length_ratio: (tier, segment) -> mean output tokens of the capable tier over this tier's, or None: not known yet.
        keeps_text: Keep the answers' text in records.
        draws: The rates in force, by which decisions are drawn for review and shadow, or None: nothing is drawn.
        on_drawn: Told of each decision that was chosen for something, with the request and the answer's facts, its text among them;
            must neither wait nor raise.
        redact: Cleans text before it is written, or None.
    """

    plan: ServingPlan
    upstreams: Mapping[str, Upstream]
    decisions: DecisionLog
    classifiers: Mapping[str, Classifier]
    now: Callable[[], float]
    on_record: Callable[[DecisionRecord, Incoming, AnswerFacts | None], None]
    length_ratio: Callable[[str, Mapping[str, str]], float | None]
    keeps_text: bool = False
    redact: Callable[[str], str] | None = None
    draws: Callable[[], CompiledRates | None] | None = None
    on_drawn: Callable[[DecisionRecord, Incoming, AnswerFacts], None] | None = None
