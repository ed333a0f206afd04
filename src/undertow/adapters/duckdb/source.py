"""The DuckDB implementation of `AuditSource`: from files to sufficient statistics, no row in Python.

The order of work: find files, stage JSON lines, prove or check every column, leave repeated ids out, count decisions jointly,
join signals, roll everything up to cells. Each step is a module of this package.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import duckdb

from undertow.adapters.duckdb import anchor_cells, behaviour_cells, label_cells, traffic_cells
from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.coverage import Tally, count_reasons, missing_columns, write_rejects
from undertow.adapters.duckdb.duplicates import drop_repeated_signals, find_repeated_decisions
from undertow.adapters.duckdb.export import export_clean
from undertow.adapters.duckdb.grouping import Vocabulary, empty, make_types, number_segments, segment_values
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.duckdb.intake import Tables, find_damaged, open_tables
from undertow.adapters.duckdb.joins import (
    Joined,
    collect_signals,
    dated_after,
    match_signals,
    received_before_event,
    signal_keys,
)
from undertow.adapters.duckdb.label_rows import label_rows
from undertow.adapters.duckdb.money_cells import money_cells
from undertow.adapters.duckdb.row_rules import CLOCK_SKEW_S
from undertow.adapters.duckdb.segments import MOST_KEYS, SAMPLE_ROWS, plan_segments, stray_keys, value_expressions
from undertow.adapters.duckdb.tiers import order_tiers
from undertow.adapters.duckdb.views import (
    IS_LIVE,
    ConfidenceScale,
    create_coded_table,
    create_decision_views,
    create_fact_view,
    create_signal_view,
)
from undertow.adapters.store.review_time import review_time
from undertow.adapters.store.watching_calls import store_roots, watching_cost
from undertow.errors import DataError, LogError
from undertow.ports.audit_source import CellOptions, Progress, silent
from undertow.records.cells import (
    CHANGE_KINDS,
    AnchorCells,
    AuditCells,
    BinCells,
    CalibrationCells,
    CallCells,
    ConfidenceCells,
    Coverage,
    LabelCells,
    LatencyCells,
    OutcomeCells,
)
from undertow.records.label_rows import no_label_rows

Result = TypeVar("Result")

BEHAVIOUR_COLUMNS = ("escalated", "output_tokens", "features", "novelty", "score")
"""Columns whose sums drift is looked for in."""

REPEATS = "looking for repeated ids"
"""What progress is told before the longest step of a run that leaves all cores but one to others."""

MOST_REMOVALS = 20
"""How often all is done anew because a file was gone that had been found."""

MOST_VERSIONS = 500
"""A change column with more values than this in a sample is no version (an id of the request, say) and is left out."""

MOST_JOINT_VERSIONS = 8
"""Versions are counted in the scan that counts traffic while a sample holds no more combinations of them than this."""


@dataclass(slots=True)
class _Work:
    """What one run holds: the engine, the tables as opened, and the tally of what was not used as given."""

    engine: duckdb.DuckDBPyConnection
    tables: Tables
    tally: Tally = field(default_factory=Tally)


class DuckDbAuditSource:
    """A log on disk, read through an in-process DuckDB.

    Args:
        inputs: What to read.
        memory_limit: DuckDB's own limit; it spills to disk beyond.
        threads: Worker threads; None: one a core.
        temp_dir: Where to spill and to stage; None: the system's folder for temporary files.
        rejects_dir: Where to write rows that were set aside (ids, reasons and places, never text); None: nowhere.

    Examples:
        >>> source = DuckDbAuditSource(LogInputs(decisions=("undertow-data",)))
        >>> cells = source.cells(CellOptions())  # doctest: +SKIP
    """

    def __init__(
        self,
        inputs: LogInputs,
        *,
        memory_limit: str = "1500MB",
        threads: int | None = None,
        temp_dir: str | Path | None = None,
        rejects_dir: str | Path | None = None,
    ) -> None:
        self._inputs = inputs
        self._memory_limit = memory_limit
        self._threads = threads
        self._temp_dir = temp_dir
        self._rejects_dir = Path(rejects_dir) if rejects_dir is not None else None

    def cells(self, options: CellOptions, progress: Progress = silent) -> AuditCells:
        """All sufficient statistics of the log.

        Raises:
            LogError: nothing readable, required columns are missing, or the files are damaged.
            DataError: no live decision with a tier is left after checking.
        """
        return self._with_tables(
            options, progress, lambda work: _count(work, options, self._inputs, progress, self._rejects_dir)
        )

    def export_parquet(self, decisions_path: str | Path, signals_path: str | Path) -> None:
        """Write the checked, de-duplicated rows as canonical Parquet files (signals only if there are any)."""
        options = CellOptions()

        def run(work: _Work) -> None:
            _open_decisions(work, options)
            _count_decisions(work, options, ConfidenceScale(), ())
            export_clean(work.engine, work.tables, Path(decisions_path), Path(signals_path))

        self._with_tables(options, silent, run)

    def _with_tables(self, options: CellOptions, progress: Progress, use: Callable[[_Work], Result]) -> Result:
        """Open everything and call `use`.

        All is done anew when a Parquet file turns out damaged half-way, which is then set aside, and when a file was removed
        between its finding and its reading: a segment whose Parquet files stand for it by now.
        """
        damaged: tuple[str, ...] = ()
        removals = 0
        while True:
            found = find_files(self._inputs).without(damaged)
            with tempfile.TemporaryDirectory(prefix="undertow-", dir=self._temp_dir) as spool:
                engine = open_engine(self._memory_limit, self._threads, spool)
                try:
                    progress("opening the log", 0, None)
                    tables = open_tables(engine, found, self._inputs, options, Path(spool), progress)
                    return use(_Work(engine, tables))
                except FileNotFoundError as error:
                    removals += 1
                    if removals > MOST_REMOVALS:
                        raise LogError(f"{error.filename}: was removed while the log was read; try again") from None
                except duckdb.OutOfMemoryException:
                    raise LogError(
                        f"the log does not fit into {self._memory_limit} of memory and the disk beside it; raise the memory limit "
                        "or audit a shorter period"
                    ) from None
                except duckdb.Error as error:
                    newly = find_damaged(engine, found)
                    if not newly:
                        # The engine's own message may quote a row, so it stays in the cause and out of the sentence.
                        raise LogError(
                            f"the log cannot be read: the engine stopped with {type(error).__name__}; "
                            "please report this with `undertow doctor` output"
                        ) from error
                    damaged += newly
                finally:
                    engine.close()


def _open_decisions(work: _Work, options: CellOptions) -> None:
    """Create the decision views without rejected rows, and count what is wrong."""
    engine, tables, tally = work.engine, work.tables, work.tally
    create_decision_views(engine, tables.decisions, options.tier_models, options.until)
    tally.rejected += count_reasons(engine, tables.decisions, "decisions_checked", "event_time", options.until, tally)


def _open_signals(work: _Work, options: CellOptions) -> tuple[str, ...]:
    """Create table `signals` without rejected and repeated rows; returns the late keys that signals join on."""
    engine, tables, tally = work.engine, work.tables, work.tally
    if not tables.signals:
        return ()
    create_signal_view(engine, tables.signals)
    rejected = count_reasons(engine, tables.signals, "signals_checked", "event_time", options.until, tally)
    tally.rejected += rejected
    collect_signals(engine, options.until, any_rejected=rejected > 0)
    repeats = drop_repeated_signals(engine)
    tally.duplicates += repeats.rows
    tally.add("conflicting_duplicate", repeats.conflicting)
    tally.add("corrected_outcome", repeats.corrected)
    tally.add("deleted_outcome", repeats.deleted)
    return signal_keys(engine)


def _count_decisions(
    work: _Work, options: CellOptions, scale: ConfidenceScale, keys: tuple[str, ...], progress: Progress = silent
) -> Vocabulary:
    """Create the joint tables, the types and table `coded`; all over again without repeated ids, should there be any."""
    engine, tables, tally = work.engine, work.tables, work.tally
    vocabulary = _count_and_code(work, options, scale, keys)
    progress(REPEATS, 0.5, 1.0)
    repeats = find_repeated_decisions(engine)
    if repeats.rows:
        tally.duplicates += repeats.rows
        tally.add("conflicting_duplicate", repeats.conflicting)
        create_decision_views(engine, tables.decisions, options.tier_models, options.until, without_duplicates=True)
        vocabulary = _count_and_code(work, options, scale, keys)
    if vocabulary.crowded:
        named = ", ".join(f"`{key}`" for key in vocabulary.crowded[:5])
        more = f" and {len(vocabulary.crowded) - 5} more" if len(vocabulary.crowded) > 5 else ""
        tally.notes.append(
            f"segment keys with more than {options.max_segment_values} values were left out: {named}{more}"
        )
    if vocabulary.plan.beyond:
        tally.notes.append(
            f"{vocabulary.plan.beyond:,} segment keys were left out: the {MOST_KEYS} that most decisions bear are looked at; "
            "[monitors] segments names others"
        )
    return vocabulary


def _confidence_scale(work: _Work) -> ConfidenceScale:
    """The routing confidence, else the raw score over its own range."""
    if work.tables.holds("confidence"):
        return ConfidenceScale("confidence")
    if not work.tables.holds("score"):
        return ConfidenceScale()
    row = work.engine.execute(
        "SELECT min(score), max(score) FROM decisions WHERE coalesce(origin, 'live') = 'live'"
    ).fetchone()
    if row is None or row[0] is None:
        return ConfidenceScale()
    low, high = float(row[0]), float(row[1])
    return ConfidenceScale("score", low, high if high > low else low + 1.0)


def _count_and_code(work: _Work, options: CellOptions, scale: ConfidenceScale, keys: tuple[str, ...]) -> Vocabulary:
    engine, proven = work.engine, work.tables.proven_segment_keys
    columns = ", ".join(("segment", *CHANGE_KINDS))
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE sampled AS SELECT {columns} FROM decisions WHERE {IS_LIVE} LIMIT {SAMPLE_ROWS}"
    )
    plan = plan_segments(engine, options.segment_keys, proven, options.max_segment_values)
    expressions = value_expressions(plan, proven)
    create_fact_view(engine, expressions, options.bucket_s, "0" if plan.complete else stray_keys(plan))
    tables = work.tables
    sums = behaviour_cells.behaviour_sums([name for name in BEHAVIOUR_COLUMNS if tables.holds(name)])
    versions = _joint_versions(work)
    if traffic_cells.count_jointly(engine, plan, sums, versions):
        plan = plan_segments(engine, None, None, options.max_segment_values, search_all=True)
        expressions = value_expressions(plan, None)
        create_fact_view(engine, expressions, options.bucket_s)
        traffic_cells.count_jointly(engine, plan, sums, versions)
    vocabulary = number_segments(plan, *segment_values(engine, plan, options.max_segment_values))
    calls = traffic_cells.call_tiers(engine) if work.tables.holds("calls") else ()
    tiers, note = order_tiers(engine, options.tier_order, calls)
    if note and note not in work.tally.notes:
        work.tally.notes.append(note)
    if not tiers:
        raise DataError(_no_traffic(engine, work.tally))
    vocabulary = replace(vocabulary, tiers=tiers)
    make_types(engine, vocabulary)
    counted = {place: expressions[place] for place in vocabulary.plan.places}
    # Ids are dear to read: a column is named only where the one before it may be missing.
    ids = ["user_id", "conversation_id", "decision_id"]
    needed = ids[: next((i for i, name in enumerate(ids, 1) if work.tables.always_holds(name)), len(ids))]
    create_coded_table(
        engine,
        counted,
        scale,
        options.bucket_s,
        keys,
        all_live=work.tables.all_live,
        bins=_bins(tables, options),
        person=f"coalesce({', '.join(needed)})",
    )
    return vocabulary


def _bins(tables: Tables, options: CellOptions) -> dict[str, str]:
    """Columns of bins that table `coded` gets, with what they are computed by."""
    found = {"novelty_bin": behaviour_cells.novelty_bin()} if tables.holds("novelty") else {}
    if options.score_edges and tables.holds("score"):
        found["score_bin"] = behaviour_cells.score_bin(options.score_edges)
    return found


def _change_columns(work: _Work) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns whose changes are followed, which hold something and are versions; and those that are rather ids of requests."""
    present = [name for name in CHANGE_KINDS if work.tables.holds(name)]
    if not present:
        return (), ()
    row = work.engine.execute(
        f"SELECT {', '.join(f'count(DISTINCT {name})' for name in present)} FROM sampled"
    ).fetchone()
    assert row is not None
    crowded = tuple(name for name, count in zip(present, row, strict=True) if count > MOST_VERSIONS)
    return tuple(name for name in present if name not in crowded), crowded


def _joint_versions(work: _Work) -> tuple[str, ...]:
    """Change columns that are counted together with traffic: all that vary, if they take few values together, else none."""
    constants = work.tables.constants()
    varying = tuple(name for name in _change_columns(work)[0] if name not in constants)
    if not varying:
        return ()
    row = work.engine.execute(f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(varying)} FROM sampled)").fetchone()
    assert row is not None
    return varying if row[0] <= MOST_JOINT_VERSIONS else ()


def _count(
    work: _Work, options: CellOptions, inputs: LogInputs, progress: Progress, rejects_dir: Path | None
) -> AuditCells:
    engine, tables, tally = work.engine, work.tables, work.tally
    progress("checking rows", 0.1, 1.0)
    _open_decisions(work, options)
    keys = _open_signals(work, options)
    progress("counting decisions", 0.3, 1.0)
    scale = _confidence_scale(work)
    vocabulary = _count_decisions(work, options, scale, keys, progress)
    row = engine.execute("SELECT count(*) FROM coded").fetchone()
    span = engine.execute("SELECT epoch(min(first_at)), epoch(max(last_at)) FROM joint_0").fetchone()
    assert row is not None
    assert span is not None
    decisions = int(row[0])
    progress("joining signals", 0.6, 1.0)
    joined = Joined(0, 0, 0, 0, 0)
    labels, calibration, outcomes = empty(LabelCells), empty(CalibrationCells), empty(OutcomeCells)
    anchors = empty(AnchorCells)
    rows = no_label_rows()
    strata: dict[int, tuple[str, ...]] = {}
    merged: dict[int, tuple[int, int]] = {}
    signal_names: tuple[str, ...] = ()
    outcome_names: tuple[str, ...] = ()
    last_available = float(span[1])
    if tables.signals:
        joined = match_signals(engine, vocabulary.plan.places, options.outcomes, with_decisions=options.money)
        signal_names, outcome_names = label_cells.code_signals(engine)
        labels, calibration = label_cells.label_cells(
            engine, vocabulary, options.bucket_s, options.max_strata, options.max_named_strata
        )
        strata, merged = label_cells.strata_names(engine), label_cells.merged_strata(engine)
        anchors = anchor_cells.anchor_cells(engine, vocabulary, options.bucket_s)
        rows = label_rows(
            engine,
            vocabulary,
            has_prompts=tables.holds("prompt"),
            stores=store_roots(inputs.decisions),
            sketch_key=inputs.sketch_key,
        )
        outcomes = label_cells.outcome_cells(engine, options.bucket_s)
        row = engine.execute("SELECT epoch(max(available_at)) FROM matched").fetchone()
        last_available = max(last_available, float(row[0]) if row and row[0] is not None else last_available)
        tally.rejected += joined.before_decision
        tally.add("signal_before_decision", joined.before_decision)
        tally.add("outside_attribution_window", joined.outside_window)
    _look_at_clocks(work, options, joined)
    progress("summing up", 0.8, 1.0)
    followed, unlike = _change_columns(work)
    tally.notes.extend(
        f"column `{name}` differs on nearly every decision; its changes are not followed" for name in unlike
    )
    models, change_values = traffic_cells.model_cells(engine, followed, tables.constants(), _joint_versions(work))
    confidence = traffic_cells.confidence_cells(engine, vocabulary) if scale.column else empty(ConfidenceCells)
    exposure = traffic_cells.exposure_cells(engine)
    calls = traffic_cells.call_cells(engine) if tables.holds("calls") else empty(CallCells)
    latency = traffic_cells.latency_cells(engine) if tables.holds("latency_ms") else empty(LatencyCells)
    skipped = traffic_cells.skipped_cells(engine)
    traffic = traffic_cells.traffic_cells(engine, vocabulary)
    behaviour = behaviour_cells.behaviour_cells(engine, vocabulary)
    bins = _bins(tables, options)
    novelty = behaviour_cells.bin_cells(engine, vocabulary, "novelty_bin") if "novelty_bin" in bins else empty(BinCells)
    scores = behaviour_cells.bin_cells(engine, vocabulary, "score_bin") if "score_bin" in bins else empty(BinCells)
    money = None
    if options.money:
        progress("counting money", 0.9, 1.0)
        money = money_cells(
            engine,
            vocabulary,
            outcome_names,
            options.outcomes,
            options.bucket_s,
            last_available,
            has_signals=bool(tables.signals),
        )
    watching = watching_cost(store_roots(inputs.decisions), options.bucket_s, options.until)
    tally.add("broken_watching_call", watching.broken)
    rejects_file = write_rejects(engine, tables, rejects_dir) if rejects_dir and tally.reasons else None
    progress("summing up", 1.0, 1.0)
    mapped = bool(options.tier_models) and bool(tables.mapped_tiers(engine))
    coverage = Coverage(
        decisions=decisions,
        signals=joined.signals,
        joined=joined.joined,
        unjoined=joined.unjoined,
        duplicates=tally.duplicates,
        rejected=tally.rejected + tables.rejected + sum(inputs.import_reasons.values()),
        reasons=tally.merged(tables.reasons, inputs.import_reasons),
        missing_columns=missing_columns(tables),
        notes=(*inputs.notes, *tables.notes, *tally.notes, *_merged_notes(signal_names, merged)),
        tier_source="mapped" if mapped else inputs.tier_source,
        rejects_file=rejects_file,
    )
    return AuditCells(
        bucket_s=options.bucket_s,
        tiers=vocabulary.tiers,
        segments=vocabulary.segments,
        signals=signal_names,
        outcome_names=outcome_names,
        change_values=change_values,
        first_event=float(span[0]),
        last_event=float(span[1]),
        last_available=last_available,
        traffic=traffic,
        confidence=confidence,
        confidence_column=scale.column,
        confidence_range=(scale.low, scale.high),
        models=models,
        labels=labels,
        calibration=calibration,
        outcomes=outcomes,
        exposure=exposure,
        calls=calls,
        coverage=coverage,
        latency=latency,
        skipped=skipped,
        anchors=anchors,
        watching=watching.cells,
        review_time=review_time(store_roots(inputs.decisions), options.bucket_s, options.until),
        money=money,
        behaviour=behaviour,
        novelty=novelty,
        scores=scores,
        rows=rows,
        strata=strata,
        merged={code: stratum for code, (stratum, _) in merged.items()},
    )


def _merged_notes(names: tuple[str, ...], merged: Mapping[int, tuple[int, int]]) -> tuple[str, ...]:
    return tuple(
        f"{names[code]}: {n:,} label{' lies' if n == 1 else 's lie'} in more sampling strata than are kept apart; counted by inclusion "
        "probability in all estimates, and watched for no change of their own"
        for code, (_, n) in sorted(merged.items())
    )


def _look_at_clocks(work: _Work, options: CellOptions, joined: Joined) -> None:
    """Count and tell what only clocks that disagree can explain. All of it is used: what a clock is off by is not known."""
    engine, tables, tally = work.engine, work.tables, work.tally
    if joined.slightly_early:
        tally.add("signal_clock_skew", joined.slightly_early)
        tally.notes.append(
            f"{joined.slightly_early:,} signals are dated up to {CLOCK_SKEW_S // 60} minutes before the decision that they are about; they were "
            "used, as of the decision: the clocks of two machines differ"
        )
    early = received_before_event(engine) if tables.signals else 0
    if early:
        tally.add("received_before_event", early)
        tally.notes.append(
            f"{early:,} signals arrived more than {CLOCK_SKEW_S // 60} minutes before they were observed; they count from when they were observed: "
            "the clock of what observes runs ahead"
        )
    ahead = dated_after(engine, options.now, with_signals=bool(tables.signals)) if options.now is not None else 0
    if ahead:
        tally.add("dated_in_future", ahead)
        tally.notes.append(
            f"{ahead:,} rows are dated after the present; they were used as dated: set the clock of the machine that wrote them, since "
            "they count as the newest until then"
        )


def _no_traffic(engine: duckdb.DuckDBPyConnection, tally: Tally) -> str:
    row = engine.execute("SELECT count(*) FROM decisions").fetchone()
    if row is None or not row[0]:
        worst = max(tally.reasons, key=lambda reason: tally.reasons[reason], default=None)
        why = f"; most were set aside as `{worst}`" if worst else ""
        return f"no usable decision in the log{why}; `undertow doctor` says what the rows lack"
    return (
        f"none of {row[0]} decisions is live traffic with a tier; name the models of each tier in undertow.toml "
        "([tiers.NAME] models = [...]), or log the column `tier`"
    )
