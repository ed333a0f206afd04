"""Which item a reviewer sees next.

What waits for one more rater, then the latest day, in an order that has nothing to do with the items. About every twentieth place holds a seeded
case.

How often each stratum and segment is drawn is settled by the rates (`undertow.sampling.quotas`), steering included. An order of its own here
would add a second choice that no inclusion probability knows: with three fifths of the reviews done and the long tail first, a mean failure rate
of .036 was estimated as .047. So what is judged of a day is a random part of what was drawn, and stands for the rest.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from undertow.records.review import Claim, ReviewRules
from undertow.reviewing.cases import DAY_S, Case, Cases, rank_of, seconds_of
from undertow.reviewing.resolving import Tally

SEED_EVERY = 20
"""One place in so many holds a seeded case, at a place drawn by hash."""

LAST_CHANCE_S = 86_400.0
"""Texts that are removed within this time have their last chance."""

CLAIM_S = 1_800.0
"""How long an item that was shown is kept for its reviewer."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item that needs votes.

    Attributes:
        case: The case.
        needed: Votes that it still needs.
        is_conflict: Its votes lie too far apart, and one more person is asked.
        is_last_chance: Its text is removed within a day.
        seen_by: Raters who voted or skipped.
    """

    case: Case
    needed: int
    is_conflict: bool
    is_last_chance: bool
    seen_by: frozenset[str]


def waiting_items(cases: Cases, tallies: Mapping[str, Tally], rules: ReviewRules, now_s: float) -> tuple[Waiting, ...]:
    """Items that need votes and whose text may still be shown; seeded cases are none.

    Examples:
        >>> case = Case("d", 0.0, "cheap", {}, "tail", 0.1, "?", "!")
        >>> [item.needed for item in waiting_items(Cases({"d": case}, {}, {}), {}, ReviewRules(raters=2), 60.0)]
        [2]
    """
    found = []
    for case in cases.by_id.values():
        age_s = now_s - case.at_s
        tally = tallies.get(case.decision_id)
        needed = rules.raters if tally is None else tally.needed
        if case.is_seeded or needed == 0 or age_s >= rules.text_days * DAY_S:
            continue
        seen = frozenset() if tally is None else tally.skipped_by | {vote.rater for vote in tally.votes}
        found.append(
            Waiting(
                case,
                needed,
                tally is not None and tally.state == "conflict",
                age_s >= rules.text_days * DAY_S - LAST_CHANCE_S,
                seen,
            )
        )
    return tuple(found)


def labels_of_day(cases: Cases, tallies: Mapping[str, Tally], now_s: float) -> Counter[tuple[str, str]]:
    """Decisions resolved on the UTC day of `now_s`, by tier and label; the empty label is the whole tier."""
    day = now_s // DAY_S
    done: Counter[tuple[str, str]] = Counter()
    for decision_id, tally in tallies.items():
        case = cases.by_id.get(decision_id)
        if case is None or case.is_seeded or tally.state != "resolved":
            continue
        if (seconds_of(tally.votes[-1].at) or 0.0) // DAY_S == day:
            done.update((case.tier, label) for label in ("", *case.labels))
    return done


def next_item(
    waiting: Sequence[Waiting],
    seeds: Iterable[Case],
    rater: str,
    place: int,
    claims: Iterable[Claim],
    now_s: float,
) -> Case | None:
    """The case to show a reviewer next; None: there is none for him.

    Args:
        waiting: Items that need votes.
        seeds: Seeded cases that he has not judged.
        rater: Who.
        place: How many items he has judged or skipped so far.
        claims: Who is at work on what.
        now_s: Unix seconds.

    Returns:
        What he was shown already and has not judged, else the next by the order of this module. Never what he judged or skipped, and
        never what as many others are at work on as votes are needed.

    Examples:
        >>> case = Case("d", 0.0, "cheap", {}, "tail", 0.1, "?", "!")
        >>> item = Waiting(case, 1, False, False, frozenset({"ann"}))
        >>> next_item([item], [], "bob", 0, [], 0.0) is case, next_item([item], [], "ann", 0, [], 0.0)
        (True, None)
        >>> next_item([item], [], "bob", 0, [Claim("d", "cid", 60.0)], 0.0)
    """
    held = [claim for claim in claims if claim.until > now_s]
    mine = {claim.decision_id for claim in held if claim.rater == rater}
    others = Counter(claim.decision_id for claim in held if claim.rater != rater)
    free = [w for w in waiting if rater not in w.seen_by and others[w.case.decision_id] < w.needed]
    unseen = sorted(seeds, key=lambda seed: rank_of(f"seed {rater}", seed.decision_id))
    for case in (*(w.case for w in free), *unseen):
        if case.decision_id in mine:
            return case
    if not free:
        return None
    if unseen and place % SEED_EVERY == _seed_place(rater, place // SEED_EVERY):
        return unseen[0]
    return min(free, key=_order).case


def _seed_place(rater: str, block: int) -> int:
    """Where in a block of places the seeded case stands, so that nobody can count to it."""
    return int(rank_of("place", f"{rater} {block}")[:8], 16) % SEED_EVERY


def _order(item: Waiting) -> tuple[bool, int, str]:
    return not item.is_conflict, -item.case.day, rank_of("order", item.case.decision_id)
