"""Reviews in other tools: the queue as sheets to export, and labels that come back.

What does not fit is set aside, counted and shown, never guessed: unknown items, verdicts that are none, repeated labels, and labels of one
reviewer that contradict each other.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from undertow.ports.review import ReviewStore
from undertow.records.review import Claim, Imported, ImportNote, Label, ReviewRules, Sheet
from undertow.records.watched import Vote
from undertow.reviewing.answers import Verdict, read_verdict
from undertow.reviewing.cases import Case, seconds_of, sheet_of, time_text
from undertow.reviewing.queue import SEED_EVERY, next_item, waiting_items
from undertow.services.review import Seen

EXPORT = "export:"
"""Begins the name under which exported items are held."""

MAX_EXAMPLES = 10


def export_sheets(
    store: ReviewStore,
    look: Callable[[], Seen],
    rules: ReviewRules,
    *,
    limit: int,
    hold_s: float,
    now_s: float,
    name: str,
) -> tuple[Sheet, ...]:
    """The next sheets of the queue, held for a while so that nobody judges them here meanwhile.

    Args:
        store: Holds the claims.
        look: The store's cases and votes.
        rules: How decisions are reviewed.
        limit: Most items.
        hold_s: How long they are held, in seconds; 0: not at all.
        now_s: Unix seconds.
        name: Of this export; seeded cases go once into each.

    Raises:
        OSError: The store cannot be read or written.
    """
    holder = f"{EXPORT}{name}"

    def choose(claims: tuple[Claim, ...]) -> tuple[tuple[Claim, ...], list[Case]]:
        seen = look()
        known = [claim for claim in claims if claim.until > now_s]
        waiting = list(waiting_items(seen.cases, seen.tallies.by_id, rules, now_s))
        seeds = [case for case in seen.cases.by_id.values() if case.is_seeded][: max(limit // SEED_EVERY, 1)]
        chosen: list[Case] = []
        others = [claim for claim in known if claim.rater != holder]
        while len(chosen) < limit:
            case = next_item(waiting, seeds, holder, len(chosen), others, now_s)
            if case is None:
                break
            chosen.append(case)
            waiting = [item for item in waiting if item.case is not case]
            seeds = [seed for seed in seeds if seed is not case]
        # One export may be given to several people, so it holds an item for all the votes that it still needs.
        holding = [
            Claim(case.decision_id, f"{holder}:{place}", now_s + hold_s)
            for case in chosen
            for place in range(rules.raters)
            if not case.is_seeded and hold_s > 0
        ]
        return (*known, *holding), chosen

    return tuple(sheet_of(case, rules) for case in store.change_claims(choose))


def take_labels(
    labels: Sequence[Label],
    store: ReviewStore,
    look: Callable[[], Seen],
    rules: ReviewRules,
    *,
    now_s: float,
    format_: str,
    rater: str | None = None,
) -> Imported:
    """Turn the labels of a file into votes.

    Args:
        labels: As read.
        store: Keeps votes and notes.
        look: The store's cases and votes.
        rules: How decisions are reviewed.
        now_s: Unix seconds.
        format_: For the note.
        rater: Whose they are where the file does not say.

    Returns:
        What became of them. The same file a second time changes nothing.

    Raises:
        OSError: The votes could not be written.
    """
    seen = look()
    reasons: dict[int, str] = {}
    read: list[tuple[Label, str, Case, Verdict]] = []
    for label in labels:
        found = _read(label, seen, rater)
        if isinstance(found, str):
            reasons[label.row] = found
        elif found is not None:
            read.append((label, *found))
    votes, contradicting = _fresh(read, seen, rules, now_s, reasons)
    if votes:
        store.add_votes(tuple(votes))
        judged = {vote.decision_id for vote in votes}
        store.change_claims(lambda claims: (tuple(c for c in claims if not _is_export(c, judged)), None))
    counts = Counter(reasons.values())
    if votes or counts:
        store.note_import(
            ImportNote(
                at=time_text(now_s),
                format=format_,
                kept=len(votes),
                set_aside=dict(counts),
                by_rater=dict(contradicting),
            )
        )
    total = sum(label.verdict is not None or label.reason is not None for label in labels)
    return Imported(total, len(votes), dict(sorted(counts.items())), tuple(sorted(reasons.items())[:MAX_EXAMPLES]))


def _read(label: Label, seen: Seen, rater: str | None) -> tuple[str, Case, Verdict] | str | None:
    """Whose verdict of what it is; or why it is none; None where nobody has judged the item yet."""
    if label.reason is not None:
        return label.reason
    if label.verdict is None:
        return None
    case = seen.cases.by_item.get(label.item) or seen.cases.by_id.get(label.item)
    if case is None:
        return "unknown_item"
    who = (label.rater or rater or "").strip()
    if not who or not who.isprintable():
        return "no_rater"
    verdict = read_verdict(label.verdict, case, label.reference_value)
    return "out_of_range" if verdict is None else (who[:128], case, verdict)


def _fresh(
    read: Iterable[tuple[Label, str, Case, Verdict]],
    seen: Seen,
    rules: ReviewRules,
    now_s: float,
    reasons: dict[int, str],
) -> tuple[list[Vote], Mapping[str, int]]:
    """Votes of labels that are new and agree with themselves; the others' reasons go into `reasons`."""
    standing = {
        (vote.rater, tally.decision_id): Verdict(vote.value or 0.0, vote.reference_value)
        for tally in seen.tallies.by_id.values()
        for vote in tally.votes
    }
    grouped: dict[tuple[str, str], list[tuple[Label, Case, Verdict]]] = defaultdict(list)
    for label, who, case, verdict in read:
        grouped[who, case.decision_id].append((label, case, verdict))
    votes, contradicting = [], Counter[str]()
    for (who, decision_id), group in grouped.items():
        before = standing.get((who, decision_id))
        verdicts = {verdict for _, _, verdict in group}
        if len(verdicts) > 1 or (before is not None and before not in verdicts):
            reasons.update({label.row: "conflicting" for label, _, _ in group})
            contradicting[who] += 1
            continue
        if before is not None:
            reasons.update({label.row: "repeated" for label, _, _ in group})
            continue
        reasons.update({label.row: "repeated" for label, _, _ in group[1:]})
        votes.append(_vote(*group[0], who, rules, now_s))
    return votes, contradicting


def _vote(label: Label, case: Case, verdict: Verdict, who: str, rules: ReviewRules, now_s: float) -> Vote:
    at_s = None if label.at is None else seconds_of(label.at)
    # A time that cannot be stays as it is, for the status to show; one that is missing is the import's.
    at = time_text(now_s) if at_s is None else time_text(at_s)
    content = f"import {rules.name} {case.decision_id} {who} {verdict}"
    return Vote(
        vote_id=sha256(content.encode("utf-8", "replace")).hexdigest()[:32],
        decision_id=case.decision_id,
        at=at,
        rater=who,
        name=rules.name,
        value=verdict.value,
        reference_value=verdict.reference_value,
        seconds=label.seconds,
        is_side_by_side=case.reference_answer is not None,
        is_seeded=case.is_seeded,
    )


def _is_export(claim: Claim, judged: set[str]) -> bool:
    return claim.rater.startswith(EXPORT) and claim.decision_id in judged
