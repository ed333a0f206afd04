"""A log joined with its signals becomes labelled answers: cheap answers that were judged when they came, and how good they were.

Rules. A decision counts if it was live, eligible, and its answer of the tier in question was measured (columns `features`, `score`). One
source of labels is used, the first of `SOURCES` with at least `ENOUGH` labels (else the one with most), or the signal that is
named. In a pair `value` is of the answer that was served and `reference_value` of the other tier's, so a pair tells of withheld answers
too; a single label tells only of the answer that was served, and there every failure counts as a loss, even where the capable
tier would have failed as well. Several labels of a decision are averaged. Labels of one sampling design are used
(`undertow.adapters.training.designs`). Volunteered labels are no sample of anything and are left out, as are sampled ones without an
inclusion probability.

Labels are weighted to the requests of the labelled period, by strata; what they do not cover comes as rows without a label
(`undertow.adapters.training.frame`, `undertow.records.labelled_answers`).
"""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogFile, LogInputs, find_files
from undertow.adapters.duckdb.sql import identifier, literal, literals
from undertow.adapters.training.designs import drawn_labels, one_design, reach_notes, set_others_aside
from undertow.adapters.training.frame import Blind, Frame, Labels, frame_of, plan
from undertow.adapters.training.judged import OUTSIDE, Asked, judged_sql
from undertow.adapters.training.kept_text import asked_text
from undertow.adapters.training.log import parse_signal
from undertow.adapters.training.reading import LogReader, of_interest
from undertow.ports.audit_source import Progress, silent
from undertow.records.columns import CALLS_SQL_TYPE, DEFAULT_SELECTION
from undertow.records.labelled_answers import LabelledAnswers

KINDS = ("review", "shadow", "judge")
SOURCES = ("review pairs", "shadow pairs", "judge pairs", "review", "judge")
"""Sorts of labels, the better first: pairs before single ones, people before judges."""

ENOUGH = 200
"""Labels from which on a better source is preferred to a more numerous one."""

MOST_WITHHELD = 50_000
"""More answers without a label than these are sampled."""

HIDDEN = ("another_tier_judged", "never_served", "no_features")
"""Reasons for which a withheld answer cannot be judged, though it is known that it was withheld."""

FRAME_PART = (
    "CASE WHEN stratum IN ('served', 'withheld') THEN reason IS NULL "
    f"ELSE tier IS NOT NULL AND coalesce(reason, '') NOT IN ({literals(OUTSIDE)}) END"
)
"""Which decisions labels of their stratum stand for: those that could have been used; any request, where the tier was not asked."""

SINGLE_NOTE = (
    "labels of one answer alone: every failure of the cheap tier counts as a loss, even where the capable tier would have failed too, so "
    "losses are overstated rather than understated"
)
COLUMNS = (
    "decision_id, event_time, segment, prompt, features, score, cheap_usd, capable_usd, answered_by, is_always_served"
)

DECISIONS = {
    "decision_id": "VARCHAR",
    "event_time": "TIMESTAMP",
    "origin": "VARCHAR",
    "mode": "VARCHAR",
    "eligible": "BOOLEAN",
    "arm": "VARCHAR",
    "segment": "MAP(VARCHAR, VARCHAR)",
    "first_tier": "VARCHAR",
    "tier": "VARCHAR",
    "model": "VARCHAR",
    "escalated": "BOOLEAN",
    "reason": "VARCHAR",
    "score": "DOUBLE",
    "confidence": "DOUBLE",
    "confidence_kind": "VARCHAR",
    "features": "MAP(VARCHAR, DOUBLE)",
    "calls": CALLS_SQL_TYPE,
    "cost_usd": "DOUBLE",
    "baseline_cost_usd": "DOUBLE",
    "prompt": "VARCHAR",
}
SIGNALS = {
    "signal_id": "VARCHAR",
    "event_time": "TIMESTAMP",
    "received_at": "TIMESTAMP",
    "decision_id": "VARCHAR",
    "kind": "VARCHAR",
    "name": "VARCHAR",
    "value": "DOUBLE",
    "selection": "VARCHAR",
    "inclusion_probability": "DOUBLE",
    "pair_probability": "DOUBLE",
    "reference_value": "DOUBLE",
    "source": "VARCHAR",
}


def read_answers(
    inputs: Sequence[str],
    *,
    tier: str,
    capable_tier: str,
    signals: Sequence[str] = (),
    signal: str | None = None,
    since: datetime | None = None,
    origins: tuple[str, ...] = ("live",),
    progress: Progress = silent,
) -> LabelledAnswers:
    """The labelled answers of one tier in a log.

    Args:
        inputs: Files, folders, globs, or a store's root folder; open segments are read too.
        tier: Whose answers are judged.
        capable_tier: What they are compared with.
        signals: More files of signals.
        signal: `kind.name` of the labels; None: see the rules above.
        since: Only decisions from then on (aware, or naive UTC).
        origins: Decisions of these origins; one without an origin is live.
        progress: Told which file is read.

    Returns:
        Rows in the order of their decision ids, labelled ones first. Empty where there is no label that can be used: `reasons` says why.

    Raises:
        LogError: Nothing that can be read is there.
        UsageError: `signal` is no kind and name.
    """
    wanted = None if signal is None else parse_signal(signal)
    moment = None if since is None else since.replace(tzinfo=None) - (since.utcoffset() or since - since)
    asked = Asked(tier, capable_tier, origins, moment)
    found = find_files(LogInputs(tuple(inputs), signals=tuple(signals)))
    with tempfile.TemporaryDirectory(prefix="undertow-calibrate-") as folder:
        engine = open_engine("1500MB", None, folder)
        try:
            reader = LogReader(engine, Path(folder), progress)
            reader.fill("signals", SIGNALS, found.of("signals"), of_interest(wanted, KINDS))
            _rate(engine)
            _make_labels(engine)
            decisions = found.of("decisions")
            reader.fill("decisions", DECISIONS, decisions, "decision_id IN (SELECT decision_id FROM labels)")
            _make_rows(engine, asked)
            source = _chosen_source(engine, reader)
            if source is None:
                _count_aside(engine, reader)
                return LabelledAnswers(
                    {}, np.zeros(0, bool), np.zeros(0), source=signal or "signals", reasons=_sorted(reader)
                )
            mine = f"reason IS NULL AND source = {literal(source)}"
            _make_frame(engine, reader, decisions, asked, mine)
            notes = [] if source.endswith("pairs") else [SINGLE_NOTE]
            notes += _keep_one_design(engine, asked, mine)
            _count_aside(engine, reader)
            return _answers(engine, reader, mine, signal or source, notes)
        finally:
            engine.close()


def _rate(engine: duckdb.DuckDBPyConnection) -> None:
    """Table `rated`: signals with the sort of label that each is, or why it is none."""
    defaults = " ".join(
        f"WHEN {literal(kind)} THEN {literal(selection)}" for kind, selection in DEFAULT_SELECTION.items()
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rated AS
        SELECT * EXCLUDE (source), coalesce(source, '') AS given_by, CASE WHEN selected <> 'sampled' THEN 1.0 WHEN reference_value IS NULL OR NOT coalesce(pair_probability > 0, false)
                    THEN inclusion_probability ELSE least(inclusion_probability, pair_probability) END AS probability,
               kind || CASE WHEN reference_value IS NULL THEN '' ELSE ' pairs' END AS source,
               CASE WHEN value IS NULL OR NOT (value BETWEEN 0 AND 1) OR NOT coalesce(reference_value BETWEEN 0 AND 1, true) THEN 'bad_value'
                    WHEN kind = 'shadow' AND reference_value IS NULL THEN 'no_reference_value'
                    WHEN selected NOT IN ('sampled', 'census') THEN 'volunteered'
                    WHEN selected = 'sampled' AND NOT coalesce(inclusion_probability > 0 AND inclusion_probability <= 1, false)
                    THEN 'no_inclusion_probability' END AS reason
        FROM (SELECT *, coalesce(selection, CASE kind {defaults} ELSE 'unknown' END) AS selected
              FROM signals QUALIFY signal_id IS NULL OR row_number() OVER (PARTITION BY signal_id ORDER BY decision_id, value) = 1)
        """
    )


def _make_labels(engine: duckdb.DuckDBPyConnection) -> None:
    """Table `labels`: one row a decision and source."""
    engine.execute(
        """
        CREATE OR REPLACE TEMP TABLE labels AS
        SELECT decision_id, source, avg(value) AS value, avg(reference_value) AS reference_value,
               1 / max(probability) AS weight,
               epoch(max(greatest(event_time, coalesce(received_at, event_time)))) AS available_at
        FROM rated WHERE reason IS NULL GROUP BY decision_id, source
        """
    )


def _make_rows(engine: duckdb.DuckDBPyConnection, asked: Asked) -> None:
    """Table `rows`: each label with its decision, whether it says that the cheap answer was good, and why it cannot be used."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {judged_sql('decisions', asked)}")
    engine.execute(
        """
        CREATE OR REPLACE TEMP TABLE rows AS
        SELECT l.source, l.weight, l.available_at, d.* EXCLUDE (reason, tier),
               CASE WHEN l.reference_value IS NULL THEN l.value >= 0.5 WHEN d.is_served THEN l.value >= l.reference_value
                    ELSE l.reference_value >= l.value END AS good,
               CASE WHEN d.decision_id IS NULL THEN 'no_decision' WHEN d.reason IS NOT NULL THEN d.reason
                    WHEN l.reference_value IS NULL AND NOT d.is_served THEN 'not_served_cheaply' END AS reason
        FROM labels l LEFT JOIN judged d USING (decision_id)
        """
    )


def _chosen_source(engine: duckdb.DuckDBPyConnection, reader: LogReader) -> str | None:
    """The sort of labels that is used; None: there is none. Usable ones of the other sorts are counted as left out."""
    usable = {
        str(source): int(n)
        for source, n in engine.execute(
            "SELECT source, count(*) FROM rows WHERE reason IS NULL GROUP BY source"
        ).fetchall()
    }
    order = [*SOURCES, *sorted(usable.keys() - set(SOURCES))]
    chosen = next((source for source in order if usable.get(source, 0) >= ENOUGH), None)
    if chosen is None and usable:
        chosen = max(order, key=lambda source: usable.get(source, 0))
    for source, n in usable.items():
        if source != chosen:
            reader.count(f"other_source_{source.replace(' ', '_')}", n)
    return chosen


def _count_aside(engine: duckdb.DuckDBPyConnection, reader: LogReader) -> None:
    for table in ("rated", "rows"):
        for reason, n in engine.execute(
            f"SELECT reason, count(*) FROM {identifier(table)} WHERE reason IS NOT NULL GROUP BY 1"
        ).fetchall():
            reader.count(str(reason), int(n))


def _make_frame(
    engine: duckdb.DuckDBPyConnection, reader: LogReader, decisions: tuple[LogFile, ...], asked: Asked, mine: str
) -> None:
    """Table `frame`: every request of the labelled period, labelled or not."""
    columns = {name: kind for name, kind in DECISIONS.items() if name != "prompt"}
    counted = dict(reader.reasons)
    reader.fill("everything", columns, decisions, f"{_period(engine, mine)} AND decision_id IS NOT NULL")
    reader.reasons = counted  # the same files as before: what cannot be read in them is counted already
    engine.execute("ALTER TABLE everything ADD COLUMN prompt VARCHAR")
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE frame AS SELECT *, {FRAME_PART} AS is_countable FROM ({judged_sql('everything', asked)})"
    )


def _period(engine: duckdb.DuckDBPyConnection, mine: str) -> str:
    """The condition that a decision falls between the first and the last that is labelled."""
    first, last = engine.execute(f"SELECT min(event_time), max(event_time) FROM rows WHERE {mine}").fetchone() or (
        None,
        None,
    )
    if first is None:
        return "true"
    return f"event_time BETWEEN TIMESTAMP {literal(str(first))} AND TIMESTAMP {literal(str(last))}"


def _frame(engine: duckdb.DuckDBPyConnection) -> Frame:
    found = engine.execute("SELECT stratum, hour, count(*) FROM frame WHERE is_countable GROUP BY ALL").fetchall()
    return frame_of(found)


def _keep_one_design(engine: duckdb.DuckDBPyConnection, asked: Asked, mine: str) -> list[str]:
    """Sets labels of other designs aside where designs are mixed; what is to be said of it."""
    condition = _signals_of(mine)
    design = one_design(drawn_labels(engine, condition), _reach(engine, mine))
    notes = []
    if design is not None:
        set_others_aside(engine, design, condition)
        _make_labels(engine)
        _make_rows(engine, asked)
        engine.execute(f"DELETE FROM frame WHERE NOT coalesce({_period(engine, mine)}, false)")
        notes.append(
            f"more than one sampling design drew these labels: those of {design} are used. Inclusion probabilities that count every design "
            "(drawn by any of them) would let all be used"
        )
    # Withheld answers that labels do not cover are seen to where labels are weighted.
    asked_for = f"{mine} AND stratum <> 'withheld'"
    rest = drawn_labels(engine, _signals_of(asked_for))
    return notes + (reach_notes(rest, _reach(engine, asked_for)) if len(rest.decision) else [])


def _signals_of(mine: str) -> str:
    """The condition that a rated signal belongs to a row of these."""
    return f"(decision_id, source) IN (SELECT (decision_id, source) FROM rows WHERE {mine})"


def _reach(engine: duckdb.DuckDBPyConnection, mine: str) -> float:
    """How many requests the strata hold that have labels."""
    frame = _frame(engine)
    strata = engine.execute(f"SELECT DISTINCT stratum FROM rows WHERE {mine}").fetchall()
    return float(sum(frame.count(str(stratum)) for (stratum,) in strata))


def _answers(
    engine: duckdb.DuckDBPyConnection, reader: LogReader, mine: str, source: str, notes: list[str]
) -> LabelledAnswers:
    rows = engine.execute(
        f"SELECT {COLUMNS}, good, weight, available_at, stratum, hour FROM rows WHERE {mine} ORDER BY decision_id"
    ).fetchall()
    made = plan(
        Labels(
            np.array([row[13] for row in rows]),
            np.array([row[14] for row in rows], dtype=np.int64),
            np.array([float(row[11]) for row in rows]),
        ),
        _frame(engine),
        ENOUGH,
    )
    for reason, n in made.left_out.items():
        reader.count(reason, n)
    weight = made.weight[made.weight > 0]
    rows = [row for row, stands_for in zip(rows, made.weight, strict=True) if stands_for > 0]
    good = np.array([bool(row[10]) for row in rows])
    available = np.array([np.nan if row[12] is None else float(row[12]) for row in rows])
    times = [row[1] for row in rows if row[1] is not None]
    known = np.ones(len(rows), dtype=bool)
    for blind in made.blind:
        others, n = _unlabelled(engine, blind)
        if others:
            rows = [*rows, *others]
            weight = np.append(weight, np.full(len(others), n / len(others)))
            good = np.append(good, np.zeros(len(others), dtype=bool))
            known = np.append(known, np.zeros(len(others), dtype=bool))
            available = np.append(available, np.full(len(others), np.nan))
    texts = tuple(asked_text(str(row[3])) if row[3] else "" for row in rows)
    always = np.array([bool(row[9]) for row in rows])
    return LabelledAnswers(
        features=_features(rows),
        good=good,
        weight=weight,
        segments=tuple(row[2] or {} for row in rows),
        cheap_cost_usd=_floats(row[6] for row in rows),
        capable_cost_usd=_floats(row[7] for row in rows),
        source=source,
        served_models=tuple(sorted({str(row[8]) for row in rows if row[8]})),
        from_at=_rfc3339(min(times)) if times else None,
        to_at=_rfc3339(max(times)) if times else None,
        texts=texts if any(texts) else (),
        decision_ids=tuple(str(row[0]) for row in rows),
        available_at=available,
        decided_at=_floats(None if row[1] is None else row[1].replace(tzinfo=UTC).timestamp() for row in rows),
        reasons=_sorted(reader),
        notes=(*notes, *made.notes),
        known=None if known.all() else known,
        always_served=always if always.any() else None,
    )


def _unlabelled(engine: duckdb.DuckDBPyConnection, blind: Blind) -> tuple[list[tuple[Any, ...]], int]:
    """Requests of a stratum that nobody labelled (a sample of them), and how many there are.

    Of a withheld answer that another tier's numbers replaced, or that had none, it is only known that it was withheld.
    """
    hours = "" if blind.hours is None else f" AND hour IN ({', '.join(map(str, sorted(blind.hours)))})"
    reasons = literals(("", *HIDDEN)) if blind.stratum == "withheld" else "''"
    condition = f"stratum = {literal(blind.stratum)} AND coalesce(reason, '') IN ({reasons}){hours}"
    (n,) = engine.execute(f"SELECT count(*) FROM frame WHERE {condition}").fetchone() or (0,)
    rows = engine.execute(
        f"""
        SELECT decision_id, event_time, segment, NULL, CASE WHEN reason IS NULL THEN features END, CASE WHEN reason IS NULL THEN score END,
               cheap_usd, capable_usd, answered_by, is_always_served
        FROM frame WHERE {condition} ORDER BY hash(decision_id), decision_id LIMIT {MOST_WITHHELD}
        """
    ).fetchall()
    return sorted(rows, key=lambda row: str(row[0])), int(n)


def _features(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Name -> values; a score of a log without features is the mean log-probability."""
    given = [row[4] or ({} if row[5] is None else {"mean_logprob": row[5]}) for row in rows]
    names = sorted({name for one in given for name, value in one.items() if value is not None})
    return {name: _floats(one.get(name) for one in given) for name in names}


def _floats(values: Any) -> Any:
    found = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"


def _sorted(reader: LogReader) -> dict[str, int]:
    return dict(sorted(reader.reasons.items()))
