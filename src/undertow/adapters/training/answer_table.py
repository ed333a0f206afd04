"""A plain table of cheap answers that somebody evaluated: a score, a label, and what else there is. CSV, JSON lines or Parquet."""

import difflib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from undertow.adapters.importers.files import Undecodable, expand, records
from undertow.adapters.training.labelled import read_label
from undertow.errors import DataError, LogError
from undertow.policies.evidence import PREFIX, is_feature
from undertow.ports.audit_source import Progress, silent
from undertow.records.labelled_answers import LabelledAnswers

ScoreKind = Literal["auto", "probability", "log-probability", "number"]

REPORT_EVERY = 5_000
WEIGHTS = ("inclusion_probability", "weight")
TOKENS = f"{PREFIX}tokens"
COSTS = ("cheap_cost_usd", "capable_cost_usd")


def read_answer_table(
    paths: Sequence[str],
    *,
    label: str,
    score: str | None = None,
    score_is: ScoreKind = "auto",
    segment: str | None = None,
    progress: Progress = silent,
) -> LabelledAnswers:
    """The labelled answers of a table.

    Columns that bear the name of a feature (`mean_logprob`, `p_true`, ...) are that feature. A score column of another name is taken for
    the answer's mean log-probability, as a log-probability or as a probability; a number of any other kind keeps its name, and a
    gateway, which cannot measure it, refuses a calibration of it. Weights come of `inclusion_probability`, else of `weight`, else all are 1.

    Args:
        paths: Files, folders or globs.
        label: Column with the label: 1 or 0, true or false, or a quality in [0, 1]; 1: the cheap answer was as good as the capable one's.
        score: Column with the score; None: the columns that are features.
        score_is: What the score column is; `auto`: told from its values.
        segment: Column with the label by whose values requests are divided, or None.
        progress: Told how many rows were read.

    Raises:
        LogError: Nothing can be read, or a column is in no row.
        DataError: The score column does not hold what it is said to hold.
    """
    reasons: Counter[str] = Counter()
    seen: set[str] = set()
    rows: list[Mapping[str, Any]] = []
    good: list[bool] = []
    for number, record in enumerate(_rows(paths)):
        if number % REPORT_EVERY == 0:
            progress("reading labels", number, None)
        if isinstance(record, Undecodable):
            reasons[record.reason] += 1
        elif not isinstance(record, Mapping):
            reasons["not_an_object"] += 1
        else:
            seen.update(map(str, record))
            is_good = read_label(record.get(label))
            if is_good is None:
                reasons["no_label"] += 1
            elif math.isnan(_weight(record)):
                reasons["no_inclusion_probability"] += 1
            else:
                rows.append(record)
                good.append(is_good)
    for name, option in ((label, "--label"), (score, "--score"), (segment, "--segment")):
        if name is not None and name not in seen:
            raise LogError(_no_column(name, option, seen))
    names = [score] if score is not None else sorted(filter(_is_logged, seen))
    features = dict(_feature(name, _column(rows, name), score_is) for name in names)
    texts = tuple(str(row.get("prompt") or "") for row in rows)
    return LabelledAnswers(
        features=features,
        good=np.array(good, dtype=np.bool_),
        weight=np.array([_weight(row) for row in rows], dtype=np.float64),
        segments=tuple(
            {} if segment is None or row.get(segment) is None else {segment: str(row[segment])} for row in rows
        ),
        cheap_cost_usd=_column(rows, COSTS[0]) if COSTS[0] in seen else None,
        capable_cost_usd=_column(rows, COSTS[1]) if COSTS[1] in seen else None,
        source=f"column {label}",
        texts=texts if any(texts) else (),
        reasons=dict(sorted(reasons.items())),
        notes=()
        if seen & set(WEIGHTS)
        else (f"no column {' or '.join(WEIGHTS)}: every label counts the same, as a plain sample's do",),
    )


def _rows(paths: Sequence[str]) -> Iterator[Any]:
    for path in expand(tuple(paths)):
        for record in records(path):
            if isinstance(record, list):  # a JSON file that is one array
                yield from record
            else:
                yield record


def _is_logged(name: str) -> bool:
    """A feature of an answer or of its first tokens, or how many those were."""
    return name == TOKENS or is_feature(name.removeprefix(PREFIX))


def _feature(name: str, values: Any, score_is: ScoreKind) -> tuple[str, Any]:
    """The feature that a column is, with its values."""
    if _is_logged(name):
        return name, values
    known = values[~np.isnan(values)]
    kind = score_is
    if kind == "auto" and len(known):
        kind = (
            "probability"
            if known.min() >= 0 and known.max() <= 1
            else "log-probability"
            if known.max() <= 0
            else "number"
        )
    match kind:
        case "probability":
            _check(name, kind, known, (known >= 0) & (known <= 1), "between 0 and 1")
            # The least that a link tells apart; log of 0 is no number.
            return "mean_logprob", np.log(np.maximum(values, 1e-6))
        case "log-probability":
            _check(name, kind, known, known <= 0, "at most 0")
            return "mean_logprob", values
        case _:
            return name, values


def _check(name: str, kind: str, values: Any, fits: Any, expected: str) -> None:
    if not fits.all():
        raise DataError(
            f"column {name!r} (--score) holds {float(values[~fits][0]):g}, and a {kind} is {expected}; say what it is with --score-is"
        )


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    return np.array([_number(row.get(name)) for row in rows], dtype=np.float64)


def _number(value: Any) -> float:
    """A finite number, or NaN."""
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _weight(row: Mapping[str, Any]) -> float:
    """1 / inclusion probability, or the weight; NaN where it is none."""
    probability, weight = (row.get(name) for name in WEIGHTS)
    if probability is None and weight is None:
        return math.nan if any(name in row for name in WEIGHTS) else 1.0
    if probability is not None:
        p = _number(probability)
        return 1.0 / p if 0.0 < p <= 1.0 else math.nan
    w = _number(weight)
    return w if w > 0.0 else math.nan


def _no_column(name: str, option: str, seen: set[str]) -> str:
    names = sorted(seen)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"no column {name!r} ({option}){hint}; columns: {shown or 'none'}"
