"""Cases: what can be reviewed, made of texts drawn for review, their second answers, and seeded failures.

A case is named to reviewers by an opaque `item`, and its answers stand in an order that a hash of the decision's id draws: neither tells
which tier served, and whoever has the log can see the same order again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from undertow.records.review import Material, ReviewRules, Sheet
from undertow.records.sampling import EXTRA
from undertow.records.watched import AnswerPair, SampledText

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Case:
    """Something to be judged.

    Attributes:
        decision_id: The decision; of a seeded case, the case's id.
        at_s: When its request arrived, Unix seconds.
        tier: Tier that served it; empty for a seeded case.
        segment: Its labels.
        stratum: Stratum of its draw.
        inclusion_probability: Of its draw, in (0, 1].
        prompt, answer: Its text.
        reference_answer: The other tier's answer, or None.
        known_value: Quality of a seeded case; None: it is a real one.
        pair_probability: With which both answers were to be seen, in (0, `inclusion_probability`]; None: there is one answer.
        is_pair_missing: It was drawn for a second answer and has none: the budget was spent, the call failed, or it is under way.
    """

    decision_id: str
    at_s: float
    tier: str
    segment: Mapping[str, str]
    stratum: str
    inclusion_probability: float
    prompt: str
    answer: str
    reference_answer: str | None = None
    known_value: float | None = None
    pair_probability: float | None = None
    is_pair_missing: bool = False

    @property
    def is_seeded(self) -> bool:
        """Whether its quality is known and it gives no signal."""
        return self.known_value is not None

    @property
    def is_extra(self) -> bool:
        """Whether steering alone drew it."""
        return EXTRA in self.stratum

    @property
    def is_tail(self) -> bool:
        """Whether it lies in the long tail."""
        return self.stratum.startswith("tail")

    @property
    def day(self) -> int:
        """UTC day of its request, counted from 1970."""
        return int(self.at_s // DAY_S)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its segment as `key=value` labels, in order."""
        return tuple(f"{key}={value}" for key, value in sorted(self.segment.items()))


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases by decision, and what was wrong with the rows they were made of.

    Attributes:
        by_id: By `decision_id`.
        by_item: By the opaque name.
        problems: Rows that were left, by reason: `impossible_probability`, `unreadable_time`, `drawn_twice` (one decision with two
            different draws; the first counts).
    """

    by_id: Mapping[str, Case]
    by_item: Mapping[str, Case]
    problems: Mapping[str, int]


def cases_of(material: Material, rules: ReviewRules) -> Cases:
    """The cases of a store, each decision once.

    Examples:
        >>> from undertow.records.watched import SampledText
        >>> text = SampledText(decision_id="d", event_time="2026-03-01T12:00:00Z", tier="cheap", inclusion_probability=.1,
        ...                    stratum="tail", prompt="?", answer="!")
        >>> cases_of(Material(sampled=(text,)), ReviewRules()).by_id["d"].is_tail
        True
    """
    problems: Counter[str] = Counter()
    others = {pair.decision_id: pair for pair in material.pairs} if rules.side_by_side else {}
    found: dict[str, Case] = {}
    for row in material.sampled:
        at_s = seconds_of(row.event_time)
        if at_s is None:
            problems["unreadable_time"] += 1
            continue
        if not 0.0 < row.inclusion_probability <= 1.0:
            problems["impossible_probability"] += 1
            continue
        pair = others.get(row.decision_id)
        both = None if pair is None or not pair.reference_answer else pair_probability(row, pair)
        if both is not None and not 0.0 < both <= 1.0:
            problems["impossible_probability"] += 1
            both = None
        case = Case(
            row.decision_id,
            at_s,
            row.tier,
            row.segment,
            row.stratum,
            row.inclusion_probability,
            row.prompt,
            row.answer,
            None if pair is None or both is None else pair.reference_answer,
            pair_probability=both,
            is_pair_missing=rules.side_by_side
            and row.shadow_probability is not None
            and (pair is None or not pair.reference_answer),
        )
        known = found.setdefault(row.decision_id, case)
        if (known.inclusion_probability, known.stratum) != (case.inclusion_probability, case.stratum):
            problems["drawn_twice"] += 1
    for seed in material.seeds:
        found[seed.case_id] = Case(
            seed.case_id, 0.0, "", seed.segment, "", 1.0, seed.prompt, seed.answer,
            seed.reference_answer if rules.side_by_side else None, seed.value,
        )  # fmt: skip
    return Cases(found, {item_of(key): case for key, case in found.items()}, problems)


def pair_probability(row: SampledText, pair: AnswerPair) -> float:
    """With which a decision was drawn for review and for a second answer, both.

    A gateway draws for both by one number (`undertow.sampling.draw`), so the smaller one decides. What was drawn for review afterwards
    was drawn by a number of its own.

    Examples:
        >>> text = SampledText(decision_id="d", event_time="", tier="cheap", inclusion_probability=.5, stratum="tail", prompt="?", answer="!",
        ...                    shadow_probability=.25)
        >>> pair = AnswerPair(decision_id="d", event_time="", answered_at="", tier="cheap", reference_tier="capable", prompt="?", answer="!",
        ...                   reference_answer="!", inclusion_probability=.25, stratum="tail")
        >>> pair_probability(text, pair)
        0.25
    """
    if row.shadow_probability is not None:
        return min(row.inclusion_probability, row.shadow_probability)
    return row.inclusion_probability * pair.inclusion_probability


def sheet_of(case: Case, rules: ReviewRules) -> Sheet:
    """What a reviewer sees of a case.

    Examples:
        >>> case = Case("d-2", 0.0, "cheap", {"intent": "fraud"}, "tail", 0.1, "?", "served", "other")
        >>> sheet = sheet_of(case, ReviewRules(rubric="Right?", rubrics={"intent=fraud": "Sent to the fraud team?"}))
        >>> sheet.rubric, sorted(sheet.answers)
        ('Sent to the fraud team?', ['other', 'served'])
    """
    labels = set(case.labels)
    rubric = next((text for label, text in rules.rubrics.items() if label in labels), rules.rubric)
    answers = (case.answer,)
    if case.reference_answer is not None:
        answers = (case.answer, case.reference_answer)
        if not is_served_first(case.decision_id):
            answers = answers[::-1]
    return Sheet(item_of(case.decision_id), rubric, case.prompt, answers)


def item_of(decision_id: str) -> str:
    """Opaque name of an item: it tells neither when the request came nor whether it is a seeded case.

    Examples:
        >>> len(item_of("seed-1")), item_of("seed-1") == item_of("seed-1")
        (24, True)
    """
    return _digest("item", decision_id)[:24]


def is_served_first(decision_id: str) -> bool:
    """Whether the served answer stands first: a fair coin that is the same at every showing.

    Examples:
        >>> [is_served_first(f"d-{number}") for number in range(6)]
        [False, True, False, False, False, False]
    """
    return int(_digest("side", decision_id)[:2], 16) % 2 == 0


def rank_of(purpose: str, decision_id: str) -> str:
    """A text that puts decisions in an order that has nothing to do with them, another one for each purpose."""
    return _digest(purpose, decision_id)


def seconds_of(time: str) -> float | None:
    """Unix seconds of an RFC 3339 time, or None: it is none.

    Examples:
        >>> seconds_of("1970-01-01T00:01:00.500Z"), seconds_of("yesterday")
        (60.5, None)
    """
    try:
        moment = datetime.fromisoformat(time)
        # In UTC, where the first and the last hours of the calendar may lie outside it.
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def time_text(at_s: float) -> str:
    """Unix seconds as the records write times.

    Examples:
        >>> time_text(60.5)
        '1970-01-01T00:01:00.500Z'
    """
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _digest(purpose: str, decision_id: str) -> str:
    return sha256(f"undertow review {purpose} {decision_id}".encode("utf-8", "surrogatepass")).hexdigest()
