"""Texts of live requests that a store holds: those drawn for review or shadow, and those kept in the log."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.store.row_log import PAIRS, SAMPLED, read_rows
from undertow.adapters.training.kept_text import asked_text
from undertow.adapters.training.reading import LogReader
from undertow.errors import LogError
from undertow.ports.audit_source import Progress, silent
from undertow.records.suite import LiveText
from undertow.records.watched import AnswerPair, SampledText

MAX_TEXTS = 4_000
"""Different texts that are compared: the comparison takes memory with their square. The latest are kept."""

_TURN = re.compile(r"(?:\A|\n\n)(user|assistant|system|developer|tool|unknown): ")
_COLUMNS = {
    "decision_id": "VARCHAR",
    "event_time": "VARCHAR",
    "origin": "VARCHAR",
    "segment": "MAP(VARCHAR, VARCHAR)",
    "prompt": "VARCHAR",
}


def read_live_texts(root: Path, progress: Progress = silent) -> list[LiveText]:
    """The last user message of every live request whose text is kept, like ones once with all their traffic.

    A drawn text counts 1 / its inclusion probability.

    Args:
        root: The store's root folder.
        progress: Told which file is read.

    Raises:
        LogError: The store holds no text.
        OSError: It cannot be read.
    """
    found: dict[str, LiveText] = {}
    seen: set[str] = set()
    for decision_id, at, segment, text, weight in (*_drawn(root), *_kept(root, progress)):
        key = " ".join(text.casefold().split())
        if decision_id in seen or not key:
            continue
        seen.add(decision_id)
        before = found.get(key)
        if before is None:
            found[key] = LiveText(text=text, segment=segment, traffic=weight, at=at)
        else:
            found[key] = replace(before, traffic=before.traffic + weight, at=max(at, before.at))
    if not found:
        raise LogError(
            f"{root}: no text of live requests is kept; set [retention] sampled_text_days with [review] or [shadow], or text_days"
        )
    return sorted(found.values(), key=lambda one: one.at, reverse=True)[:MAX_TEXTS]


def last_user_turn(transcript: str) -> str:
    r"""The last user message of a conversation as it is kept for people.

    Examples:
        >>> last_user_turn("system: Be brief.\n\nuser: Where is\n\nmy order?")
        'Where is\n\nmy order?'
        >>> last_user_turn("Where is it?")
        'Where is it?'
    """
    turns = list(_TURN.finditer(transcript))
    for place in range(len(turns) - 1, -1, -1):
        if turns[place][1] == "user":
            end = turns[place + 1].start() if place + 1 < len(turns) else len(transcript)
            return transcript[turns[place].end() : end].strip()
    return "" if turns else transcript.strip()


def _drawn(root: Path) -> Iterator[tuple[str, str, dict[str, str], str, float]]:
    for one in read_rows(root, SAMPLED, SampledText).rows:
        yield (
            one.decision_id,
            one.event_time,
            one.segment,
            last_user_turn(one.prompt),
            _weight(one.inclusion_probability),
        )
    for pair in read_rows(root, PAIRS, AnswerPair).rows:
        yield (
            pair.decision_id,
            pair.event_time,
            pair.segment,
            last_user_turn(pair.prompt),
            _weight(pair.inclusion_probability),
        )


def _weight(probability: float) -> float:
    return 1.0 / probability if 0.0 < probability <= 1.0 else 1.0


def _kept(root: Path, progress: Progress) -> Iterator[tuple[str, str, dict[str, str], str, float]]:
    try:
        files = find_files(LogInputs((str(root),))).of("decisions")
    except LogError:  # only texts that were drawn
        return
    with tempfile.TemporaryDirectory(prefix="undertow-suite-") as folder:
        engine = open_engine("1000MB", None, folder)
        try:
            reader = LogReader(engine, Path(folder), progress)
            reader.fill("kept", _COLUMNS, files, "prompt IS NOT NULL AND coalesce(origin, 'live') = 'live'")
            rows = engine.execute(
                f"SELECT decision_id, event_time, segment, prompt FROM kept ORDER BY event_time DESC LIMIT {10 * MAX_TEXTS}"
            ).fetchall()
        finally:
            engine.close()
    for decision_id, at, segment, prompt in rows:
        yield str(decision_id), str(at or ""), dict(segment or {}), asked_text(str(prompt)), 1.0
