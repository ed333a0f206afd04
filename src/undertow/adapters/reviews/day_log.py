"""A log from which a day is drawn, and the store that keeps the draws."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.duckdb.sql import literal
from undertow.adapters.reviews.conversation import readable
from undertow.adapters.reviews.exchange import file_records, text_of
from undertow.adapters.simulated.canonical import write_draws
from undertow.adapters.store.row_log import SAMPLED, RowLog
from undertow.adapters.training.reading import LogReader
from undertow.ports.audit_source import Progress, silent
from undertow.records.columns import DRAWS_SQL_TYPE
from undertow.records.review import Candidate, DayFrame, DrawRow, KeptDraws
from undertow.records.watched import SampledText
from undertow.sampling.batch import MEASURES

MEMORY_LIMIT = "1GB"
MOST_VALUES = 64
"""A key with more values divides a day into pieces that are too small."""

FILE_MODE = 0o640

MAX_TEXT = 200_000
"""Characters of a prompt or answer that are kept for a reviewer."""

_COLUMNS = {
    "decision_id": "VARCHAR", "event_time": "TIMESTAMP", "segment": "MAP(VARCHAR, VARCHAR)", "origin": "VARCHAR", "tier": "VARCHAR",
    "confidence": "DOUBLE", "novelty": "DOUBLE", "features": "MAP(VARCHAR, DOUBLE)", "draws": DRAWS_SQL_TYPE, "prompt": "VARCHAR", "response": "VARCHAR",
}  # fmt: skip


class StoreDayLog:
    """Implements `undertow.ports.review.DayLog` over files of a canonical log and a store.

    Args:
        store: The store's root folder: draws and texts go there.
        inputs: Files, folders or a store's root that hold the decisions.
        signals: More files of signals, whose judge's verdicts tell of disagreement.
        texts: A file with `decision_id`, `prompt` and `answer` of decisions whose text the log lacks, or None.
        redact: Cleans a text before it is written (`retention.redact`), or None. A text that it fails on is not kept.
        progress: Told what is done.
    """

    def __init__(
        self,
        store: Path,
        inputs: tuple[str, ...],
        signals: tuple[str, ...] = (),
        texts: Path | None = None,
        redact: Callable[[str], str] | None = None,
        progress: Progress = silent,
    ) -> None:
        self._store, self._inputs, self._texts = store, LogInputs(inputs, signals), texts
        self._redact, self._progress = redact, progress

    def read(self, day: date, segment_key: str | None) -> DayFrame:
        """The decisions of a UTC day."""
        with self._opened(day) as engine:
            key = segment_key or _best_key(engine)
            rows = engine.execute(
                f"""
                SELECT decision_id, tier, {_element("segment", key)}, map_keys(segment), map_values(segment), confidence, novelty,
                       greatest(1.0 - {_element("features", "agreement")}, disputed)
                FROM day LEFT JOIN disputes USING (decision_id) ORDER BY decision_id
                """
            ).fetchall()
            known = engine.execute(
                f"""
                SELECT count(confidence), count(novelty), count({_element("features", "agreement")}), count(disputed)
                FROM day LEFT JOIN disputes USING (decision_id)
                """
            ).fetchone()
            drawn = engine.execute(
                "SELECT count(*) FROM (SELECT unnest(draws) AS drawn FROM day) WHERE drawn.purpose = 'review'"
            ).fetchone()
        is_drawn = bool(drawn and drawn[0]) or self._path(day).exists()
        candidates = tuple(
            Candidate(
                str(decision_id),
                str(tier),
                "" if value is None else f"{key}={value}",
                tuple(f"{k}={v}" for k, v in zip(keys or (), values or (), strict=True)),
                confidence,
                novelty,
                disagreement,
            )
            for decision_id, tier, value, keys, values, confidence, novelty, disagreement in rows
        )
        measured = frozenset(name for name, many in zip(MEASURES, known or (), strict=True) if many)
        return DayFrame(candidates, key, is_drawn, measured)

    def keep(self, day: date, rows: Sequence[DrawRow], at: str) -> KeptDraws:
        """Write `draws/date=DAY/review-batch.parquet`, and the texts of what was chosen."""
        chosen = {row.decision_id: row for row in rows if row.chosen}
        texts = list(self._sampled(day, chosen))
        if texts:
            log = RowLog(self._store, SAMPLED, "draw")
            try:
                log.append(*texts)
                log.sync()
            finally:
                log.close()
        self._write_draws(day, rows, at)
        found = {text.decision_id for text in texts}
        return KeptDraws(len(rows), len(texts), tuple(key for key in chosen if key not in found))

    def _sampled(self, day: date, chosen: Mapping[str, DrawRow]) -> Iterator[SampledText]:
        given = {} if self._texts is None else _texts_of(self._texts, chosen)
        with self._opened(day) as engine:
            ids = ", ".join(literal(key) for key in chosen) or "''"
            rows = engine.execute(
                f"""
                SELECT decision_id, strftime(event_time, '%Y-%m-%dT%H:%M:%S.%g') || 'Z', tier, map_keys(segment), map_values(segment),
                       confidence, novelty, prompt, response
                FROM day WHERE decision_id IN ({ids}) ORDER BY decision_id
                """
            ).fetchall()
        for decision_id, at, tier, keys, values, confidence, novelty, prompt, response in rows:
            asked, answer = given.get(decision_id, (prompt, response))
            if not asked or answer is None:
                continue
            shown = self._redacted(readable(asked)[-MAX_TEXT:], readable(answer)[:MAX_TEXT])
            if shown is None:
                continue
            yield SampledText(
                decision_id=decision_id,
                event_time=at,
                tier=tier,
                segment=dict(zip(keys or (), values or (), strict=True)),
                inclusion_probability=chosen[decision_id].inclusion_probability,
                stratum=chosen[decision_id].stratum,
                confidence=confidence,
                novelty=novelty,
                prompt=shown[0],
                answer=shown[1],
            )

    def _redacted(self, prompt: str, answer: str) -> tuple[str, str] | None:
        """Both texts, cleaned; None: the user's function failed, and nothing is kept uncleaned."""
        if self._redact is None:
            return prompt, answer
        try:
            return self._redact(prompt), self._redact(answer)
        except Exception:  # noqa: BLE001 (the user's function may raise anything)
            return None

    def _path(self, day: date) -> Path:
        return self._store / "draws" / f"date={day.isoformat()}" / "review-batch.parquet"

    def _write_draws(self, day: date, rows: Sequence[DrawRow], at: str) -> None:
        path = self._path(day)
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.tmp")
        hidden.touch(FILE_MODE)  # made beforehand, so that its rows are at no moment for everybody to read
        arrays = {
            "id": np.array([row.decision_id for row in rows], dtype=object),
            "cell": np.array([row.stratum for row in rows], dtype=object),
            "p": np.array([row.inclusion_probability for row in rows]),
            "is_chosen": np.array([row.chosen for row in rows], dtype=bool),
        }
        with closing(open_engine(MEMORY_LIMIT, 1, None)) as engine:
            write_draws(
                engine,
                hidden,
                arrays,
                {
                    "decision_id": "id",
                    "drawn_at": f"timezone('UTC', CAST({literal(at)} AS TIMESTAMPTZ))",
                    "purpose": "'review'",
                    "stratum": "cell",
                    "inclusion_probability": "p",
                    "chosen": "is_chosen",
                },
            )
        hidden.rename(path)

    @contextmanager
    def _opened(self, day: date) -> Iterator[duckdb.DuckDBPyConnection]:
        """The engine with the tables `day` (served live decisions, each once) and `disputes` (decision_id, disputed)."""
        found = find_files(self._inputs)
        with (
            tempfile.TemporaryDirectory(prefix="undertow-draw-") as spool,
            closing(open_engine(MEMORY_LIMIT, None, spool)) as engine,
        ):
            reader = LogReader(engine, Path(spool), self._progress)
            when = f"event_time >= DATE {literal(day.isoformat())} AND event_time < DATE {literal(day.isoformat())} + 1"
            where = f"decision_id IS NOT NULL AND tier IS NOT NULL AND coalesce(origin, 'live') = 'live' AND {when}"
            reader.fill("decisions_of_day", _COLUMNS, found.of("decisions"), where)
            engine.execute(
                "CREATE TEMP TABLE day AS SELECT * FROM decisions_of_day QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY event_time) = 1"
            )
            columns = {"decision_id": "VARCHAR", "kind": "VARCHAR", "value": "DOUBLE", "reference_value": "DOUBLE"}
            reader.fill(
                "verdicts",
                columns,
                found.of("signals"),
                "decision_id IS NOT NULL AND kind IN ('judge', 'shadow') AND value BETWEEN 0 AND 1",
            )
            # A judge that finds the served answer worse, or simply bad.
            engine.execute(
                "CREATE TEMP TABLE disputes AS SELECT decision_id, max(greatest(coalesce(reference_value, 1.0) - value, 0.0)) AS disputed "
                "FROM verdicts GROUP BY decision_id"
            )
            yield engine


def _best_key(engine: duckdb.DuckDBPyConnection) -> str | None:
    """The key that most decisions have, with from 2 to 64 values."""
    row = engine.execute(
        f"""
        SELECT key FROM (SELECT unnest(map_keys(segment)) AS key, unnest(map_values(segment)) AS value FROM day)
        GROUP BY key HAVING count(DISTINCT value) BETWEEN 2 AND {MOST_VALUES} ORDER BY count(*) DESC, key LIMIT 1
        """
    ).fetchone()
    return None if row is None else str(row[0])


def _element(column: str, key: str | None) -> str:
    """SQL: the value of a key of a map, or null."""
    return "NULL" if key is None else f"map_extract({column}, {literal(key)})[1]"


def _texts_of(path: Path, chosen: Mapping[str, DrawRow]) -> dict[str, tuple[str, str]]:
    """Prompt and answer by decision, from a file of texts."""
    found = {}
    for _, row in file_records(path):
        if isinstance(row, str):
            continue
        key = text_of(row, "decision_id", "id")
        prompt, answer = row.get("prompt"), row.get("answer", row.get("response"))
        if key in chosen and isinstance(prompt, str) and isinstance(answer, str):
            found[key] = (prompt, answer)
    return found
