"""Labels one by one, from table `labels`, with the texts of their decisions: column `prompt`, else what a store keeps beside its log.

Only labels that may raise an alarm, whatever drew them, on a decision by its own id; never more than `MOST_ROWS`. The text of any other
decision never leaves the engine.
"""

from collections.abc import Iterable
from pathlib import Path

import duckdb
import msgspec
import numpy as np

from undertow.adapters.duckdb.grouping import Vocabulary, segment_code, tier_code
from undertow.adapters.store.row_log import PAIRS, SAMPLED, SKETCHES, read_rows, row_lines
from undertow.records.cells import BASIS_CODES
from undertow.records.label_grid import QUALITY_KINDS
from undertow.records.label_rows import MOST_ROWS, LabelRows, no_label_rows
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import TextSketch
from undertow.slices.keyed import SketchKey
from undertow.slices.sketch import Sketch

MOST_CHARS = 100_000
"""Longer prompts are cut to their last characters."""

IDS_AT_ONCE = 10_000

_NUMBERS = ("available", "decided", "tier", "arm", "eligible", "signal", "selection", "basis", "stratum")


class _Text(msgspec.Struct):
    """As much of a `SampledText` or an `AnswerPair` as is read."""

    decision_id: str
    prompt: str


def label_rows(
    engine: duckdb.DuckDBPyConnection,
    vocabulary: Vocabulary,
    *,
    has_prompts: bool,
    stores: Iterable[Path] = (),
    most: int = MOST_ROWS,
    sketch_key: bytes | None = None,
) -> LabelRows:
    """The labels, in order of time; those of the capable tier only where texts are looked for.

    Args:
        engine: Holds table `labels` (`label_cells.label_cells`), whose rows bear `decision`, and the types of `vocabulary`.
        vocabulary: Codes of tiers and segments.
        has_prompts: The log has a column `prompt` that holds something.
        stores: Root folders whose sampled/ and pairs/ are read for texts.
        sketch_key: Key of the stores' sketches, which stand in where there is no text; None: they are not read.
        most: Most rows; beyond that a part of the decisions is left out, chosen by the hash of their ids.

    Raises:
        OSError: A store's texts cannot be read.
    """
    kinds = ", ".join(f"'{kind}'" for kind in QUALITY_KINDS)
    bases = ", ".join(str(BASIS_CODES.index(name)) for name in ("human", "exact"))
    codes = "".join(
        f", coalesce({segment_code(vocabulary, place, f'segment_{place}')}, 0) AS code_{place}"
        for place in vocabulary.plan.places
    )
    roots = tuple(root for root in stores if any((root / folder).is_dir() for folder in (SAMPLED, PAIRS, SKETCHES)))
    has_texts = has_prompts or bool(roots)
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW rows_wanted AS
        SELECT decision, available, decided, {tier_code("tier")} AS tier, arm, eligible, signal, selection, basis, stratum, y AS failure,
               w AS weight{codes}
        FROM labels WHERE decision IS NOT NULL AND tier IS NOT NULL AND basis IN ({bases})
              AND kind IN ({kinds})
        """
    )
    total = _count(engine, "")
    if total == 0:
        return no_label_rows()
    parts = -(-total // most)
    kept = f"WHERE (decision >> 20) % {parts} = 0" if parts > 1 else "WHERE true"
    # Without texts there are no topics, and then nothing looks at labels of the capable tier one by one.
    read = kept if has_texts else f"{kept} AND tier <> {len(vocabulary.tiers) - 1}"
    order = "available, decision, signal, selection, basis, failure, weight"
    found = engine.execute(f"SELECT * FROM rows_wanted {read} ORDER BY {order} LIMIT {int(most)}").fetchnumpy()
    decision = np.asarray(found["decision"]).astype(np.uint64)
    # A million numbers of Python are dear where there is no text to look for.
    wanted = set(decision.tolist()) if has_texts else set()
    texts = _texts(engine, kept, wanted, has_prompts=has_prompts, stores=roots)
    sketches = {} if sketch_key is None else _sketches(engine, wanted - texts.keys(), roots, sketch_key)
    texts |= dict.fromkeys(sketches, "")
    left_out = total - min(_count(engine, kept), most) if parts > 1 else 0
    engine.execute("DROP VIEW rows_wanted")
    place = {key: at for at, key in enumerate(texts)}
    numbers = {name: np.asarray(found[name]).astype(np.int64) for name in _NUMBERS}
    segments = [np.asarray(found[f"code_{each}"]).astype(np.int64) for each in vocabulary.plan.places]
    return LabelRows(
        decision=decision,
        **numbers,
        failure=np.asarray(found["failure"]).astype(np.float64),
        weight=np.asarray(found["weight"]).astype(np.float64),
        segments=np.stack(segments, axis=1) if segments else np.zeros((len(decision), 0), dtype=np.int64),
        text=np.array([place.get(key, -1) for key in decision.tolist()], dtype=np.int64)
        if place
        else np.full(len(decision), -1, dtype=np.int64),
        texts=tuple(texts.values()),
        sketches=tuple(sketches.get(key) for key in texts) if sketches else (),
        left_out=left_out,
    )


def _count(engine: duckdb.DuckDBPyConnection, where: str) -> int:
    row = engine.execute(f"SELECT count(*) FROM rows_wanted {where}").fetchone()
    assert row is not None
    return int(row[0])


def _texts(
    engine: duckdb.DuckDBPyConnection, kept: str, wanted: set[int], *, has_prompts: bool, stores: Iterable[Path]
) -> dict[int, str]:
    """Text by hash of the decision's id."""
    found: dict[int, str] = {}
    if has_prompts:
        rows = engine.execute(
            f"SELECT hash(decision_id) AS id, right(any_value(prompt), {MOST_CHARS}) FROM decisions WHERE prompt <> '' "
            f"AND hash(decision_id) IN (SELECT decision FROM rows_wanted {kept}) GROUP BY 1 ORDER BY 1"
        ).fetchall()
        found.update((int(key), str(text)) for key, text in rows)
    decode = msgspec.json.Decoder(_Text).decode
    for root in stores:
        for folder in (SAMPLED, PAIRS):
            beside: dict[str, str] = {}
            for line in row_lines(root, folder):
                try:
                    text = decode(line)
                except UNREADABLE:
                    continue  # counted by those who watch; a broken line has no text
                beside[text.decision_id] = text.prompt[-MOST_CHARS:]
            for key, name in _hashes(engine, list(beside)):
                if key in wanted:
                    found.setdefault(key, beside[name])
    return found


def _sketches(
    engine: duckdb.DuckDBPyConnection, wanted: set[int], stores: Iterable[Path], key: bytes
) -> dict[int, Sketch]:
    """Sketches of decisions whose text is gone, by hash of the decision's id. Rows of another key cannot be told from ours, and are like noise."""
    found: dict[int, Sketch] = {}
    shown: SketchKey | None = None
    for root in stores:
        beside = {row.decision_id: row.hidden for row in read_rows(root, SKETCHES, TextSketch).rows}
        if not beside:
            continue
        shown = shown or SketchKey(key)
        for name, decision_id in _hashes(engine, list(beside)):
            sketch = shown.shown(beside[decision_id]) if name in wanted else None
            if sketch is not None:
                found.setdefault(name, sketch)
    return found


def _hashes(engine: duckdb.DuckDBPyConnection, names: list[str]) -> list[tuple[int, str]]:
    """The engine's hash of each id."""
    pairs: list[tuple[int, str]] = []
    for start in range(0, len(names), IDS_AT_ONCE):
        part = names[start : start + IDS_AT_ONCE]
        rows = engine.execute("SELECT hash(name), name FROM (SELECT unnest(?::VARCHAR[]) AS name)", [part]).fetchall()
        pairs += [(int(key), str(name)) for key, name in rows]
    return pairs
