"""A log joined with its signals becomes labelled answers: cheap answers that were judged when they came, and how good they were.

Rules. A decision counts if it was live, eligible, and its answer of the tier in question was measured (columns `features`, `score`). One
source of labels is used, the first of `SOURCES` with at least `ENOUGH` labels (else the one with most), or the signal that is
named. In a pair `value` is of the answer that was served and `reference_value` of the other tier's, so a pair tells of withheld answers
too; a single label tells only of the answer that was served, and there every failure counts as a loss, even where the capable
tier would have failed as well. Several labels of a decision are averaged and count by the largest of their inclusion probabilities.
Volunteered labels are no sample of anything and are left out, as are sampled ones without an inclusion probability.

Where no withheld answer is labelled, the labels stand for the served ones alone; then the withheld ones of the same period come as rows
without a label (see `undertow.records.labelled_answers`).
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogFile, LogInputs, find_files
from undertow.adapters.duckdb.sql import identifier, literal, literals
from undertow.adapters.training.kept_text import asked_text
from undertow.adapters.training.log import parse_signal
from undertow.adapters.training.reading import LogReader
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
    "reference_value": "DOUBLE",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is wanted of the log."""

    tier: str
    capable_tier: str
    origins: tuple[str, ...]
    since: datetime | None


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
    asked = _Asked(tier, capable_tier, origins, moment)
    found = find_files(LogInputs(tuple(inputs), signals=tuple(signals)))
    with tempfile.TemporaryDirectory(prefix="undertow-calibrate-") as folder:
        engine = open_engine("1500MB", None, folder)
        try:
            reader = LogReader(engine, Path(folder), progress)
            reader.fill("signals", SIGNALS, found.of("signals"), _of_interest(wanted))
            _make_labels(engine, reader)
            decisions = found.of("decisions")
            reader.fill("decisions", DECISIONS, decisions, "decision_id IN (SELECT decision_id FROM labels)")
            _make_rows(engine, asked)
            source = _chosen_source(engine, reader)
            if source is None:
                return LabelledAnswers(
                    {}, np.zeros(0, bool), np.zeros(0), source=signal or "signals", reasons=_sorted(reader)
                )
            return _answers(engine, reader, decisions, asked, source, signal)
        finally:
            engine.close()


def _of_interest(wanted: tuple[str, str] | None) -> str:
    chosen = (
        f"kind IN ({literals(KINDS)})"
        if wanted is None
        else f"kind = {literal(wanted[0])} AND name = {literal(wanted[1])}"
    )
    return f"decision_id IS NOT NULL AND {chosen}"


def _make_labels(engine: duckdb.DuckDBPyConnection, reader: LogReader) -> None:
    """Table `labels`: one row a decision and source. What is no label is counted."""
    defaults = " ".join(
        f"WHEN {literal(kind)} THEN {literal(selection)}" for kind, selection in DEFAULT_SELECTION.items()
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rated AS
        SELECT *, kind || CASE WHEN reference_value IS NULL THEN '' ELSE ' pairs' END AS source,
               CASE WHEN value IS NULL OR NOT (value BETWEEN 0 AND 1) OR NOT coalesce(reference_value BETWEEN 0 AND 1, true) THEN 'bad_value'
                    WHEN kind = 'shadow' AND reference_value IS NULL THEN 'no_reference_value'
                    WHEN selected NOT IN ('sampled', 'census') THEN 'volunteered'
                    WHEN selected = 'sampled' AND NOT coalesce(inclusion_probability > 0 AND inclusion_probability <= 1, false)
                    THEN 'no_inclusion_probability' END AS reason
        FROM (SELECT *, coalesce(selection, CASE kind {defaults} ELSE 'unknown' END) AS selected
              FROM signals QUALIFY signal_id IS NULL OR row_number() OVER (PARTITION BY signal_id ORDER BY decision_id, value) = 1)
        """
    )
    _count_aside(engine, reader, "rated")
    engine.execute(
        """
        CREATE OR REPLACE TEMP TABLE labels AS
        SELECT decision_id, source, avg(value) AS value, avg(reference_value) AS reference_value,
               1 / max(CASE WHEN selected = 'sampled' THEN inclusion_probability ELSE 1.0 END) AS weight,
               epoch(max(greatest(event_time, coalesce(received_at, event_time)))) AS available_at
        FROM rated WHERE reason IS NULL GROUP BY decision_id, source
        """
    )


def _make_rows(engine: duckdb.DuckDBPyConnection, asked: _Asked) -> None:
    """Table `rows`: each label with its decision, whether it says that the cheap answer was good, and why it cannot be used."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {_judged('decisions', asked)}")
    engine.execute(
        """
        CREATE OR REPLACE TEMP TABLE rows AS
        SELECT l.source, l.weight, l.available_at, d.* EXCLUDE (reason),
               CASE WHEN l.reference_value IS NULL THEN l.value >= 0.5 WHEN d.is_served THEN l.value >= l.reference_value
                    ELSE l.reference_value >= l.value END AS good,
               CASE WHEN d.decision_id IS NULL THEN 'no_decision' WHEN d.reason IS NOT NULL THEN d.reason
                    WHEN l.reference_value IS NULL AND NOT d.is_served THEN 'not_served_cheaply' END AS reason
        FROM labels l LEFT JOIN judged d USING (decision_id)
        """
    )


def _judged(table: str, asked: _Asked) -> str:
    """Decisions with what is known of their cheap answer.

    The features of a record are those of the answer that was judged last; those of cheaper tiers before it are called `TIER/NAME`. In a log
    without such names the calls tell that another tier's answer was judged last (a whole answer that was not served is `discarded`).
    """
    tier, capable = literal(asked.tier), literal(asked.capable_tier)
    origins = literals(asked.origins)
    since = (
        "false" if asked.since is None else f"NOT coalesce(event_time >= TIMESTAMP {literal(str(asked.since))}, false)"
    )
    # What the answer cost, and what is not known of one call is not known of their sum.
    cheap = _sum_of_costs(f"c.tier = {tier} AND c.purpose IN ('serve', 'self_check', 'race')")
    dear = _sum_of_costs(
        f"c.tier = {capable} AND c.purpose IN ('serve', 'race', 'shadow') AND c.status IN ('ok', 'discarded')"
    )
    return f"""
        SELECT decision_id, event_time, segment, prompt, is_served, is_withheld,
               map_from_entries(list_transform(list_filter(map_entries(features), lambda e: starts_with(e.key, {literal(asked.tier + "/")}) = has_own
                   AND (has_own OR NOT contains(e.key, '/'))), lambda e: {{'key': CASE WHEN has_own THEN substr(e.key, {len(asked.tier) + 2}) ELSE e.key END, 'value': e.value}})) AS features,
               CASE WHEN coalesce(confidence_kind, 'uncalibrated') = 'uncalibrated' AND isfinite(score) THEN score END AS score,
               coalesce({cheap}, CASE WHEN calls IS NULL AND is_served THEN cost_usd END) AS cheap_usd,
               coalesce({dear}, baseline_cost_usd) AS capable_usd,
               coalesce(CASE WHEN is_served THEN model END,
                        list_filter(coalesce(calls, []), lambda c: c.tier = {tier} AND c.model IS NOT NULL)[-1].model) AS answered_by,
               CASE WHEN coalesce(origin, 'live') NOT IN ({origins}) THEN 'not_live'
                    WHEN {since} THEN 'too_old'
                    WHEN NOT coalesce(eligible, true) THEN 'not_eligible'
                    WHEN NOT (is_served OR is_withheld OR is_shadowed) THEN 'no_cheap_answer'
                    WHEN is_elsewhere AND NOT has_own THEN 'another_tier_judged'
                    WHEN reason IN ('empty_answer', 'invalid_answer') THEN 'never_served'
                    WHEN NOT has_numbers AND coalesce(reason, '') <> 'no_confidence' THEN 'no_features' END AS reason
        FROM (SELECT *, coalesce(tier = {tier}, false) AS is_served,
                     coalesce(arm, 'treatment') <> 'holdout' AND coalesce(tier <> {tier}, false)
                     AND (coalesce(first_tier = {tier} AND coalesce(escalated, true), false) OR {_has_call(tier, "c.status = 'discarded'")}) AS is_withheld,
                     {_has_call(tier, "c.purpose = 'shadow'")} AS is_shadowed,
                     coalesce(tier NOT IN ({tier}, {capable}), false)
                     OR {_has_call("", f"c.status = 'discarded' AND c.purpose <> 'shadow' AND c.tier NOT IN ({tier}, {capable})")} AS is_elsewhere,
                     len(list_filter(coalesce(map_keys(features), []), lambda k: starts_with(k, {literal(asked.tier + "/")}))) > 0 AS has_own,
                     coalesce(cardinality(features), 0) > 0 OR coalesce(isfinite(score), false) AS has_numbers
              FROM {table} QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY event_time, tier) = 1)
    """


def _has_call(tier: str, condition: str) -> str:
    of_tier = f"c.tier = {tier} AND " if tier else ""
    return f"coalesce(len(list_filter(calls, lambda c: {of_tier}{condition})) > 0, false)"


def _sum_of_costs(condition: str) -> str:
    chosen = f"list_filter(coalesce(calls, []), lambda c: {condition})"
    costs = f"list_transform({chosen}, lambda c: c.cost_usd)"
    return f"CASE WHEN len({chosen}) > 0 AND list_count({costs}) = len({chosen}) THEN list_sum({costs}) END"


def _chosen_source(engine: duckdb.DuckDBPyConnection, reader: LogReader) -> str | None:
    """The sort of labels that is used; None: there is none. The others are counted as left out, by their own reasons where they have one."""
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
    _count_aside(engine, reader, "rows")
    for source, n in usable.items():
        if source != chosen:
            reader.count(f"other_source_{source.replace(' ', '_')}", n)
    return chosen


def _count_aside(engine: duckdb.DuckDBPyConnection, reader: LogReader, table: str) -> None:
    for reason, n in engine.execute(
        f"SELECT reason, count(*) FROM {identifier(table)} WHERE reason IS NOT NULL GROUP BY 1"
    ).fetchall():
        reader.count(str(reason), int(n))


SINGLE_NOTE = (
    "labels of one answer alone: every failure of the cheap tier counts as a loss, even where the capable tier would have failed too, so "
    "losses are overstated rather than understated"
)
COLUMNS = "decision_id, event_time, segment, prompt, features, score, cheap_usd, capable_usd, answered_by"


def _answers(
    engine: duckdb.DuckDBPyConnection,
    reader: LogReader,
    decisions: tuple[LogFile, ...],
    asked: _Asked,
    source: str,
    signal: str | None,
) -> LabelledAnswers:
    mine = f"FROM rows WHERE reason IS NULL AND source = {literal(source)}"
    rows = engine.execute(
        f"SELECT {COLUMNS}, good, weight, available_at, is_served {mine} ORDER BY decision_id"
    ).fetchall()
    notes = [] if source.endswith("pairs") else [SINGLE_NOTE]
    good = np.array([bool(row[9]) for row in rows])
    weight = np.array([float(row[10]) for row in rows])
    available = np.array([np.nan if row[11] is None else float(row[11]) for row in rows])
    known = np.ones(len(rows), dtype=bool)
    withheld = int((engine.execute(f"SELECT count(*) {mine} AND is_withheld").fetchone() or (0,))[0])
    if withheld == 0:
        others, served, of_all = _unlabelled(engine, reader, decisions, asked, mine)
        if others:
            is_served = np.array([bool(row[12]) for row in rows])
            weight = weight * (served / float(weight[is_served].sum())) if is_served.any() else weight
            notes.append(
                f"no withheld answer is labelled: the labels stand for the {served:,} answers that were served, {served / (served + of_all):.1%} of "
                "those that were judged, so a threshold below the one in force cannot be shown to be safe"
            )
            weight = np.append(weight, np.full(len(others), of_all / len(others)))
            good = np.append(good, np.zeros(len(others), dtype=bool))
            known = np.append(known, np.zeros(len(others), dtype=bool))
            available = np.append(available, np.full(len(others), np.nan))
            rows = [*rows, *others]
    times = [row[1] for row, labelled in zip(rows, known, strict=True) if labelled and row[1] is not None]
    texts = tuple(asked_text(str(row[3])) if row[3] else "" for row in rows)
    return LabelledAnswers(
        features=_features(rows),
        good=good,
        weight=weight,
        segments=tuple(row[2] or {} for row in rows),
        cheap_cost_usd=_floats(row[6] for row in rows),
        capable_cost_usd=_floats(row[7] for row in rows),
        source=signal or source,
        served_models=tuple(sorted({str(row[8]) for row in rows if row[8]})),
        from_at=_rfc3339(min(times)) if times else None,
        to_at=_rfc3339(max(times)) if times else None,
        texts=texts if any(texts) else (),
        decision_ids=tuple(str(row[0]) for row in rows),
        available_at=available,
        reasons=_sorted(reader),
        notes=tuple(notes),
        known=None if known.all() else known,
    )


def _unlabelled(
    engine: duckdb.DuckDBPyConnection, reader: LogReader, decisions: tuple[LogFile, ...], asked: _Asked, mine: str
) -> tuple[list[tuple[Any, ...]], int, int]:
    """Withheld answers of the period that is labelled (a sample of them), how many were served in it, and how many withheld."""
    first, last = engine.execute(f"SELECT min(event_time), max(event_time) {mine}").fetchone() or (None, None)
    period = (
        "true"
        if first is None
        else f"event_time BETWEEN TIMESTAMP {literal(str(first))} AND TIMESTAMP {literal(str(last))}"
    )
    columns = {name: kind for name, kind in DECISIONS.items() if name != "prompt"}
    counted = dict(reader.reasons)
    reader.fill("everything", columns, decisions, f"{period} AND decision_id IS NOT NULL")
    reader.reasons = counted  # the same files as before: what cannot be read in them is counted already
    engine.execute("ALTER TABLE everything ADD COLUMN prompt VARCHAR")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE frame AS {_judged('everything', asked)}")
    served, withheld = engine.execute(
        """
        SELECT count(*) FILTER (is_served AND reason IS NULL),
               count(*) FILTER (is_withheld AND coalesce(reason, '') IN ('', 'another_tier_judged', 'never_served', 'no_features'))
        FROM frame
        """
    ).fetchone() or (0, 0)
    # Of an answer that another tier's numbers replaced, or that had none, it is only known that it was withheld.
    rows = engine.execute(
        f"""
        SELECT decision_id, event_time, segment, NULL, CASE WHEN reason IS NULL THEN features END, CASE WHEN reason IS NULL THEN score END,
               cheap_usd, capable_usd, answered_by
        FROM frame WHERE is_withheld AND coalesce(reason, '') IN ('', 'another_tier_judged', 'never_served', 'no_features')
        ORDER BY hash(decision_id), decision_id LIMIT {MOST_WITHHELD}
        """
    ).fetchall()
    return sorted(rows, key=lambda row: str(row[0])), int(served), int(withheld)


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
