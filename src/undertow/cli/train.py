"""`undertow train`: a classifier that tells easy requests from hard ones, from labelled texts or from a log with signals."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError

if TYPE_CHECKING:
    from undertow.adapters.classifiers.encoder import Encoder
    from undertow.config import Settings
    from undertow.policies.artefact import Artefact
    from undertow.ports.audit_source import Progress
    from undertow.records.training import LabelledTexts
    from undertow.services.train import Matrix, Trained

SCHEMA = "undertow.train/1"
ENCODER_BATCH = 64


@click.command(
    "train",
    cls=Command,
    examples="""
    undertow train labels.csv --text-column question --label easy
    undertow train undertow-data/ --signal review.accuracy
    undertow train log/ --signals reviews.jsonl --method embedding --out faq.json
    undertow train labels.parquet --json | jq '.auroc.value'
    """,
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--text-column", default="prompt", show_default=True, metavar="COLUMN", help="Column with the text.")
@click.option("--label", metavar="COLUMN", help="Labelled table: column with 1 or 0, easy or hard, or a quality in [0, 1]. Default: label or easy.")  # fmt: skip
@click.option("--signal", metavar="KIND.NAME", help="Log: signal that is the label, as review.accuracy. Default: reviews and judge scores.")  # fmt: skip
@click.option("--signals", multiple=True, metavar="FILE", help="Log: more files of signals. May be repeated.")
@click.option("--method", type=click.Choice(["text", "embedding"]), default="text", show_default=True, help="text: words, in plain Python; embedding: a sentence encoder in a process of its own.")  # fmt: skip
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False), default=Path("classifier.json"), show_default=True, help="File to write.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the folds.")
@click.option("--config", metavar="FILE", help="Settings: order of the tiers, policy.margin. Default: undertow.toml in the log's folder, else here.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON (undertow.train/1) on standard output, and nothing else there.")  # fmt: skip
def command(
    inputs: tuple[str, ...],
    text_column: str,
    label: str | None,
    signal: str | None,
    signals: tuple[str, ...],
    method: str,
    out: Path,
    seed: int,
    config: str | None,
    as_json: bool,
) -> None:
    """Train a classifier for `[policy] kind = "classifier"` on INPUT.

    INPUT is a table of texts with labels, or a log with kept text and its signals: there a request is easy whose cheap answer had
    a quality of at least 0.5. At least 50 labels of both sorts are needed.
    """
    from undertow.adapters.classifiers.loading import write_artefact
    from undertow.config import load_settings
    from undertow.services.train import text_matrix, train

    if label is not None and (signal is not None or signals):
        raise UsageError("--label is for labelled tables, --signal and --signals are for logs; give one sort")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: no such folder {out.parent}")
    settings = load_settings(settings_file(config, inputs), os.environ).settings
    encoder = _encoder() if method == "embedding" else None
    with progress_bar(shown=not as_json) as progress:
        labelled = _read(inputs, text_column, label, signal, signals, settings, progress)
        make_matrix = text_matrix if encoder is None else _Vectors(encoder)
        trained = train(labelled, make_matrix, seed=seed, margin=settings.policy.margin, progress=progress)
    artefact = _artefact(trained, method, encoder.name if encoder is not None else None, seed)
    write_artefact(artefact, out)
    if as_json:
        click.echo(json.dumps(_document(artefact, labelled, trained, out), indent=1, ensure_ascii=False))
    else:
        _show(artefact, labelled, trained, out, settings.policy.margin)


def _encoder() -> "Encoder":
    from undertow.adapters.classifiers.encoder import SentenceEncoder

    return SentenceEncoder(threads=os.cpu_count() or 1)


class _Vectors:
    """Features of the method `embedding`: the encoder's vectors, some texts at a time."""

    def __init__(self, encoder: "Encoder") -> None:
        self._encoder = encoder

    def __call__(self, texts: Sequence[str], progress: "Progress") -> "Matrix":
        import numpy as np

        blocks = []
        for start in range(0, len(texts), ENCODER_BATCH):
            progress("encoding texts", start, len(texts))
            blocks.append(self._encoder.encode(texts[start : start + ENCODER_BATCH]))
        return np.concatenate(blocks).astype(np.float64)


def _read(
    inputs: tuple[str, ...],
    text_column: str,
    label: str | None,
    signal: str | None,
    signals: tuple[str, ...],
    settings: "Settings",
    progress: "Progress",
) -> "LabelledTexts":
    """The examples: of a table where a label column is named or there, else of a log."""
    from undertow.adapters.training.labelled import LABEL_COLUMNS, first_columns, read_labelled
    from undertow.adapters.training.log import read_log

    if label is None and signal is None and not signals and not any(Path(name).is_dir() for name in inputs):
        columns = first_columns(inputs)
        label = next((name for name in LABEL_COLUMNS if name in columns), None)
        if label is None and "decision_id" not in columns:
            raise UsageError(
                f"neither a label column ({' or '.join(LABEL_COLUMNS)}) nor decision_id is in the input, so it is no labelled table and "
                "no decision log; name the column with --label"
            )
    if label is not None:
        return read_labelled(inputs, text_column, label, progress)
    order = settings.tier_order
    return read_log(
        inputs,
        cheap_tiers=order[:-1] if order else None,
        signals=signals,
        signal=signal,
        text_column=text_column,
        progress=progress,
    )


def _artefact(trained: "Trained", method: str, encoder: str | None, seed: int) -> "Artefact":
    from undertow.policies.artefact import Artefact, pack_weights
    from undertow.policies.features import VERSION

    return Artefact(
        method="embedding" if method == "embedding" else "text",
        features=encoder or VERSION,
        trained_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        trained_on=trained.trained_on,
        auroc=trained.auroc,
        thresholds=trained.thresholds,
        advised_threshold=trained.advised_threshold,
        seed=seed,
        size=len(trained.weights),
        intercept=trained.intercept,
        weights=pack_weights(list(trained.weights)),
    )


def _document(artefact: "Artefact", labelled: "LabelledTexts", trained: "Trained", out: Path) -> dict[str, object]:
    import msgspec

    report = msgspec.to_builtins(artefact)
    del report["weights"], report["intercept"], report["schema"]
    left_out = {"left_out": dict(labelled.reasons), "notes": list(trained.notes), "artefact": str(out)}
    return {"schema": SCHEMA} | report | left_out


def _show(artefact: "Artefact", labelled: "LabelledTexts", trained: "Trained", out: Path, margin: float) -> None:
    on, area = artefact.trained_on, artefact.auroc
    click.echo(f"wrote {out}: method {artefact.method}, {on.labels:,} labels from {on.source}")
    click.echo(f"  easy      {on.easy:,} of {on.labels:,} labels ({on.easy_share:.1%} of the requests they stand for), {on.texts:,} different texts")  # fmt: skip
    if labelled.reasons:
        click.echo(f"  left out  {', '.join(f'{n:,} {reason}' for reason, n in labelled.reasons.items())}")
    low, high = area.interval
    click.echo(f"  AUROC     {area.value:.3f} ({area.level:.0%} interval {low:.3f} to {high:.3f}), {area.folds}-fold, on texts not trained on")  # fmt: skip
    click.echo("\n  threshold  served cheaply  of these failing")
    for row in artefact.thresholds:
        failing = "-" if row.failure_rate is None else f"{row.failure_rate:.1%}"
        click.echo(f"  {row.threshold:>9.2f}  {row.cheap_share:>14.1%}  {failing:>16}")
    click.echo()
    if artefact.advised_threshold is None:
        click.echo(
            f"  no threshold keeps P(cheap and failing) within the margin of {margin:g}: more labels or another method"
        )
    else:
        click.echo(f"  advice    threshold = {artefact.advised_threshold:g} keeps P(cheap and failing) within the margin of {margin:g} on these labels; a calibration certifies it")  # fmt: skip
    for note in trained.notes:
        click.echo(f"  note      {note}")
