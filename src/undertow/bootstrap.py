"""The one place that builds adapters and hands them to services.

read_cells(request)   the log's sufficient statistics, whatever format it is in
run_audit(request)    the whole audit
explain(request)      which foreign field became which column
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from undertow.adapters.duckdb.inputs import LogInputs
from undertow.adapters.duckdb.source import DuckDbAuditSource
from undertow.adapters.importers import detect_format, import_logs, import_outcomes, read_mapping
from undertow.adapters.importers.result import Explanation, ImportOptions
from undertow.config.settings import Settings
from undertow.errors import UsageError
from undertow.ledger.usd import OutcomePrice
from undertow.ports.audit_source import CellOptions, OutcomeWindow, Progress, silent
from undertow.records.cells import AuditCells
from undertow.records.report import AuditReport, AuditSettings
from undertow.services.audit import audit

BUCKET_S = {"1d": 86_400, "1h": 3_600}


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
    )


def outcome_prices(settings: Settings) -> tuple[OutcomePrice, ...]:
    """What each outcome costs, from `[outcomes.NAME]`."""
    return tuple(
        OutcomePrice(str(name), o.usd, o.unit, o.direction, o.maturity_days) for name, o in settings.outcomes.items()
    )


def read_cells(request: AuditRequest, progress: Progress = silent) -> AuditCells:
    """The sufficient statistics of a log.

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
        )
        return DuckDbAuditSource(opened.inputs, rejects_dir=request.rejects_dir).cells(options, progress)


def run_audit(request: AuditRequest, progress: Progress = silent) -> AuditReport:
    """The whole audit: read, join, estimate, detect, decide."""
    cells = read_cells(request, progress)
    progress("weighing the evidence", 0, None)
    return audit(cells, audit_settings(request), outcome_prices(request.settings))


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
        outcomes = _outcomes(request, Path(folder), options)
        if found == "undertow":
            inputs = LogInputs(request.inputs, request.signals, outcomes, timezone=request.timezone)
            yield _Opened(inputs, tier_models, order)
            return
        result = import_logs(request.inputs, found, Path(folder) / "log", options, progress)
        inputs = LogInputs(
            decisions=(str(result.decisions),),
            signals=(*((str(result.signals),) if result.signals else ()), *request.signals),
            outcomes=outcomes,
            draws=(str(result.draws),) if result.draws else (),
            import_reasons=dict(result.reasons),
            notes=result.notes,
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


def _outcomes(request: AuditRequest, folder: Path, options: ImportOptions) -> tuple[str, ...]:
    """Outcome files in canonical form; exports of ticket systems are converted first."""
    ready: list[str] = []
    for i, name in enumerate(request.outcomes):
        if _is_canonical_signals(name):
            ready.append(name)
        else:
            ready.append(str(import_outcomes((name,), folder / f"outcomes-{i}", options)))
    return tuple(ready)


def _is_canonical_signals(name: str) -> bool:
    """Whether a file of outcomes already has the columns of signals (Parquet, JSON lines, or a folder of them)."""
    path = Path(name)
    return path.is_dir() or any(ch in name for ch in "*?[") or path.suffix not in {".csv", ".tsv"}
