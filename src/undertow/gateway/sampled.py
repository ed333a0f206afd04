"""Texts of decisions that were drawn: kept for reviewers, and handed on for a second answer; off the request path.

A request only leaves its answer here. Another thread writes the conversation out, puts it and the answer through the redaction hook,
and appends it to `sampled/`; what is to be answered again goes back to the event loop. Whatever fails costs a text, which is counted,
and never a request. A text that cannot be redacted is kept nowhere.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from undertow.adapters.wire.transcript import transcript
from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord
from undertow.records.sampling import Drawn, Purpose
from undertow.records.watched import SampledText, ShadowRequest, TextSketch
from undertow.services.routing import Incoming
from undertow.slices.asked import asked
from undertow.slices.keyed import SketchKey
from undertow.slices.sketch import sketch

log = logging.getLogger("undertow.gateway")

TICK_S = 60.0
ROUND_S, CLOSE_S = 1.0, 3.0
"""A slow hook holds up the end of a worker for no longer: so many seconds, and the one text that it is at, for which a hook has
`undertow.bootstrap.redaction.HOOK_S`."""
MOST_WAITING = 1_000
MOST_WAITING_BYTES = 64_000_000
"""Of request bodies and answers that wait to be written out."""


class TextLog(Protocol):
    """Where texts go: `undertow.adapters.store.row_log.RowLog`."""

    def append(self, *rows: msgspec.Struct) -> None:
        """Write rows; raises OSError where that fails."""
        ...

    def tick(self) -> None:
        """Begin a new segment where that is due."""
        ...

    def sync(self) -> None:
        """Wait for the disk."""
        ...

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        ...

    def close(self) -> None:
        """Seal the segment."""
        ...


class DrawnTexts:
    """Takes drawn decisions from the event loop's thread; `sync` is called in another, again and again.

    Args:
        texts: Where texts for reviewers go, or None: none is kept.
        redact: The user's hook, or None. Called in the other thread.
        hand_on: Takes what is to be answered a second time; called in the other thread.
        count_lost: Told why a text was not kept: `redaction`, `disk` or `error` in the other thread, `full` in the loop's.
        monotonic: Seconds of a clock that is never set.
        sketches: Where sketches go, and the key that hides them, or None: none is kept.
    """

    def __init__(
        self,
        texts: TextLog | None,
        redact: Callable[[str], str] | None,
        hand_on: Callable[[ShadowRequest], None],
        count_lost: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        sketches: tuple[TextLog, SketchKey] | None = None,
    ) -> None:
        self._logs = [log for log in (texts, None if sketches is None else sketches[0]) if log is not None]
        self._sketches = sketches
        self._texts, self._redact, self._hand_on, self._count_lost = texts, redact, hand_on, count_lost
        self._waiting: deque[tuple[DecisionRecord, Incoming, AnswerFacts]] = deque()
        self._bytes = 0
        self._taken_bytes = 0
        self._monotonic = monotonic
        self._tick_at = 0.0

    def take(self, record: DecisionRecord, incoming: Incoming, facts: AnswerFacts) -> None:
        """Take a decision that was chosen for something. Neither waits nor raises."""
        size = _size(incoming, facts)
        waiting_bytes = self._bytes - self._taken_bytes
        if len(self._waiting) >= MOST_WAITING or (self._waiting and waiting_bytes + size > MOST_WAITING_BYTES):
            self._count_lost("full")
            return
        self._bytes += size
        self._waiting.append((record, incoming, facts))

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        logs = self._logs
        return bool(self._waiting) or any(log.is_dirty or self._monotonic() >= self._tick_at for log in logs)

    def tick(self) -> None:
        """What time brings is done in `sync`, in the other thread."""

    def sync(self) -> None:
        """Write out what waits, for a second at most, and wait for the disk; what is left is for the next time."""
        self._write_out(ROUND_S)
        if self._logs:
            self._tick_at = self._monotonic() + TICK_S
        for log_ in self._logs:
            log_.tick()
            log_.sync()

    def close(self) -> None:
        """Write out what waits, for a few seconds at most, and seal the segment. What is left is lost, and counted."""
        self._write_out(CLOSE_S)
        while self._waiting:
            self._waiting.popleft()
            self._count_lost("full")
        for log_ in self._logs:
            log_.close()

    def _write_out(self, seconds: float) -> None:
        until = self._monotonic() + seconds
        while self._waiting and self._monotonic() < until:
            record, incoming, facts = self._waiting.popleft()
            self._taken_bytes += _size(incoming, facts)  # a counter of its own: each thread adds to one
            try:
                self._write(record, incoming, facts)
            except Exception:  # the edge of one text: whatever it was, the others go on
                self._count_lost("error")
                log.exception("drawn_text_failed", extra={"decision_id": record.decision_id})

    def _write(self, record: DecisionRecord, incoming: Incoming, facts: AnswerFacts) -> None:
        review, shadow = (_chosen(record, purpose) for purpose in ("review", "shadow"))
        assert facts.written is not None, "the text of whatever may be drawn is collected"
        said = transcript(incoming.read)
        try:
            prompt, answer = self._clean(said), self._clean(facts.written)
        except Exception:  # noqa: BLE001 (the user's hook: a text that could not be cleaned goes nowhere)
            self._count_lost("redaction")
            # Without the error's own words: they may quote the text.
            log.warning("redaction_failed", extra={"decision_id": record.decision_id})
            return
        if shadow is not None:
            self._hand_on(shadow_request(record, incoming, shadow, review, prompt, answer))
        try:
            if self._sketches is not None:
                rows, key = self._sketches
                rows.append(text_sketch(record, key, prompt))
            if review is not None and self._texts is not None:
                self._texts.append(sampled_text(record, review, prompt, answer))
        except OSError as error:
            self._count_lost("disk")
            log.warning("sampled_text_not_written", extra={"why": error.strerror or "cannot be written"})

    def _clean(self, text: str) -> str:
        if self._redact is None:
            return text
        cleaned = self._redact(text)
        if not isinstance(cleaned, str):
            raise TypeError("the hook returned no text")
        return cleaned


def sampled_text(record: DecisionRecord, draw: Drawn, prompt: str, answer: str) -> SampledText:
    """The row of a decision that was chosen for review.

    Args:
        record: Its record.
        draw: Its draw for review.
        prompt: The conversation, cleaned.
        answer: What was served, cleaned.
    """
    assert record.tier is not None, "only what was served is drawn"
    shadow = _chosen(record, "shadow")
    return SampledText(
        decision_id=record.decision_id,
        event_time=record.event_time,
        tier=record.tier,
        segment=record.segment or {},
        inclusion_probability=draw.inclusion_probability,
        stratum=draw.stratum,
        shadow_probability=None if shadow is None else shadow.inclusion_probability,
        confidence=record.confidence,
        novelty=record.novelty,
        prompt=prompt,
        answer=answer,
    )


def text_sketch(record: DecisionRecord, key: SketchKey, prompt: str) -> TextSketch:
    """The sketch of what a decision's request asked.

    Args:
        record: Its record.
        key: Hides it.
        prompt: The conversation, cleaned.
    """
    hidden = key.hidden(sketch(asked(prompt)))
    return TextSketch(decision_id=record.decision_id, at=record.event_time, hidden=hidden)


def shadow_request(
    record: DecisionRecord, incoming: Incoming, draw: Drawn, review: Drawn | None, prompt: str, answer: str
) -> ShadowRequest:
    """What the keeper needs to have a decision answered a second time.

    Its body is made anew from the fields that were read: the caller's values byte for byte, without white space between them, and of a
    key that stood twice the last. It is not redacted, since the model must be asked the same; it is in no file.

    Args:
        record: Its record.
        incoming: Its request.
        draw: Its draw for shadow.
        review: Its draw for review, where it was chosen for that too.
        prompt: The conversation, cleaned.
        answer: What was served, cleaned.
    """
    assert record.tier is not None, "only what was served is drawn"
    return ShadowRequest(
        decision_id=record.decision_id,
        event_time=record.event_time,
        endpoint=incoming.facts.endpoint,
        tier=record.tier,
        model=record.model,
        segment=record.segment or {},
        inclusion_probability=draw.inclusion_probability,
        stratum=draw.stratum,
        confidence=record.confidence,
        novelty=record.novelty,
        review_probability=None if review is None else review.inclusion_probability,
        review_stratum=None if review is None else review.stratum,
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in incoming.headers if name in SHAPING
        ),
        body=msgspec.json.encode(incoming.read.fields),
        prompt=prompt,
        answer=answer,
    )


SHAPING = frozenset({b"anthropic-beta", b"anthropic-version", b"openai-beta"})
"""Headers that shape an answer; trace context does not."""


def _chosen(record: DecisionRecord, purpose: Purpose) -> Drawn | None:
    return next((draw for draw in record.draws or () if draw.purpose == purpose and draw.chosen), None)


def _size(incoming: Incoming, facts: AnswerFacts) -> int:
    return sum(map(len, incoming.read.fields.values())) + len(facts.written or "")
