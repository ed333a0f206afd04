"""The one place that builds adapters and hands them to services.

read_cells(request)   the log's sufficient statistics, whatever format it is in
run_audit(request)    the whole audit
explain(request)      which foreign field became which column
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from undertow.adapters.duckdb.inputs import LogInputs
from undertow.adapters.duckdb.pseudonyms import pseudonymous_copies
from undertow.adapters.duckdb.source import REPEATS, DuckDbAuditSource
from undertow.adapters.importers import detect_format, import_logs, read_mapping, read_outcomes
from undertow.adapters.importers.outcomes import is_read_by_engine
from undertow.adapters.importers.result import Explanation, ImportOptions
from undertow.bootstrap.store_notes import StoreNotes, store_notes, with_store_notes
from undertow.config.settings import Settings
from undertow.errors import DataError, UsageError
from undertow.ledger.usd import OutcomePrice
from undertow.ports.audit_source import CellOptions, OutcomeWindow, Progress, silent
from undertow.records.cells import AuditCells
from undertow.records.report import AuditReport, AuditSettings
from undertow.records.trained import TrainedScores

if TYPE_CHECKING:
    from undertow.services.topic_memory import TopicMemory

STATISTICS = "undertow.services.audit"

BUCKET_S = {"1d": 86_400, "1h": 3_600}

MAX_BUCKETS = 20_000
"""A log of more days (or hours) than this has a row whose time is wrong; its dense grids would fill the memory."""


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to audit and how.

    Attributes:
        inputs: Files, folders, globs, or a store's root folder.
        format: `auto`, `undertow` or the name of an importer.
        signals: More files of signals.
        outcomes: Files of business outcomes.
        timezone: For times that bear none.
        map_file: Mapping file for plain tables.
        engine: URL of the engine; only `duckdb` (in process) for now.
        settings: All settings.
        baseline_until: End of the reference period, or None.
        trust_judge: Let judge-only evidence raise alarms.
        until: Leave out what was not known before this moment.
        rejects_dir: Where rows that were set aside are written, or None.
        id_key: Key of the pseudonyms in an Undertow log (`[store] id_key_env`): the ids of `signals` and `outcomes`, which
            other systems know, are turned into the same; None: they are as they are in the log.
        trained: Scores that the policy's calibration was fitted on, with which those of the log are compared; None: not known.
        now: The present, by which clocks that run ahead are found; None: not looked for.
    """

    inputs: tuple[str, ...]
    format: str = "auto"
    signals: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    timezone: str | None = None
    map_file: str | None = None
    engine: str | None = None
    settings: Settings = field(default_factory=Settings)
    baseline_until: datetime | None = None
    trust_judge: bool = False
    until: datetime | None = None
    rejects_dir: str | None = None
    id_key: bytes | None = None
    trained: TrainedScores | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A log ready for the engine."""

    inputs: LogInputs
    tier_models: Mapping[str, tuple[str, ...]]
    tier_order: tuple[str, ...] | None
    explanation: Explanation | None = None


def audit_settings(request: AuditRequest) -> AuditSettings:
    """The part of the settings that an audit reports."""
    monitors = request.settings.monitors
    return AuditSettings(
        alpha=monitors.alpha,
        margin=request.settings.monitors_margin,
        segment_margin=monitors.segment_margin,
        min_share=monitors.min_share,
        horizon_days=monitors.horizon_days,
        level=monitors.level,
        baseline_until=request.baseline_until,
        trust_judge=request.trust_judge,
        review_usd=request.settings.review.usd_each,
        review_usd_minute=request.settings.review.usd_minute,
    )


def outcome_prices(settings: Settings) -> tuple[OutcomePrice, ...]:
    """What each outcome costs, from `[outcomes.NAME]`."""
    return tuple(
        OutcomePrice(str(name), o.usd, o.unit, o.direction, o.maturity_days) for name, o in settings.outcomes.items()
    )


def read_cells(request: AuditRequest, progress: Progress = silent, *, money: bool = False) -> AuditCells:
    """The sufficient statistics of a log; with `money` also costs and outcomes by month and place.

    Raises:
        LogError: nothing readable.
        DataError: no live decision with a tier is left after checking.
        UsageError: an engine or format that does not exist.
    """
    if request.engine not in {None, "duckdb", "duckdb://"}:
        raise UsageError(f"engine {request.engine!r} is unknown; this version knows duckdb only, which is the default")
    with _opened(request, progress) as opened:
        settings = request.settings
        options = CellOptions(
            bucket_s=BUCKET_S[settings.monitors.bucket],
            segment_keys=settings.monitors.segments,
            tier_order=opened.tier_order,
            tier_models=opened.tier_models,
            outcomes=tuple(
                OutcomeWindow(str(name), o.attribution_days, o.maturity_days) for name, o in settings.outcomes.items()
            ),
            until=request.until,
            score_edges=request.trained.edges if request.trained is not None else (),
            now=request.now,
            money=money,
        )
        return DuckDbAuditSource(opened.inputs, rejects_dir=request.rejects_dir).cells(options, progress)


def export_log(request: AuditRequest, folder: Path) -> tuple[Path, Path | None]:
    """Write a log's checked, de-duplicated rows as canonical Parquet files: the decisions, and the signals if there are any.

    Raises:
        LogError: nothing readable.
    """
    decisions, signals = folder / "decisions.parquet", folder / "signals.parquet"
    with _opened(request, silent) as opened:
        DuckDbAuditSource(opened.inputs).export_parquet(decisions, signals)
    return decisions, signals if signals.exists() else None


def run_audit(request: AuditRequest, progress: Progress = silent) -> AuditReport:
    """The whole audit: read, join, estimate, detect, decide.

    Raises:
        LogError: nothing readable.
        DataError: no live decision with a tier, or times that cannot all be right.
        UsageError: an engine or format that does not exist, or a baseline outside the log.
    """
    # The statistics (scipy above all) take half a second to import: they do so where the engine leaves cores idle. No
    # earlier: each of many short statements would have to wait until the import lets go of the interpreter.
    statistics = Thread(target=import_module, args=(STATISTICS,), daemon=True)

    def tell(stage: str, done: float, total: float | None) -> None:
        if stage == REPEATS and statistics.ident is None:
            statistics.start()
        progress(stage, done, total)

    cells = read_cells(request, tell)
    if statistics.ident is not None:
        statistics.join()
    progress("weighing the evidence", 0, None)
    return audit_cells(request, cells)


def audit_cells(
    request: AuditRequest,
    cells: AuditCells,
    notes: StoreNotes | None = None,
    memory: "TopicMemory | None" = None,
) -> AuditReport:
    """The audit of cells that were read already.

    Args:
        request: What is audited and how.
        cells: What was read.
        notes: What the stores among the inputs say; None: it is read now.
        memory: What was found of the same texts before; it changes no result.

    Raises:
        DataError: Times that cannot all be right.
        UsageError: A baseline outside the log.
    """
    _check_span(cells)
    _check_baseline(request, cells)
    report = import_module(STATISTICS).audit(
        cells, audit_settings(request), outcome_prices(request.settings), request.trained, memory
    )
    return with_store_notes(report, store_notes(request.inputs) if notes is None else notes, cells, request.until)


def _check_span(cells: AuditCells) -> None:
    """Refuse a log that one wrong time has stretched over decades."""
    last = max(cells.last_event, cells.last_available)
    buckets = (last - cells.first_event) / cells.bucket_s
    if buckets > MAX_BUCKETS:
        unit, hint = ("days", "") if cells.bucket_s >= BUCKET_S["1d"] else ("hours", ', or set monitors.bucket = "1d"')
        raise DataError(
            f"the log spans {buckets:,.0f} {unit}, from {_date(cells.first_event)} to {_date(last)}; at most {MAX_BUCKETS:,} can "
            f"be audited; look for a row with a wrong event_time{hint}"
        )


def _check_baseline(request: AuditRequest, cells: AuditCells) -> None:
    """Refuse a reference period that holds nothing of the log, or all of it."""
    until = request.baseline_until
    if until is None:
        return
    is_late = until.timestamp() > cells.last_event and request.until is None
    if until.timestamp() <= cells.first_event or is_late:
        raise UsageError(
            f"--baseline-until {until:%Y-%m-%d}: the log runs from {_date(cells.first_event)} to {_date(cells.last_event)}; "
            "name a day between the two"
        )


def _date(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def explain(request: AuditRequest, progress: Progress = silent) -> Explanation | None:
    """How a foreign log was read; None for Undertow's own format, which needs no reading."""
    with _opened(request, progress) as opened:
        return opened.explanation


@contextmanager
def _opened(request: AuditRequest, progress: Progress) -> Iterator[_Opened]:
    """Import foreign files into a temporary folder, for as long as the engine reads them."""
    if not request.inputs:
        raise UsageError("nothing to audit; name a log file, a folder or a glob")
    found = request.format
    if found == "auto":
        found = "csv" if request.map_file else _detect(request.inputs)
    tier_models = {str(name): tier.models for name, tier in request.settings.tiers.items() if tier.models}
    order = request.settings.tier_order
    with tempfile.TemporaryDirectory(prefix="undertow-import-") as folder:
        options = ImportOptions(
            timezone=request.timezone,
            tier_models=tier_models,
            mapping=read_mapping(Path(request.map_file)) if request.map_file else None,
        )
        id_key = request.id_key if found == "undertow" else None
        signals = _signal_files(request.signals, Path(folder), options, what="signals", id_key=id_key)
        outcomes = _signal_files(request.outcomes, Path(folder), options, what="outcomes", id_key=id_key)
        reasons = Counter(signals.reasons) + Counter(outcomes.reasons)
        if found == "undertow":
            inputs = LogInputs(
                request.inputs,
                signals.paths,
                outcomes.paths,
                timezone=request.timezone,
                import_reasons=reasons,
                notes=signals.notes + outcomes.notes,
                sketch_key=id_key,
            )
            yield _Opened(inputs, tier_models, order)
            return
        result = import_logs(request.inputs, found, Path(folder) / "log", options, progress)
        inputs = LogInputs(
            decisions=(str(result.decisions),),
            signals=(*((str(result.signals),) if result.signals else ()), *signals.paths),
            outcomes=outcomes.paths,
            draws=(str(result.draws),) if result.draws else (),
            import_reasons=reasons + Counter(result.reasons),
            notes=(*result.notes, *signals.notes, *outcomes.notes),
            tier_source=result.tier_source,
        )
        yield _Opened(inputs, tier_models, order or result.tier_order, result.explanation)


def _detect(inputs: tuple[str, ...]) -> str:
    formats = {name: detect_format(name).format for name in inputs}
    if len(set(formats.values())) > 1:
        seen = ", ".join(f"{Path(n).name}: {f}" for n, f in formats.items())
        raise UsageError(
            f"the inputs are in different formats ({seen}); audit them one format at a time, or name --format"
        )
    return next(iter(formats.values()))


@dataclass(frozen=True, slots=True)
class _SignalFiles:
    """Signal files that the engine reads, and what became of the rows of those that were converted first."""

    paths: tuple[str, ...]
    reasons: Mapping[str, int]
    notes: tuple[str, ...]


def _signal_files(
    names: tuple[str, ...], folder: Path, options: ImportOptions, *, what: str, id_key: bytes | None
) -> _SignalFiles:
    """Signals or outcomes in canonical form; tables and exports of ticket systems are converted first."""
    ready: list[str] = []
    reasons: Counter[str] = Counter()
    notes: list[str] = []
    for i, name in enumerate(names):
        if is_read_by_engine(name):
            ready.append(name)
            continue
        result = read_outcomes((name,), folder / f"{what}-{i}", options)
        if what == "signals" and any(kind != "signals" for kind in result.kinds.values()):
            raise UsageError(
                f"{name!r} is no file of signals: it needs columns signal_id, event_time, kind, name and value "
                "(docs/reference/signals.md); business outcomes go to --outcomes"
            )
        ready.append(str(result.signals))
        reasons.update(result.reasons)
        notes += result.notes
    if id_key is not None:
        ready = [
            copy
            for i, name in enumerate(ready)
            for copy in pseudonymous_copies(name, folder / f"{what}-pseudonymous-{i}", id_key)
        ]
    return _SignalFiles(tuple(ready), reasons, tuple(notes))
