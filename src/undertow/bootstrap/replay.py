"""A replay: the audit of a log as it was watched, and of the same log under other settings."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from undertow.adapters.rerouted import reroute
from undertow.bootstrap.audit import AuditRequest, audit_cells, export_log, read_cells
from undertow.config.settings import Settings
from undertow.errors import UsageError
from undertow.ports.audit_source import Progress, silent
from undertow.records.replayed import Replay, Rerouted, Rerouting, SettingChange
from undertow.services.replay import replay_notes, setting_changes, time_line

WAS, WOULD_BE = "as it was", "as it would have been"


def dotted_settings(settings: Settings) -> dict[str, object]:
    """All settings by their dotted names; lists as tuples.

    Examples:
        >>> dotted_settings(Settings())["monitors.alpha"]
        0.05
    """
    return dict(_dotted("", settings.model_dump()))


def _dotted(name: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in _dotted(f"{name}.{key}".lstrip("."), inner)]
    return [(name, tuple(value) if isinstance(value, list) else value)]


def run_replay(was: AuditRequest, would_be: AuditRequest, progress: Progress = silent) -> Replay:
    """Audit a log twice, as it was and under other settings.

    Args:
        was: The log and its settings.
        would_be: The same log, other settings.
        progress: Told what is done.

    Raises:
        LogError: Nothing readable.
        DataError: No live decision with a tier.
        UsageError: The settings differ in nothing that a replay follows.
    """
    changes = setting_changes(dotted_settings(was.settings), dotted_settings(would_be.settings))
    if not any(change.is_replayed for change in changes):
        said = "; ".join(f"{change.name}: {change.why}" for change in changes)
        raise UsageError(
            f"nothing to replay: {said}"
            if said
            else "nothing to replay: the settings are the same; name others with --set or --with"
        )
    cells = read_cells(was, progress)
    first = audit_cells(was, cells)
    rule, keep_reviews = _rerouting(was.settings, would_be.settings, changes, cells.tiers)
    if rule.is_empty and keep_reviews >= 1.0:
        second, rerouted = audit_cells(would_be, read_cells(would_be, progress)), None
    else:
        with tempfile.TemporaryDirectory(prefix="undertow-replay-") as folder:
            request, rerouted = _rewritten(would_be, rule, keep_reviews, Path(folder), progress)
            second = audit_cells(request, read_cells(request, progress))
    line = time_line(WOULD_BE, second)
    return Replay(time_line(WAS, first), line, changes, rerouted, replay_notes(rerouted, line))


def _rerouting(
    was: Settings, would_be: Settings, changes: tuple[SettingChange, ...], tiers: tuple[str, ...]
) -> tuple[Rerouting, float]:
    """The other decisions, and the share of the reviews that stays."""
    followed = {change.name for change in changes if change.is_replayed}
    never = tuple(would_be.constraints.never_cheap) if "constraints.never_cheap" in followed else ()
    threshold = getattr(would_be.policy, "threshold", None) if "policy.threshold" in followed else None
    keep = would_be.review.per_day / was.review.per_day if "review.per_day" in followed and was.review.per_day else 1.0
    return Rerouting(tiers[-1], tiers[0], "auto" if threshold is not None else None, threshold, never), min(1.0, keep)


def _rewritten(
    request: AuditRequest, rule: Rerouting, keep_reviews: float, folder: Path, progress: Progress
) -> tuple[AuditRequest, Rerouted]:
    progress("taking the decisions anew", 0, None)
    decisions, signals = export_log(request, folder)
    out = folder / "rerouted"
    out.mkdir()
    rerouted = reroute(decisions, signals, rule, out, keep_reviews=keep_reviews)
    written = (str(out / "signals.parquet"),) if signals is not None else ()
    inputs = (str(out / "decisions.parquet"),)
    return replace(request, inputs=inputs, format="undertow", signals=written, outcomes=(), id_key=None), rerouted
