"""Nouns of human review: the rules, what is kept, what a reviewer sees, who holds which item, and labels that came in a file."""

from dataclasses import dataclass, field

import msgspec

from undertow.records.watched import AnswerPair, SampledText, Vote

SEEDS = "state/review-seeds.jsonl"
"""File under the store's folder with `SeededCase`s."""

CLAIMS = "state/review-claims.json"
"""File under the store's folder with a list of `Claim`s."""

IMPORTS = "state/review-imports.jsonl"
"""File under the store's folder with one `ImportNote` a line."""


class ReviewRules(msgspec.Struct, frozen=True, kw_only=True):
    """How decisions are reviewed; see `[review]` in the settings.

    Attributes:
        name: The signal is `review.NAME`.
        rubric: What is asked.
        rubrics: What is asked of requests with a label (`key=value`) instead; the first that fits holds.
        side_by_side: Show both answers where there are two.
        per_day: Reviews a day that are planned for.
        min_per_segment: Reviews a day that each tier and segment gets at least.
        raters: People who judge the same decision.
        conflict: Votes further apart than this are a conflict; in (0, 1].
        text_days: Days that texts are kept.
    """

    name: str = "accuracy"
    rubric: str = "Would this answer have solved the user's request, with nothing wrong in it?"
    rubrics: dict[str, str] = {}
    side_by_side: bool = True
    per_day: int = 200
    min_per_segment: int = 2
    raters: int = 1
    conflict: float = 0.5
    text_days: float = 14.0


class SeededCase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request and answer whose quality is known, mixed in to measure what reviewers see. It never becomes a signal.

    Attributes:
        case_id: Begins with `SEED_PREFIX`.
        prompt, answer: What is shown.
        value: Known quality in [0, 1]; below .5 it is a failure.
        reference_answer: Another answer to show beside it, or None.
        segment: Labels, for the rubric.
    """

    case_id: str
    prompt: str
    answer: str
    value: float
    reference_answer: str | None = None
    segment: dict[str, str] = {}


SEED_PREFIX = "seed-"


class Claim(msgspec.Struct, frozen=True):
    """That somebody is at work on an item.

    Attributes:
        decision_id: The item.
        rater: Who.
        until: Unix seconds at which it lapses.
    """

    decision_id: str
    rater: str
    until: float


class ImportNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one import of labels.

    Attributes:
        at: When, RFC 3339.
        format: Its format.
        kept: Labels that became votes.
        set_aside: Labels that did not, by reason.
        by_rater: Of those that contradict others, how many by rater.
    """

    at: str
    format: str
    kept: int
    set_aside: dict[str, int] = {}
    by_rater: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Material:
    """All that a store holds for reviewing.

    Attributes:
        sampled: Texts drawn for review.
        pairs: Second answers.
        votes: Votes, in the order in which they were written.
        seeds: Cases with known quality.
        imports: Notes of imports.
        broken: Lines that could not be read.
    """

    sampled: tuple[SampledText, ...] = ()
    pairs: tuple[AnswerPair, ...] = ()
    votes: tuple[Vote, ...] = ()
    seeds: tuple[SeededCase, ...] = ()
    imports: tuple[ImportNote, ...] = ()
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a reviewer sees of one item: no tier, model, confidence or id that tells.

    Attributes:
        item: Opaque name by which a vote is given.
        rubric: What is asked.
        prompt: The conversation.
        answers: One answer, or two in an order drawn for this item.
    """

    item: str
    rubric: str
    prompt: str
    answers: tuple[str, ...]

    @property
    def is_side_by_side(self) -> bool:
        """Whether two answers are shown."""
        return len(self.answers) == 2

    @property
    def chars(self) -> int:
        """Characters to read."""
        return len(self.prompt) + sum(map(len, self.answers))


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a file.

    Attributes:
        row: Its place in the file, from 1.
        item: Opaque name of the item, or a decision's id.
        rater: Who gave it, or None: the file does not say.
        verdict: A word of the keys (`y`, `a`, `tie`), or a number in [0, 1]; None: empty, nobody has judged it.
        reference_value: Quality of the other answer, where the file gives numbers for both.
        at: When, as the file has it, or None.
        seconds: Time that it took, or None.
        reason: Why it cannot be used, if the file's own form shows that already.
    """

    row: int
    item: str
    rater: str | None
    verdict: str | float | None
    reference_value: float | None = None
    at: str | None = None
    seconds: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the labels of a file.

    Attributes:
        read: Labels in it.
        kept: Labels that became votes.
        set_aside: Labels that did not, by reason.
        examples: Row number and reason of the first ones set aside.
        signals: Signals that were written after it.
    """

    read: int
    kept: int
    set_aside: dict[str, int] = field(default_factory=dict)
    examples: tuple[tuple[int, str], ...] = ()
    signals: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A decision of a log that could be drawn for review.

    Attributes:
        decision_id: The decision.
        tier: Tier that served it.
        segment: The label by which the day is divided, `key=value`; empty: it has none.
        labels: All its labels, for the stakes.
        confidence, novelty: As in its record.
        disagreement: Share in [0, 1] of further answers, or of a judge's verdicts, that speak against it, or None: not measured.
    """

    decision_id: str
    tier: str
    segment: str = ""
    labels: tuple[str, ...] = ()
    confidence: float | None = None
    novelty: float | None = None
    disagreement: float | None = None


@dataclass(frozen=True, slots=True)
class DayFrame:
    """The decisions of a day.

    Attributes:
        candidates: Live decisions that were served, each once, by id.
        segment_key: Key of the segments that divide it, or None: none has from 2 to 64 values.
        is_drawn: Something was drawn for review on that day already.
        measured: What the log knows of some of them, of `undertow.sampling.batch.MEASURES`: what their long-tail score is made of.
    """

    candidates: tuple[Candidate, ...]
    segment_key: str | None
    is_drawn: bool
    measured: frozenset[str] = frozenset({"confidence"})


@dataclass(frozen=True, slots=True)
class DrawRow:
    """One row of the draws, and what a text that was drawn is kept with."""

    decision_id: str
    stratum: str
    inclusion_probability: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class KeptDraws:
    """What was written: rows of draws, texts of chosen decisions, and the ids of chosen ones whose text nobody has."""

    rows: int
    texts: int
    without_text: tuple[str, ...]
