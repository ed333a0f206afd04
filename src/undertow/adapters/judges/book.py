"""What is kept of a judge's work in a store: how far it has come (`state/judge.json`), and results on anchors (`state/anchors.jsonl`)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from undertow.adapters.one_writer import alone, in_turn
from undertow.adapters.store.layout import utc_text
from undertow.adapters.store.row_log import PAIRS, row_lines
from undertow.adapters.whole_file import write_whole
from undertow.errors import ConfigError
from undertow.records.judged import ANCHOR_RESULTS, JUDGE_SCHEMA, JUDGE_STATE, Anchor, AnchorResult, JudgeState
from undertow.records.runtime_files import SAMPLING
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import AnswerPair

OVERLAP = timedelta(days=1)
"""Pairs come in about the order in which they were answered; one may be so much late and is still judged."""
MAX_ANCHOR_FILE_BYTES = 200_000_000
MAX_RESULTS = 100_000
"""Results on anchors that are kept; years of them."""
_DAYS_OF_DONE = 2 * OVERLAP


class _Salted(msgspec.Struct):
    salt: str = "undertow"


class _Head(msgspec.Struct):
    """As much of a pair as tells whether it waits: most do not, and their texts need not be held."""

    decision_id: str
    answered_at: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Pairs that are to be judged.

    Attributes:
        pairs: In the order in which they were answered.
        broken: Lines of the store that are no pair.
    """

    pairs: list[AnswerPair]
    broken: int


class JudgeBook:
    """The book of one store.

    Args:
        root: The store's root folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / JUDGE_STATE
        self._results = root / ANCHOR_RESULTS

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the book; False: another process judges this store.

        Raises:
            OSError: The lock cannot be opened.
        """
        with alone(self._root / "state" / "judge.lock") as is_mine:
            yield is_mine

    def state(self) -> JudgeState:
        """How far the judge has come; a new one where there is no file.

        Raises:
            ConfigError: The file is none of ours.
            OSError: It cannot be read.
        """
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=JudgeState)
        except FileNotFoundError:
            return JudgeState()
        except UNREADABLE:
            state = None
        if state is None or state.schema != JUDGE_SCHEMA or (state.until and _moment(state.until) is None):
            raise ConfigError(
                f"{self._path}: this is no state of the judge; remove it: what waits in pairs/ is then judged once more, and no label is doubled"
            )
        return state

    def write(self, state: JudgeState) -> None:
        """Keep it.

        Raises:
            OSError: It cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, msgspec.json.encode(state) + b"\n")

    def salt(self) -> str:
        """By which decisions of this store are drawn; the default where no rates were written yet."""
        try:
            return msgspec.json.decode((self._root / SAMPLING).read_bytes(), type=_Salted).salt
        except (OSError, *UNREADABLE):
            return _Salted().salt

    def waiting(self, state: JudgeState, now: datetime | None = None) -> Waiting:
        """Pairs of the store that are not done.

        Args:
            state: How far the judge has come.
            now: The time, aware: a state that is ahead of it, from a clock that was set back since, hides no pair. None: not looked at.

        Raises:
            OSError: A segment cannot be read.
        """
        until = _moment(state.until)
        if until is not None and now is not None:
            until = min(until, now)
        earliest = None if until is None else until - OVERLAP
        heads, whole = msgspec.json.Decoder(_Head), msgspec.json.Decoder(AnswerPair)
        seen = set(state.done)
        found: list[tuple[datetime, AnswerPair]] = []
        broken = 0
        for line in row_lines(self._root, PAIRS, earliest):
            try:
                head = heads.decode(line)
                at = _moment(head.answered_at)
                if at is None:
                    broken += 1
                elif head.decision_id not in seen and (
                    earliest is None or at >= earliest or head.decision_id in state.failed
                ):
                    found.append((at, whole.decode(line)))
                    seen.add(head.decision_id)
            except UNREADABLE:
                broken += 1
        return Waiting([pair for _, pair in sorted(found, key=lambda each: each[0])], broken)

    def results(self) -> list[AnchorResult]:
        """What judges said of anchors, in the order in which they said it; lines that are none are left.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            lines = self._results.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        decoder = msgspec.json.Decoder(AnchorResult)
        found = []
        for line in lines:
            try:
                found.append(decoder.decode(line))
            except UNREADABLE:
                continue
        return found

    def add_results(self, results: Sequence[AnchorResult]) -> None:
        """Keep results on anchors, after those that this or another process has kept.

        Raises:
            OSError: They cannot be written.
        """
        with in_turn(self._results.with_suffix(".lock")):
            kept = [*self.results(), *results][-MAX_RESULTS:]
            write_whole(self._results, b"".join(msgspec.json.encode(result) + b"\n" for result in kept))


def advanced(
    state: JudgeState, done: Sequence[AnswerPair], counts: Mapping[str, int], failed: Sequence[str], now: datetime
) -> JudgeState:
    """The state after some more pairs.

    Args:
        state: Before.
        done: Pairs that are done, whatever became of them.
        counts: What became of them, by outcome.
        failed: Decisions of pairs that still wait after another try.
        now: The time, aware. Pairs that were answered later, by a clock that was ahead, do not put off those that come before them.

    Examples:
        >>> at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> after = advanced(JudgeState(), (), {"wins": 1}, ("d1",), at)
        >>> after.counts, after.failed, after.day
        ({'wins': 1}, {'d1': 1}, '2026-03-01')
    """
    known = state.done | {pair.decision_id: pair.answered_at for pair in done}
    until = max((*known.values(), state.until), key=_order)
    if _order(until) > now:
        until = utc_text(now.timestamp())
    edge = _order(until)
    young = {name: at for name, at in known.items() if edge - _order(at) <= _DAYS_OF_DONE}
    tries = {name: count for name, count in state.failed.items() if name not in known}
    for name in failed:
        tries[name] = tries.get(name, 0) + 1
    day = now.astimezone(UTC).date().isoformat()
    return JudgeState(
        until=until,
        done=young,
        failed=tries,
        counts=_added(state.counts, counts),
        day=day,
        today=_added(state.today if state.day == day else {}, counts),
    )


def read_anchors(path: Path) -> list[Anchor]:
    """The anchors of a file: JSON lines of `request`, `answer_a`, `answer_b`, `human` (A, B or tie), and `segment` if rubrics need it.

    Raises:
        ConfigError: The file cannot be read, or a line is no anchor; it names the line.
    """
    try:
        if path.stat().st_size > MAX_ANCHOR_FILE_BYTES:
            raise ConfigError(
                f"{path}: larger than {MAX_ANCHOR_FILE_BYTES // 1_000_000} MB; a few hundred anchors are enough"
            )
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; see judge.anchors") from None
    decoder = msgspec.json.Decoder(Anchor)
    anchors: dict[tuple[str, str, str], tuple[int, Anchor]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            anchor = decoder.decode(line)
        except UNREADABLE:  # their texts may quote the line
            raise ConfigError(
                f'{path}:{number}: this is no anchor; expected {{"request": "...", "answer_a": "...", "answer_b": "...", "human": "A"}} '
                "with human A, B or tie, in UTF-8"
            ) from None
        first, same = anchors.setdefault((anchor.request, anchor.answer_a, anchor.answer_b), (number, anchor))
        if same.human != anchor.human:
            raise ConfigError(
                f"{path}:{number}: human is {anchor.human}, but line {first} has the same pair with {same.human}; keep one of them"
            )
    if not anchors:
        raise ConfigError(f"{path}: no anchors in it; expected one JSON object a line")
    return [anchor for _, anchor in anchors.values()]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _order(text: str) -> datetime:
    return _moment(text) or datetime.min.replace(tzinfo=UTC)


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
