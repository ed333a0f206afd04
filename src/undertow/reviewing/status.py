"""Where a review stands: the queue, today's progress, agreement, conflicts, reviewers, and where labels are missing.

Counts only: no value is told by tier, so that reviewers who look at it stay blind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from undertow.records.review import Claim, Material, ReviewRules
from undertow.reviewing.cases import DAY_S, Cases, seconds_of
from undertow.reviewing.labels import is_settled, time_problem
from undertow.reviewing.queue import Waiting, labels_of_day, waiting_items
from undertow.reviewing.raters import Rate, RaterReport, rater_reports
from undertow.reviewing.resolving import Tallies, Tally
from undertow.stats.agreement import Agreement, krippendorff_alpha
from undertow.stats.confidence import beta_binomial_interval

WINDOW_DAYS = 7
"""Days, today included, over which drawn and done are compared."""

BEHIND = 0.1
"""A stratum that is this much less complete than another one is worth a word: the labels stand for fewer of its decisions than drawn."""

MOST_SHORT = 5
"""Tiers and segments below their minimum that get a sentence of their own."""

UNDER_WAY_S = 3_600.0
"""A second answer that is not there after so long is missing."""

FEWEST_DRAWN = 20
"""Draws of a stratum from which its completeness is compared."""


@dataclass(frozen=True, slots=True)
class CellDone:
    """Draws and labels of one tier and label over the last days.

    Attributes:
        tier: The tier.
        label: `key=value`; empty: the whole tier.
        drawn: Decisions drawn for review.
        done: Of those, how many have a label.
        days: Days of the window on which anything was drawn anywhere.
        needed: Labels that the minimum asks for over those days.
        is_short: Fewer are done than needed.
    """

    tier: str
    label: str
    drawn: int
    done: int
    days: int
    needed: int
    is_short: bool


@dataclass(frozen=True, slots=True)
class StratumDone:
    """Draws and labels of one stratum over the last days, all tiers together."""

    stratum: str
    drawn: int
    done: int


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits.

    Attributes:
        items: Items that need votes.
        votes: Votes that they need.
        by_stratum, by_label: Items by stratum, and by `key=value`.
        conflicts: Items whose votes lie too far apart.
        held: Items that somebody is at work on.
        last_chance: Items whose text is removed within a day.
        expired: Items whose text may no longer be shown and that have no label.
    """

    items: int
    votes: int
    by_stratum: Mapping[str, int]
    by_label: Mapping[str, int]
    conflicts: int
    held: int
    last_chance: int
    expired: int


@dataclass(frozen=True, slots=True)
class ReviewStatus:
    """All of it.

    Attributes:
        name: What is asked: the signal is `review.NAME`.
        per_day: Reviews that are planned for a day.
        today: Labels of today.
        votes_today: Votes of today, seeded cases left out.
        labels: Labels so far, of decisions whose text is still there.
        unwritten: Of those, how many have no signal yet, since their vote may still be taken back.
        queue: What waits.
        strata, cells: Drawn and done.
        agreement: Krippendorff's alpha (interval); None: it is not defined, since nobody judged the same or all said the same.
        had_conflicts: Decisions on which the first votes lay too far apart.
        raters: Each reviewer.
        seen: Known failures seen by all reviewers together; None: none was shown.
        seeds: Seeded cases there are.
        problems: What is wrong with rows, votes and imports, by reason.
        words: What a person should know, a sentence each.
    """

    name: str
    per_day: int
    today: int
    votes_today: int
    labels: int
    unwritten: int
    queue: QueueState
    strata: tuple[StratumDone, ...]
    cells: tuple[CellDone, ...]
    agreement: Agreement | None
    had_conflicts: int
    raters: tuple[RaterReport, ...]
    seen: Rate | None
    seeds: int
    problems: Mapping[str, int]
    words: tuple[str, ...]


def review_status(
    material: Material, cases: Cases, tallies: Tallies, claims: Sequence[Claim], rules: ReviewRules, now_s: float
) -> ReviewStatus:
    """Where a review stands at a moment.

    Examples:
        >>> review_status(Material(), Cases({}, {}, {}), Tallies({}, {}, {}, {}), [], ReviewRules(), 0.0).queue.items
        0
    """
    waiting = waiting_items(cases, tallies.by_id, rules, now_s)
    real = {key: tally for key, tally in tallies.by_id.items() if not _is_seed(key, tally, cases)}
    resolved = {key: tally for key, tally in real.items() if tally.state == "resolved"}
    reports = rater_reports(tallies, cases)
    strata, cells = _done(cases, resolved, rules, now_s)
    problems = _problems(material, cases, tallies, now_s)
    counted = [vote for tally in real.values() for vote in tally.votes]
    votes_today = sum((seconds_of(vote.at) or 0.0) // DAY_S == now_s // DAY_S for vote in counted)
    agreement = _agreement(real, rules.raters)
    queue = _queue(waiting, cases, resolved, claims, rules, now_s)
    return ReviewStatus(
        rules.name,
        rules.per_day,
        sum(n for (_, label), n in labels_of_day(cases, tallies.by_id, now_s).items() if not label),
        votes_today,
        sum(key in cases.by_id for key in resolved),
        sum(key in cases.by_id and not is_settled(tally, now_s) for key, tally in resolved.items()),
        queue,
        strata,
        cells,
        agreement,
        sum(tally.was_conflict for tally in real.values()),
        reports,
        _seen_by_all(reports),
        len(material.seeds),
        problems,
        tuple(_words(queue, strata, cells, agreement, reports, problems, _contradictors(material))),
    )


def _is_seed(decision_id: str, tally: Tally, cases: Cases) -> bool:
    case = cases.by_id.get(decision_id)
    return any(vote.is_seeded for vote in tally.votes) if case is None else case.is_seeded


def _queue(
    waiting: Sequence[Waiting],
    cases: Cases,
    resolved: Mapping[str, Tally],
    claims: Sequence[Claim],
    rules: ReviewRules,
    now_s: float,
) -> QueueState:
    held = {claim.decision_id for claim in claims if claim.until > now_s}
    strata, labels = Counter(w.case.stratum for w in waiting), Counter(x for w in waiting for x in w.case.labels)
    expired = sum(
        not case.is_seeded and key not in resolved and now_s - case.at_s >= rules.text_days * DAY_S
        for key, case in cases.by_id.items()
    )
    return QueueState(
        len(waiting),
        sum(w.needed for w in waiting),
        dict(sorted(strata.items())),
        dict(sorted(labels.items())),
        sum(w.is_conflict for w in waiting),
        sum(w.case.decision_id in held for w in waiting),
        sum(w.is_last_chance for w in waiting),
        expired,
    )


def _done(
    cases: Cases, resolved: Mapping[str, Tally], rules: ReviewRules, now_s: float
) -> tuple[tuple[StratumDone, ...], tuple[CellDone, ...]]:
    first_day = int(now_s // DAY_S) - WINDOW_DAYS + 1
    drawn: Counter[tuple[str, str]] = Counter()
    done: Counter[tuple[str, str]] = Counter()
    strata: Counter[str] = Counter()
    strata_done: Counter[str] = Counter()
    days = set()
    for key, case in cases.by_id.items():
        if case.is_seeded:
            continue
        places = [(case.tier, label) for label in ("", *case.labels)]
        drawn.update(dict.fromkeys(places, 0))  # cells of earlier days stay in sight when nothing comes any more
        if case.day < first_day:
            continue
        days.add(case.day)
        drawn.update(places)
        strata[case.stratum] += 1
        if key in resolved:
            done.update(places)
            strata_done[case.stratum] += 1
    needed = rules.min_per_segment * len(days)
    return (
        tuple(StratumDone(name, n, strata_done[name]) for name, n in sorted(strata.items())),
        tuple(
            CellDone(*place, drawn[place], done[place], len(days), needed, done[place] < needed)
            for place in sorted(drawn)
        ),
    )


def _agreement(real: Mapping[str, Tally], raters: int) -> Agreement | None:
    """Of the votes that everything gets: a further person is asked about conflicts alone, and his votes would count these twice."""
    units, values = [], []
    for place, tally in enumerate(real.values()):
        for vote in tally.votes[: max(raters, 2)]:
            units.append(place)
            values.append(vote.value)
    return krippendorff_alpha(units, values) if units else None


def _problems(material: Material, cases: Cases, tallies: Tallies, now_s: float) -> dict[str, int]:
    found = Counter({"unreadable_lines": material.broken, **cases.problems, **tallies.problems})
    for tally in tallies.by_id.values():
        case = cases.by_id.get(tally.decision_id)
        found.update(reason for vote in tally.votes if (reason := time_problem(vote, case, now_s)) is not None)
    found["second_answer_missing"] = sum(
        case.is_pair_missing and now_s - case.at_s > UNDER_WAY_S for case in cases.by_id.values()
    )
    for note in material.imports:
        found.update({f"import_{reason}": n for reason, n in note.set_aside.items()})
    return dict(sorted((+found).items()))


def _contradictors(material: Material) -> Mapping[str, int]:
    """Reviewers whose labels contradicted each other in imports, with how many."""
    found: Counter[str] = Counter()
    for note in material.imports:
        found.update(note.by_rater)
    return found


def _seen_by_all(reports: Sequence[RaterReport]) -> Rate | None:
    rates = [report.seen for report in reports if report.seen is not None]
    if not rates:
        return None
    count, of = sum(rate.count for rate in rates), sum(rate.of for rate in rates)
    interval = beta_binomial_interval(count, of)
    return Rate(count, of, float(interval.low), float(interval.high))


FLAGS = {
    "one_value": "gives one and the same answer always",
    "hasty": "votes sooner than the text can be read",
    "contradicts_himself": "judges the same differently the second time",
    "misses_failures": "misses more than half of the known failures",
    "strict": "is stricter than the others",
    "lenient": "is more lenient than the others",
}
"""What a flag means, after the reviewer's name."""

PROBLEMS = {
    "unreadable_lines": "lines of the store that cannot be read",
    "unreadable_time": "rows left out because they have no time that can be read",
    "impossible_probability": "draws that are not reviewed because their inclusion probability lies outside (0, 1]",
    "second_answer_missing": "decisions that were drawn for a second answer too and have none (budget, failure), so that people see one answer alone: what is told of pairs is told of the others",
    "drawn_twice": "decisions with two different draws, of which the first counts",
    "repeated_vote_id": "votes with the id of another one, which count once",
    "repeated": "votes that repeat what the same reviewer said before, and count once",
    "out_of_range": "votes left out because they lie outside [0, 1]",
    "empty": "votes left out because they say nothing",
    "takes_back_nothing": "votes that take back one that is not theirs or not there",
    "in_the_future": "votes dated in the future (a clock is wrong), whose signals are dated when they are written",
    "before_its_decision": "votes dated before the request that they judge (a clock is wrong), whose signals are dated when they are written",
    "import_unknown_item": "imported labels of an item that is not here, or whose text is gone",
    "import_repeated": "imported labels that repeat one that is here",
    "import_conflicting": "imported labels that contradict another one of the same reviewer (none of those in one file counts)",
    "import_out_of_range": "imported labels that are no verdict of their item",
    "import_no_rater": "imported labels that do not say whose they are",
    "import_no_item": "imported labels that do not say what they are about",
    "import_other_name": "imported labels that answer another question",
    "import_not_by_people": "imported labels that a program gave",
    "import_not_an_object": "imported rows without fields",
    "import_bad_json": "imported rows that are no JSON",
    "import_bad_csv": "imported rows that are no CSV",
    "import_bad_encoding": "imported rows that are not in UTF-8",
    "import_wrong_number_of_cells": "imported rows with more or fewer cells than the first one",
    "import_record_too_long": "imported rows that are too long",
    "import_truncated_file": "imported files that end in the middle",
}
"""What a problem means, before its number."""


def _words(
    queue: QueueState,
    strata: Sequence[StratumDone],
    cells: Sequence[CellDone],
    agreement: Agreement | None,
    reports: Sequence[RaterReport],
    problems: Mapping[str, int],
    contradictors: Mapping[str, int],
) -> list[str]:
    words = [f"{report.rater} {FLAGS[flag]}" for report in reports for flag in report.flags]
    words += [
        f"{rater} contradicts himself in imports, {n} time{'' if n == 1 else 's'}"
        for rater, n in sorted(contradictors.items())
    ]
    if agreement is not None and agreement.high < 0.667:
        words.append(
            f"raters agree little (alpha {agreement.alpha:.2f}, at most {agreement.high:.2f}): make the rubric plainer, with examples"
        )
    short = [cell for cell in cells if cell.is_short]
    words += [
        f"tier {cell.tier}, {cell.label or 'all'}: {cell.done} of the {cell.needed} labels that the minimum asks for in {cell.days} day{'' if cell.days == 1 else 's'}"
        for cell in short[:MOST_SHORT]
    ]
    if len(short) > MOST_SHORT:
        words.append(f"other tiers and segments with fewer labels than the minimum asks for: {len(short) - MOST_SHORT}")
    shares = {s.stratum: s.done / s.drawn for s in strata if s.drawn >= FEWEST_DRAWN}
    best = max(shares.values(), default=0.0)
    words += [
        f"stratum {name}: {share:.0%} of its draws are judged, of another one {best:.0%}; its labels stand for more than their inclusion probability says"
        for name, share in shares.items()
        if share < best - BEHIND
    ]
    if queue.expired:
        words.append(f"drawn decisions without a label whose text may no longer be shown: {queue.expired}")
    words += [f"{PROBLEMS.get(reason, reason.replace('_', ' '))}: {n}" for reason, n in problems.items()]
    return words
