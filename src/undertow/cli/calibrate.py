"""`undertow calibrate`: from labelled answers to a confidence that means something and a threshold with a guarantee."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from undertow.cli.audit import parse_date, settings_file
from undertow.cli.command import Command, FiniteRange
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError

if TYPE_CHECKING:
    from undertow.calibration.fit import FitOptions
    from undertow.config import Settings
    from undertow.ports.audit_source import Progress
    from undertow.records.calibration_report import CalibrationReport
    from undertow.records.labelled_answers import LabelledAnswers

Scores = Literal["auto", "probability", "log-probability", "number"]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the labels are."""

    inputs: tuple[str, ...]
    label: str | None
    signal: str | None
    signals: tuple[str, ...]
    since: str | None
    score: str
    score_is: Scores
    segment: str | None


@click.command(
    "calibrate",
    cls=Command,
    examples="""
    undertow calibrate undertow-data/
    undertow calibrate undertow-data/ --signal review.accuracy --segment intent
    undertow calibrate log/ --signals reviews.jsonl --score combined --html calibration.html
    undertow calibrate evaluation.parquet --label ok --score p --segment task
    undertow calibrate undertow-data/ --json | jq '.groups[] | {value, threshold}'
    """,
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--tier", metavar="NAME", help="Tier whose answers are judged. Default: the cheapest.")
@click.option("--signal", metavar="KIND.NAME", help="Log: signal that is the label, as review.accuracy. Default: pairs before single labels, people before judges.")  # fmt: skip
@click.option("--signals", multiple=True, metavar="FILE", help="Log: more files of signals. May be repeated.")
@click.option("--since", metavar="DATE", help="Log: only decisions from then on (UTC), as after a change of model.")
@click.option("--label", metavar="COLUMN", help="Table: column with 1 where the cheap answer was as good, or a quality in [0, 1].")  # fmt: skip
@click.option("--score", default="single", show_default=True, metavar="SCORE", help="single: the log-probability, or what stands in for it; combined: all features, which a third of the labels learn; or a feature, or a table's column.")  # fmt: skip
@click.option("--score-is", type=click.Choice(["auto", "probability", "log-probability", "number"]), default="auto", show_default=True, help="Table: what the score column holds.")  # fmt: skip
@click.option("--segment", metavar="KEY", help="Label by whose values requests have thresholds of their own, where there are labels enough.")  # fmt: skip
@click.option("--shared", is_flag=True, help="One threshold for all: the loss of all together is bounded, that of a segment is not.")  # fmt: skip
@click.option("--prefix", type=click.IntRange(min=0, max=4096), default=0, show_default=True, metavar="N", help="Calibrate the first N tokens too, for streaming; 0: not.")  # fmt: skip
@click.option("--margin", type=FiniteRange(0, 1, min_open=True, max_open=True), metavar="M", help="Largest accepted P(cheap served and failing where capable would not). Default: policy.margin.")  # fmt: skip
@click.option("--delta", type=FiniteRange(0, 1, min_open=True, max_open=True), metavar="D", help="Probability with which the threshold may miss it. Default: policy.delta.")  # fmt: skip
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), default=Path("calibration.json"), show_default=True, help="File to write.")  # fmt: skip
@click.option("--config", metavar="FILE", help="Settings: tiers, policy.margin, policy.delta. Default: undertow.toml in the log's folder, else here.")  # fmt: skip
@click.option("--html", metavar="FILE", help="Write the report as one HTML file too.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of everything random.")
@click.option("--json", "as_json", is_flag=True, help="JSON (undertow.calibrate/1) on standard output, and nothing else there.")  # fmt: skip
def command(
    inputs: tuple[str, ...],
    tier: str | None,
    signal: str | None,
    signals: tuple[str, ...],
    since: str | None,
    label: str | None,
    score: str,
    score_is: Scores,
    segment: str | None,
    shared: bool,
    prefix: int,
    margin: float | None,
    delta: float | None,
    out: Path,
    config: str | None,
    html: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Fit confidence and thresholds of a cascade on labelled answers in INPUT.

    INPUT is a log with its signals (a store's folder, or files), or, with --label, a table of scores and labels. The threshold is the lowest
    at which the loss stays within the margin with probability 1 - delta; where there is none, the report says what is missing, and the
    capable tier goes on answering.
    """
    from undertow.config import load_settings
    from undertow.services.calibrate import calibrate

    if label is not None and (signal is not None or signals or since is not None):
        raise UsageError("--label is for tables, --signal, --signals and --since are for logs; give one sort")
    for option, target in (("--out", out), ("--html", Path(html) if html is not None else None)):
        if target is not None and not target.absolute().parent.is_dir():
            raise UsageError(f"{option} {target}: no such folder {target.parent}")
    settings = load_settings(settings_file(config, inputs), os.environ).settings
    source = _Source(inputs, label, signal, signals, since, score, score_is, segment)
    cheap, capable = _tiers(settings, tier)
    with progress_bar(shown=not as_json) as progress:
        answers = _read(source, cheap, capable, progress)
        options = _options(
            answers,
            source,
            settings,
            cheap,
            capable,
            margin=margin,
            delta=delta,
            shared=shared,
            prefix=prefix,
            seed=seed,
        )
        report = calibrate(answers, options, progress)
    _show(_written(report, out), as_json=as_json, html=html)


def _tiers(settings: "Settings", tier: str | None) -> tuple[str, str]:
    """The tier that is judged, and the one that it is compared with."""
    order = settings.tier_order or ("cheap", "capable")
    if len(order) < 2:
        raise UsageError(f"one tier alone ({order[0]}) has nothing to be compared with; give two in the settings")
    chosen = tier or order[0]
    if chosen not in order or chosen == order[-1]:
        raise UsageError(f"--tier {chosen!r}: expected one of {', '.join(order[:-1])}")
    return chosen, order[-1]


def _read(source: _Source, tier: str, capable: str, progress: "Progress") -> "LabelledAnswers":
    if source.label is not None:
        from undertow.adapters.training.answer_table import read_answer_table

        return read_answer_table(
            source.inputs,
            label=source.label,
            score=None if source.score in {"single", "combined"} else source.score,
            score_is=source.score_is,
            segment=source.segment,
            progress=progress,
        )
    from undertow.adapters.training.answers import read_answers

    return read_answers(
        source.inputs,
        tier=tier,
        capable_tier=capable,
        signals=source.signals,
        signal=source.signal,
        since=parse_date(source.since, "--since"),
        progress=progress,
    )


def _options(
    answers: "LabelledAnswers",
    source: _Source,
    settings: "Settings",
    tier: str,
    capable: str,
    *,
    margin: float | None,
    delta: float | None,
    shared: bool,
    prefix: int,
    seed: int,
) -> "FitOptions":
    from undertow.calibration.fit import FitOptions

    given = settings.tiers.get(tier)
    score = source.score
    if source.label is not None and score not in {"single", "combined"}:
        score = next(iter(answers.features))  # a column may stand for a feature of another name
    return FitOptions(
        tier=tier,
        capable_tier=capable,
        model=None if given is None else given.model,
        fitted_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        margin=settings.policy.margin if margin is None else margin,
        delta=settings.policy.delta if delta is None else delta,
        score=score,
        group_key=source.segment,
        threshold_scope="shared" if shared else "group",
        prefix_tokens=prefix,
        seed=seed,
    )


def _written(report: "CalibrationReport", out: Path) -> "CalibrationReport":
    """The report of an artefact that was written. A score that no gateway can measure is none to write."""
    import msgspec

    from undertow.adapters.calibrations import write_calibration
    from undertow.policies.evidence import is_feature

    strange = [feature.name for feature in report.calibration.features if not is_feature(feature.name)]
    if strange:
        note = (
            f"no artefact was written: a gateway measures no {', '.join(map(repr, strange))}; name the column as the feature that it is, or "
            "say with --score-is that it is a probability or log-probability of the answer"
        )
        calibration = msgspec.structs.replace(report.calibration, notes=(*report.calibration.notes, note))
        return msgspec.structs.replace(report, calibration=calibration)
    return msgspec.structs.replace(report, artefact=str(out), sha256=write_calibration(report.calibration, out))


def _show(report: "CalibrationReport", *, as_json: bool, html: str | None) -> None:
    if html is not None:
        from undertow.reports.calibration_html import render_calibration

        Path(html).write_text(render_calibration(report), encoding="utf-8")
    if as_json:
        from undertow.reports.calibration_json import calibration_document

        click.echo(json.dumps(calibration_document(report), indent=1, ensure_ascii=False, allow_nan=False))
        return
    from undertow.reports.calibration_terminal import calibration_lines

    for line in calibration_lines(report):
        click.echo(line)
