"""The reviewers' desk: the next item for a reviewer, his vote, undo and skip, and what comes of it all.

Terminal, browser and exchange of files use the same desk. Whatever ends a session, all that was voted is on the disk already. A signal is
written once the time is over in which a vote can be taken back, since signals cannot be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from undertow.errors import DataError, UsageError
from undertow.ports.decision_log import SignalLog
from undertow.ports.review import ReviewStore
from undertow.records.pseudonym import pseudonym
from undertow.records.review import Claim, ReviewRules, SeededCase, Sheet
from undertow.records.watched import Vote
from undertow.reviewing.answers import read_verdict
from undertow.reviewing.cases import DAY_S, Case, Cases, cases_of, seconds_of, sheet_of, time_text
from undertow.reviewing.labels import UNDO_S, is_settled, signal_of
from undertow.reviewing.queue import CLAIM_S, labels_of_day, next_item, waiting_items
from undertow.reviewing.resolving import Tallies, tally_votes
from undertow.reviewing.status import ReviewStatus, review_status

STATUS_DAYS = 90
"""Days of votes by which reviewers and their agreement are told: what somebody did a year ago says little of today."""

UNDO_MOST = 50
"""Votes of a reviewer that can be taken back one after the other."""

MAX_RATER = 128
"""Characters of a reviewer's name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The store as it was looked at.

    Attributes:
        cases: What can be judged.
        tallies: Votes on them, counted.
    """

    cases: Cases
    tallies: Tallies


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the day is.

    Attributes:
        today: Labels of today.
        per_day: Reviews that are planned for a day.
        waiting: Items that still need votes.
    """

    today: int
    per_day: int
    waiting: int


class ReviewDesk:
    """One desk for all reviewers of a store.

    Args:
        store: Texts, votes and claims.
        signals: Where labels go.
        rules: How decisions are reviewed.
        clock: Unix seconds.
        new_id: Makes an id that nobody else makes.
        id_key: Key of the pseudonyms that stand for reviewers in the signals, or None: a plain hash.
    """

    def __init__(
        self,
        store: ReviewStore,
        signals: SignalLog,
        rules: ReviewRules,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        id_key: bytes | None = None,
    ) -> None:
        self.rules = rules
        self._store, self._signals, self._clock, self._new_id, self._id_key = store, signals, clock, new_id, id_key
        self._written: set[str] = set()
        self._kept: dict[str, list[Vote]] = {}

    def next(self, rater: str) -> Sheet | None:
        """The item for a reviewer, kept for him for half an hour; the same again until he has judged or skipped it.

        Args:
            rater: His name.

        Returns:
            What he is to see, or None: nothing waits for him.

        Raises:
            UsageError: That is no name.
            OSError: The store cannot be read or written.
        """
        _check_rater(rater)

        def choose(claims: tuple[Claim, ...]) -> tuple[tuple[Claim, ...], Case | None]:
            now_s, seen = self._clock(), self.look()
            known = [c for c in claims if c.until > now_s]
            judged = _judged_by(rater, seen)
            seeds = [case for case in seen.cases.by_id.values() if case.is_seeded and case.decision_id not in judged]
            waiting = waiting_items(seen.cases, seen.tallies.by_id, self.rules, now_s)
            case = next_item(waiting, seeds, rater, len(judged), known, now_s)
            rest = [claim for claim in known if claim.rater != rater]
            mine = () if case is None else (Claim(case.decision_id, rater, now_s + CLAIM_S),)
            return (*rest, *mine), case

        case = self._store.change_claims(choose)
        return None if case is None else sheet_of(case, self.rules)

    def hold(self, rater: str, item: str) -> bool:
        """Keep an item that was shown for its reviewer for another half hour, where nobody else got it meanwhile.

        Args:
            rater: His name.
            item: The sheet's item.

        Returns:
            Whether it is his: False where he has judged it, others are at work on it or have judged it, or its text is gone.

        Raises:
            UsageError: That is no name.
            OSError: The store cannot be read or written.
        """
        _check_rater(rater)

        def renew(claims: tuple[Claim, ...]) -> tuple[tuple[Claim, ...], bool]:
            now_s, seen = self._clock(), self.look()
            case = seen.cases.by_item.get(item)
            if case is None:
                return claims, False
            known = tuple(claim for claim in claims if claim.until > now_s)
            held = _claimed(known, case.decision_id, rater, now_s + CLAIM_S)
            seeds = [case] if case.is_seeded and case.decision_id not in _judged_by(rater, seen) else []
            waiting = waiting_items(seen.cases, seen.tallies.by_id, self.rules, now_s)
            mine = [each for each in waiting if each.case.decision_id == case.decision_id]
            return (held, True) if next_item(mine, seeds, rater, 0, held, now_s) is not None else (claims, False)

        return self._store.change_claims(renew)

    def vote(self, rater: str, item: str, said: str | float, seconds: float | None = None) -> Vote:
        """Keep a reviewer's verdict.

        Args:
            rater: His name.
            item: The sheet's item.
            said: One of the words of `undertow.reviewing.answers`, or a number in [0, 1].
            seconds: Time that it took.

        Raises:
            UsageError: That is no verdict of this item, or no name.
            DataError: There is no such item.
            OSError: It could not be written.
        """
        case = self._case(item)
        verdict = read_verdict(said, case)
        if verdict is None:
            expected = "a, b, tie or neither" if case.reference_answer is not None else "y, n or 1 to 5"
            raise UsageError(f"{said!r} is no verdict of this item; expected {expected}")
        vote = self._vote(
            rater, case, value=verdict.value, reference_value=verdict.reference_value, seconds=seconds
        )  # fmt: skip
        self._keep(vote)
        return vote

    def has_judged(self, rater: str, item: str) -> bool:
        """Whether a reviewer has judged or skipped an item.

        Raises:
            DataError: There is no such item.
            OSError: The store cannot be read.
        """
        seen = self.look()
        case = self._case(item)
        return case.decision_id in _judged_by(rater, seen)

    def skip(self, rater: str, item: str, why: str, seconds: float | None = None) -> Vote:
        """Leave an item to others, and keep why.

        Raises:
            UsageError: No reason was given.
            DataError: There is no such item.
            OSError: It could not be written.
        """
        if not why.strip():
            raise UsageError(
                "an item is skipped with a reason, so that the rubric can be made better; say a word or two"
            )
        vote = self._vote(rater, self._case(item), skipped=why.strip()[:500], seconds=seconds)
        self._keep(vote)
        return vote

    def undo(self, rater: str) -> Vote | None:
        """Take back a reviewer's latest vote or skip at this desk, if its signal is not written yet; the item comes to him again.

        Returns:
            What was taken back; None: there is nothing that still can be.

        Raises:
            OSError: It could not be written.
        """
        now_s, last = self._clock(), self.undoable(rater)
        case = None if last is None else self.look().cases.by_id.get(last.decision_id)
        if last is None or case is None:
            return None
        self._store.add_votes((self._vote(rater, case, retracts=last.vote_id),))
        self._kept[rater].pop()
        self._store.change_claims(lambda claims: (_claimed(claims, case.decision_id, rater, now_s + CLAIM_S), None))
        return last

    def undoable(self, rater: str) -> Vote | None:
        """A reviewer's latest vote or skip at this desk, if it can still be taken back."""
        own = self._kept.get(rater, [])
        last = own[-1] if own else None
        if last is None or self._clock() - UNDO_S >= (seconds_of(last.at) or 0.0):
            return None
        return last

    def status(self) -> ReviewStatus:
        """Where the review stands: what waits, and what was said in the last 90 days.

        Raises:
            OSError: The store cannot be read.
        """
        now_s, material = self._clock(), self._store.material()
        cases = cases_of(material, self.rules)
        first = time_text(now_s - STATUS_DAYS * DAY_S)
        tallies = tally_votes((vote for vote in material.votes if vote.at >= first), self.rules)
        return review_status(material, cases, tallies, self._store.claims(), self.rules, now_s)

    def progress(self) -> Progress:
        """How far the day is.

        Raises:
            OSError: The store cannot be read.
        """
        now_s, seen = self._clock(), self.look()
        tallies = seen.tallies.by_id
        today = labels_of_day(seen.cases, tallies, now_s)
        return Progress(
            sum(n for (_, label), n in today.items() if not label),
            self.rules.per_day,
            len(waiting_items(seen.cases, tallies, self.rules, now_s)),
        )

    def publish(self, leaving: str | None = None) -> int:
        """Write the signals of resolved decisions whose votes can no longer be taken back. Call it now and then.

        Args:
            leaving: A reviewer whose session is over: he takes nothing back any more.

        Returns:
            How many signals were new.

        Raises:
            OSError: They could not be written; call it again.
        """
        now_s, seen = self._clock(), self.look()
        ready = {}
        for key, tally in seen.tallies.by_id.items():
            case = seen.cases.by_id.get(key)
            if case is None or key in self._written or not is_settled(tally, now_s, leaving):
                continue
            signal = signal_of(case, tally, self.rules, now_s, self._pseudonym)
            if signal is not None:
                ready[key] = signal
        if not ready:
            return 0
        is_new = self._signals.add(tuple(ready.values()))
        self._written.update(ready)
        return sum(is_new)

    def leave(self, rater: str) -> int:
        """End a reviewer's session: what he was shown goes to others, and his verdicts become signals.

        Returns:
            How many signals were new.

        Raises:
            OSError: The store could not be written; what he judged is kept all the same.
        """
        self._store.change_claims(lambda claims: (tuple(c for c in claims if c.rater != rater), None))
        self._kept.pop(rater, None)
        return self.publish(leaving=rater)

    def add_seeds(self, seeds: tuple[SeededCase, ...]) -> int:
        """Keep seeded cases that are not there yet; how many were new.

        Raises:
            OSError: They could not be written.
        """
        known = {seed.case_id for seed in self._store.material().seeds}
        fresh = {seed.case_id: seed for seed in seeds if seed.case_id not in known}
        if fresh:
            self._store.add_seeds(tuple(fresh.values()))
        return len(fresh)

    def look(self) -> Seen:
        """The store as it is now; votes on decisions whose text is gone are left out."""
        material = self._store.material()
        cases = cases_of(material, self.rules)
        here = (vote for vote in material.votes if vote.decision_id in cases.by_id)
        return Seen(cases, tally_votes(here, self.rules))

    def _case(self, item: str) -> Case:
        case = self.look().cases.by_item.get(item)
        if case is None:
            raise DataError(f"there is no item {item[:40]!r} here; its text may have been removed since it was shown")
        return case

    def _vote(self, rater: str, case: Case, **given: object) -> Vote:
        _check_rater(rater)
        values: Mapping[str, object] = {
            "vote_id": self._new_id(),
            "decision_id": case.decision_id,
            "at": time_text(self._clock()),
            "rater": rater,
            "name": self.rules.name,
            "is_side_by_side": case.reference_answer is not None,
            "is_seeded": case.is_seeded,
            **given,
        }
        return Vote(**values)  # type: ignore[arg-type]

    def _keep(self, vote: Vote) -> None:
        self._store.add_votes((vote,))
        kept = self._kept.setdefault(vote.rater, [])
        kept.append(vote)
        del kept[:-UNDO_MOST]
        self._store.change_claims(
            lambda claims: (
                tuple(c for c in claims if (c.decision_id, c.rater) != (vote.decision_id, vote.rater)),
                None,
            )
        )

    def _pseudonym(self, rater: str) -> str:
        hashed = (
            pseudonym(rater, self._id_key) if self._id_key else sha256(rater.encode("utf-8", "replace")).hexdigest()
        )
        return f"reviewer:{(hashed or '')[:12]}"


def _check_rater(rater: str) -> None:
    if not rater.strip() or not rater.isprintable() or len(rater) > MAX_RATER:
        raise UsageError(f"{rater[:40]!r} is no name of a reviewer; expected up to {MAX_RATER} printable characters")


def _judged_by(rater: str, seen: Seen) -> set[str]:
    """Decisions and seeded cases that a reviewer has judged or skipped."""
    return {
        key
        for key, tally in seen.tallies.by_id.items()
        if rater in tally.skipped_by or any(vote.rater == rater for vote in tally.votes)
    }


def _claimed(claims: tuple[Claim, ...], decision_id: str, rater: str, until: float) -> tuple[Claim, ...]:
    """The claims with one more; a reviewer holds one item at a time."""
    return (*(claim for claim in claims if claim.rater != rater), Claim(decision_id, rater, until))
