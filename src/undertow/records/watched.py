"""What is kept beside the log by those who watch it: texts drawn for review, pairs of answers, calls made for watching, votes.

Each is a row of its own folder in the store (`sampled/`, `pairs/`, `calls/`, `votes/`), written as JSON lines. Texts have been
through the redaction hook, and are removed after `retention.sampled_text_days`.
"""

from typing import Literal

import msgspec

NOT_MADE = ("budget", "shed", "forbidden", "unsupported")
"""Statuses of calls that were never made: the day's budget was spent, too many waited, the segment forbids it, or the request cannot be
sent twice (the provider itself would run a tool, or the tier does not speak its format)."""


class SampledText(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The text of a decision that was drawn for review.

    Attributes:
        decision_id: The decision.
        event_time: When its request arrived, RFC 3339.
        tier: Tier that served it. Reviewers do not see it.
        segment: Its labels.
        inclusion_probability: With which it was drawn for review.
        stratum: Stratum of that draw (`undertow.records.sampling.Drawn`).
        shadow_probability: With which it was drawn, by the same number, for a second answer as well; None: it was not.
        confidence, novelty: As in its record.
        prompt: The conversation as people read it, the last message last.
        answer: The answer that was served.
    """

    decision_id: str
    event_time: str
    tier: str
    segment: dict[str, str] = {}
    inclusion_probability: float
    stratum: str
    shadow_probability: float | None = None
    confidence: float | None = None
    novelty: float | None = None
    prompt: str
    answer: str

    def __repr__(self) -> str:
        return f"SampledText({self.decision_id!r})"


class TextSketch(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision that was drawn for review or shadow asked, as hashed words (`retention.text_sketch`); outlives its text.

    Attributes:
        decision_id: The decision.
        at: When its request arrived, RFC 3339.
        hidden: The sketch of its last message of the user, hidden with the store's key for ids (`undertow.slices.keyed`).
    """

    decision_id: str
    at: str
    hidden: tuple[int, ...]


class ShadowRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that is to be answered once more, by the capable tier. Sent from a worker's memory to the keeper's, never to a disk.

    Attributes:
        decision_id: The decision.
        event_time: When its request arrived, RFC 3339.
        endpoint: Wire format (`undertow.records.request.Endpoint`).
        tier: Tier that served it.
        model: Model that served.
        segment: Its labels.
        inclusion_probability: With which it was drawn for shadow.
        stratum: Stratum of that draw.
        confidence, novelty: As in its record.
        review_probability: With which it was drawn for review too, or None: it was not.
        review_stratum: Stratum of that draw.
        headers: Headers that went to the upstream and shape an answer, names in lower case: `anthropic-beta` and the like.
        body: The caller's request body, which is sent on as it is and written nowhere.
        prompt: The conversation as people read it, through the redaction hook.
        answer: The answer that was served, likewise.
    """

    decision_id: str
    event_time: str
    endpoint: str
    tier: str
    model: str | None = None
    segment: dict[str, str] = {}
    inclusion_probability: float
    stratum: str
    confidence: float | None = None
    novelty: float | None = None
    review_probability: float | None = None
    review_stratum: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes
    prompt: str
    answer: str

    def __repr__(self) -> str:
        return f"ShadowRequest({self.decision_id!r})"


class AnswerPair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two answers to one request: what was served, and what the capable tier said off the request path.

    Attributes:
        decision_id: The decision.
        event_time: When its request arrived, RFC 3339.
        answered_at: When the second answer came, RFC 3339.
        tier, model: What served.
        reference_tier, reference_model: What answered the second time.
        segment: Labels of the decision.
        inclusion_probability: With which the decision was drawn for shadow.
        stratum: Stratum of that draw.
        confidence, novelty: As in the decision's record.
        prompt: The conversation as people read it.
        answer: What was served.
        reference_answer: The second answer; empty where it held none (a refusal is text; a call of tools is written as text).
    """

    decision_id: str
    event_time: str
    answered_at: str
    tier: str
    model: str | None = None
    reference_tier: str
    reference_model: str | None = None
    segment: dict[str, str] = {}
    inclusion_probability: float
    stratum: str
    confidence: float | None = None
    novelty: float | None = None
    prompt: str
    answer: str
    reference_answer: str

    def __repr__(self) -> str:
        return f"AnswerPair({self.decision_id!r})"


class WatchingCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model call made to watch, after the decision's own record was written: its cost belongs to the ledger's line `watching`.

    Attributes:
        decision_id: The decision it was made for.
        at: When it ended, RFC 3339.
        purpose: `shadow` or `judge`.
        tier: Tier asked, or `judge`.
        segment: Labels of the decision.
        model: Model that answered, else the one asked for.
        input_tokens, cached_tokens, output_tokens, cost_usd, latency_ms, status: As in `undertow.records.decision.Call`; of a call
            that was never made (`NOT_MADE`) only the status.
    """

    decision_id: str
    at: str
    purpose: Literal["shadow", "judge"]
    tier: str
    segment: dict[str, str] = {}
    model: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    status: str = "ok"


class Vote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one person said of one decision; several votes become one signal once they agree enough (`undertow.reviewing`).

    Attributes:
        vote_id: Unique; a repeated id is the same vote.
        decision_id: The decision.
        at: When, RFC 3339.
        rater: Who.
        name: What was asked: `accuracy`.
        value: Quality of the served answer in [0, 1], 1 is best; None: skipped.
        reference_value: Quality of the other tier's answer, where both were shown.
        skipped: Why it was skipped, in the reviewer's words, or None.
        retracts: Id of an earlier vote of the same rater that this one takes back (its value then counts no more), or None.
        seconds: Time that it took, or None.
        is_side_by_side: Both answers were shown, in an order drawn for this decision.
        is_seeded: The answer was a known failure, put in to measure how many a reviewer sees; it gives no signal.
    """

    vote_id: str
    decision_id: str
    at: str
    rater: str
    name: str = "accuracy"
    value: float | None = None
    reference_value: float | None = None
    skipped: str | None = None
    retracts: str | None = None
    seconds: float | None = None
    is_side_by_side: bool = False
    is_seeded: bool = False
