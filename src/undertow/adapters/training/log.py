"""A log with kept text, joined with its signals: what was served cheaply, and how good it was.

Rules. A label belongs to the decision whose id it bears. A person's review counts before a judge's; several of one kind are
averaged; where two sampling designs drew them, those of one are used (`undertow.adapters.training.designs`). Sampled labels count 1 / inclusion probability; those
without one are left out, since nobody can say what they stand for. Only live decisions whose cheap answer was served are used:
of the others nobody knows how good the cheap answer would have been.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.duckdb.sql import identifier, literal, literals
from undertow.adapters.training.designs import drawn_labels, one_design, set_others_aside
from undertow.adapters.training.kept_text import asked_text
from undertow.adapters.training.reading import LogReader, of_interest
from undertow.errors import DataError, UsageError
from undertow.ports.audit_source import Progress, silent
from undertow.records.columns import DEFAULT_SELECTION, SIGNAL_KINDS
from undertow.records.training import Example, LabelledTexts

KINDS = ("review", "judge")
"""Kinds of signals that are labels where none is named, the better first."""

DECISIONS = {"decision_id": "VARCHAR", "tier": "VARCHAR", "origin": "VARCHAR"}
SIGNALS = {
    "signal_id": "VARCHAR",
    "decision_id": "VARCHAR",
    "kind": "VARCHAR",
    "name": "VARCHAR",
    "value": "DOUBLE",
    "selection": "VARCHAR",
    "inclusion_probability": "DOUBLE",
    "source": "VARCHAR",
}


def parse_signal(text: str) -> tuple[str, str]:
    """Kind and name of `kind.name`.

    Raises:
        UsageError: It is not of that form, or the kind is unknown or no quality.
    """
    kind, _, name = text.partition(".")
    if not name or kind not in SIGNAL_KINDS or kind == "outcome":
        raise UsageError(
            f"--signal {text!r}: expected kind.name with a quality kind, such as review.accuracy or judge.quality"
        )
    return kind, name


def read_log(
    inputs: Sequence[str],
    *,
    cheap_tiers: tuple[str, ...] | None,
    signals: Sequence[str] = (),
    signal: str | None = None,
    text_column: str = "prompt",
    progress: Progress = silent,
) -> LabelledTexts:
    """The examples in a log.

    Args:
        inputs: Files, folders, globs, or a store's root folder.
        cheap_tiers: Tiers whose answers are judged; None: every tier but `capable`, which must then be in the log.
        signals: More files of signals.
        signal: `kind.name` of the labels; None: reviews and judge scores of any name.
        text_column: Column with the text.
        progress: Told which file is read.

    Raises:
        LogError: Nothing that can be read is there.
        DataError: No text was kept, or which tiers are cheap cannot be told.
        UsageError: `signal` is no kind and name.
    """
    wanted = None if signal is None else parse_signal(signal)
    found = find_files(LogInputs(tuple(inputs), signals=tuple(signals)))
    with tempfile.TemporaryDirectory(prefix="undertow-train-") as folder:
        engine = open_engine("1500MB", None, folder)
        try:
            reader = LogReader(engine, Path(folder), progress)
            reader.fill("signals", SIGNALS, found.of("signals"), of_interest(wanted, KINDS))
            notes = _number_labels(engine)
            columns = {**DECISIONS, text_column: "VARCHAR"}
            reader.fill("decisions", columns, found.of("decisions"), "decision_id IN (SELECT decision_id FROM labels)")
            if text_column not in reader.seen:
                raise DataError(
                    f"no column {text_column!r} in the log, and a classifier is trained on text; keep it with [retention] text_days, "
                    "or name its column with --text-column"
                )
            return _joined(engine, cheap_tiers, text_column, signal, reader, notes)
        finally:
            engine.close()


def _number_labels(engine: duckdb.DuckDBPyConnection) -> list[str]:
    """Table `labels`: one row a decision. Table `rated`: signals, with the reason where one is no label. Returns what is to be said of it."""
    defaults = " ".join(
        f"WHEN {literal(kind)} THEN {literal(selection)}" for kind, selection in DEFAULT_SELECTION.items()
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rated AS
        SELECT * EXCLUDE (source), coalesce(source, '') AS given_by,
               CASE WHEN selected = 'sampled' THEN inclusion_probability ELSE 1.0 END AS probability,
               CASE WHEN value IS NULL OR NOT (value BETWEEN 0 AND 1) THEN 'bad_value'
                       WHEN selected = 'sampled' AND NOT coalesce(inclusion_probability > 0 AND inclusion_probability <= 1, false)
                       THEN 'no_inclusion_probability' END AS reason
        FROM (SELECT *, coalesce(selection, CASE kind {defaults} ELSE 'unknown' END) AS selected
              FROM signals QUALIFY signal_id IS NULL OR row_number() OVER (PARTITION BY signal_id ORDER BY decision_id, value) = 1)
        """
    )
    notes = _keep_one_design(engine)
    rank = " ".join(f"WHEN {literal(kind)} THEN {place}" for place, kind in enumerate(KINDS))
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE labels AS
        SELECT decision_id, avg(value) AS value,
               1 / max(probability) AS weight,
               bool_or(selected IN ('volunteered', 'unknown')) AS is_volunteered
        FROM (SELECT *, CASE kind {rank} ELSE 9 END AS rank FROM rated WHERE reason IS NULL)
        GROUP BY decision_id, rank
        QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY rank) = 1
        """
    )
    return notes


def _keep_one_design(engine: duckdb.DuckDBPyConnection) -> list[str]:
    """Sets labels of other designs of the same kind aside."""
    notes = []
    for (kind,) in engine.execute("SELECT DISTINCT kind FROM rated WHERE reason IS NULL ORDER BY kind").fetchall():
        condition = f"kind = {literal(str(kind))}"
        design = one_design(drawn_labels(engine, condition), None)
        if design is not None:
            set_others_aside(engine, design, condition)
            notes.append(f"more than one sampling design drew labels of kind {kind}: those of {design} are used")
    return notes


def _joined(
    engine: duckdb.DuckDBPyConnection,
    cheap_tiers: tuple[str, ...] | None,
    text_column: str,
    signal: str | None,
    reader: LogReader,
    notes: list[str],
) -> LabelledTexts:
    cheap = cheap_tiers if cheap_tiers is not None else _cheap_tiers(engine)
    for reason, n in engine.execute(
        "SELECT reason, count(*) FROM rated WHERE reason IS NOT NULL GROUP BY 1"
    ).fetchall():
        reader.count(str(reason), int(n))
    column = identifier(text_column)
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE examples AS
        SELECT l.decision_id, d.text, l.value, l.weight, l.is_volunteered,
               CASE WHEN d.decision_id IS NULL THEN 'no_decision' WHEN coalesce(d.origin, 'live') <> 'live' THEN 'not_live'
                    WHEN d.tier IS NULL OR d.tier NOT IN ({literals(cheap) or "''"}) THEN 'not_served_cheaply'
                    WHEN trim(coalesce(d.text, '')) = '' THEN 'no_text' END AS reason
        FROM labels l LEFT JOIN (
            SELECT decision_id, {column} AS text, tier, origin FROM decisions
            QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY tier, {column}) = 1
        ) d USING (decision_id)
        """
    )
    for reason, n in engine.execute(
        "SELECT reason, count(*) FROM examples WHERE reason IS NOT NULL GROUP BY 1"
    ).fetchall():
        reader.count(str(reason), int(n))
    rows = engine.execute(
        "SELECT text, value, weight, is_volunteered FROM examples WHERE reason IS NULL ORDER BY decision_id"
    ).fetchall()
    examples = []
    for kept, value, weight, _ in rows:
        text = asked_text(str(kept))
        if text.strip():
            examples.append(Example(text, float(value) >= 0.5, float(weight)))
    reader.count("no_text", len(rows) - len(examples))
    if volunteered := sum(bool(row[3]) for row in rows):
        said = (
            f"{volunteered} labels were volunteered: who gives them is no sample of the traffic, so neither the shares nor the "
            "failure rates below describe it"
        )
        notes = [said, *notes]
    return LabelledTexts(
        tuple(examples),
        signal or ", ".join(KINDS),
        dict(sorted(reader.reasons.items())),
        tuple(notes),
    )


def _cheap_tiers(engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    tiers = [
        str(row[0]) for row in engine.execute("SELECT DISTINCT tier FROM decisions WHERE tier IS NOT NULL").fetchall()
    ]
    if tiers and not {"cheap", "capable"} & set(tiers):
        raise DataError(
            f"which of the tiers {', '.join(sorted(tiers))} is the dearest cannot be told; name the settings with --config, "
            "where each tier has a rank"
        )
    return tuple(tier for tier in sorted(tiers) if tier != "capable")
