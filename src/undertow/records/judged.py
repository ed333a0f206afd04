"""What is kept of a judge's work: how far it has come, and what it said of pairs whose right verdict people have given."""

from typing import Literal

import msgspec

JUDGE_SCHEMA = "undertow.judge-state/1"

Verdict = Literal["A", "B", "tie"]

JUDGE_STATE = "state/judge.json"
"""File under the store's folder: a `JudgeState`."""
ANCHOR_RESULTS = "state/anchors.jsonl"
"""File under the store's folder: `AnchorResult`s, one a line, in the order in which they were given."""


class JudgeState(msgspec.Struct, frozen=True, kw_only=True):
    """How far the judge has come with the pairs of a store.

    Attributes:
        schema: Version of this document.
        until: `answered_at` of the latest pair that is done, RFC 3339; empty: none is.
        done: Decisions that are done, with their `answered_at`, among those answered within two days of `until`; of older ones
            than a day all are done, whatever they are.
        failed: How often a pair that is still waiting could not be judged, by decision.
        counts: What became of all pairs so far, by outcome (`undertow.services.judge.Outcome`, `inconsistent`, `suspicious`).
        day: The UTC day of `today`.
        today: Counts of that day.
    """

    schema: str = JUDGE_SCHEMA
    until: str = ""
    done: dict[str, str] = {}
    failed: dict[str, int] = {}
    counts: dict[str, int] = {}
    day: str = ""
    today: dict[str, int] = {}


class Anchor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pair whose better answer people have told: a line of the file of `judge.anchors`.

    Attributes:
        request: What both answer.
        answer_a, answer_b: The answers.
        human: Which one is better.
        segment: Labels, for the rubric.
    """

    request: str
    answer_a: str
    answer_b: str
    human: Verdict
    segment: dict[str, str] = {}


class AnchorResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a judge said of an anchor, once.

    Attributes:
        anchor_id: Hash of the anchor, so that one which was edited is another one.
        at: When, RFC 3339.
        judge: Model or function.
        version: Hash of all that is set of the judge (model, parameters, rubrics, orders): another one is another judge.
        anchors: Hash of all anchors of that time, of which this one was drawn.
        human: What people said.
        outcome: `ok`, or why there is no verdict.
        verdict: What the judge said, or None.
        lean: How far it leaned to the first place, in [-1, 1], or None.
        inconsistent: The two orders disagreed.
    """

    anchor_id: str
    at: str
    judge: str
    version: str
    anchors: str = ""
    human: Verdict
    outcome: str = "ok"
    verdict: Verdict | None = None
    lean: float | None = None
    inconsistent: bool = False

    @property
    def is_right(self) -> bool | None:
        """Whether the judge says what people said; None where it could not be asked. Words that are no verdict are not right."""
        if self.outcome in {"timeout", "failed", "over_budget", "empty"}:
            return None
        return self.verdict == self.human
