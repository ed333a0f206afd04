"""Importers: logs of other gateways and tracing tools -> the canonical decision log and signals.

    detect_format(path)                           which format a file, folder or pattern is in
    import_logs(paths, format, out_dir, options)  writes decisions.jsonl and signals.jsonl, and says what became of everything
    import_outcomes(paths, out_dir, options)      tickets, ratings, churn -> canonical outcome signals
    read_mapping(path)                            the mapping file of --map

One importer is a pure function from one foreign record to rows (`rows.py`); `driver.py` streams files through it. Nothing here
keeps prompts or answers.
"""

from collections.abc import Sequence
from pathlib import Path

from undertow.adapters.importers.detect import detect_format
from undertow.adapters.importers.driver import run_import
from undertow.adapters.importers.mapping import MappingFile, SignalRule, parse_mapping, read_mapping
from undertow.adapters.importers.outcomes import OutcomeResult, read_outcomes
from undertow.adapters.importers.registry import BY_FORMAT
from undertow.adapters.importers.result import (
    Detection,
    ExplainedColumn,
    Explanation,
    ImportOptions,
    ImportResult,
    MissingColumn,
    TierModel,
)
from undertow.errors import UsageError
from undertow.ports.audit_source import Progress, silent

__all__ = [
    "FORMATS", "Detection", "ExplainedColumn", "Explanation", "ImportOptions", "ImportResult", "MappingFile", "MissingColumn", "OutcomeResult",
    "SignalRule", "TierModel", "detect_format", "import_logs", "import_outcomes", "parse_mapping", "read_mapping", "read_outcomes",
]  # fmt: skip

FORMATS: tuple[str, ...] = ("undertow", *BY_FORMAT)


def import_logs(
    paths: Sequence[str],
    format: str,  # noqa: A002 - the name of the option --format
    out_dir: Path,
    options: ImportOptions | None = None,
    progress: Progress = silent,
) -> ImportResult:
    """Import foreign logs into canonical files in `out_dir`.

    Args:
        paths: Files, folders or patterns, all of one tool: its traces, scores and job tables may be given together.
        format: One of `FORMATS` except `undertow`; see `detect_format`.
        out_dir: Folder for `decisions.jsonl` and `signals.jsonl`; made if needed.
        options: Time zone, tiers, mapping file.
        progress: Told how many records have been read.

    Raises:
        UsageError: no such format, or a canonical log, which needs no import.
        LogError: a file cannot be read at all, or nothing in the files could be used.
    """
    if format == "undertow":
        raise UsageError("this log is already in Undertow's own format; it is read directly, without an import")
    importer = BY_FORMAT.get(format)
    if importer is None:
        raise UsageError(f"format {format!r} is unknown; known: {', '.join(FORMATS)}")
    return run_import(importer, paths, Path(out_dir), options or ImportOptions(), progress)


def import_outcomes(paths: Sequence[str], out_dir: Path, options: ImportOptions | None = None) -> Path:
    """Import outcome files into `out_dir/outcomes.jsonl`, canonical signals; `read_outcomes` also says what was left out.

    Raises:
        LogError: a file is no table of outcomes, or nothing in it could be used.
    """
    return read_outcomes(paths, Path(out_dir), options).signals
