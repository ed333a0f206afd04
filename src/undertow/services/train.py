"""Trains a classifier that tells easy requests from hard ones, and says how well it does on texts that it was not trained on.

Logistic regression over features that are given (hashed words, or the vectors of an encoder). Texts are put into folds as a
whole: two requests with the same words never stand on both sides, which would make the classifier look better than it is.
scikit-learn is imported when it is needed; it is the extra `train`.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from undertow.errors import DataError, UsageError
from undertow.policies.artefact import Auroc, ThresholdOutcome, TrainedOn
from undertow.policies.features import BUCKETS, text_features
from undertow.ports.audit_source import Progress, silent
from undertow.records.training import Example, LabelledTexts
from undertow.stats.roc import roc_area

FOLDS = 5
MIN_LABELS = 50
MAX_EXAMPLES = 200_000
"""More labels than this teach a model of this size nothing; a sample of them is taken."""
INVERSE_PENALTY = 10.0
"""On three intents of banking questions it told more apart than 1 did, and as much as 100."""
FEW = 30
"""Below this many labels of one sort the report says that it rests on few."""
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FINE_STEPS = 200

Floats = npt.NDArray[np.float64]
Matrix = Any
"""A dense array or a scipy sparse matrix of shape (examples, features)."""
MakeMatrix = Callable[[Sequence[str], Progress], Matrix]


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained logistic function with its report.

    Attributes:
        weights: One a feature.
        intercept: Of the logistic function.
        trained_on: Labels.
        auroc: On texts that were not trained on.
        thresholds: What thresholds would have done, on the same.
        advised_threshold: The lowest with P(cheap and failing) at most the margin; None: none has, or it does no better than chance.
        notes: Sentences for the reader.
    """

    weights: tuple[float, ...]
    intercept: float
    trained_on: TrainedOn
    auroc: Auroc
    thresholds: tuple[ThresholdOutcome, ...]
    advised_threshold: float | None
    notes: tuple[str, ...] = ()


def text_matrix(texts: Sequence[str], progress: Progress = silent) -> Matrix:
    """Hashed words of each text as a sparse matrix, weighed as `TextClassifier` weighs them."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 (half of what `undertow` loads would come with it)

    indices: list[int] = []
    ends, values = [0], []
    for number, text in enumerate(texts):
        if number % 1000 == 0:
            progress("reading texts", number, len(texts))
        buckets = sorted(text_features(text))
        indices += buckets
        ends.append(len(indices))
        values += [1.0 / math.sqrt(max(len(buckets), 1))] * len(buckets)
    return csr_matrix((values, indices, ends), shape=(len(texts), BUCKETS))


def train(
    labelled: LabelledTexts,
    make_matrix: MakeMatrix = text_matrix,
    *,
    seed: int = 1,
    margin: float = 0.02,
    progress: Progress = silent,
) -> Trained:
    """Train on examples.

    Args:
        labelled: Examples.
        make_matrix: Features of texts.
        seed: Of the folds, and of the sample where there are more than `MAX_EXAMPLES`.
        margin: Largest accepted P(cheap served and failing); only advice comes of it.
        progress: Told what is being done.

    Raises:
        DataError: Too few labels, or of one sort only; says how many there are and how many are missing.
        UsageError: scikit-learn is not installed.
    """
    examples, notes = _sample(labelled.examples, seed)
    easy = np.array([example.is_easy for example in examples], dtype=bool)
    folds = np.array([fold_of(example.text, seed) for example in examples], dtype=np.int64)
    _check(labelled, easy, folds)
    fit = _fitter()
    matrix = make_matrix([example.text for example in examples], progress)
    size = matrix.shape[1]
    # Features that no text has keep the weight 0; without them a fit is many times quicker.
    used = np.flatnonzero(np.asarray(abs(matrix).sum(axis=0)).ravel())
    matrix = matrix[:, used]
    weight = np.array([example.weight for example in examples], dtype=np.float64)
    weight = weight / weight.mean()
    rarer = int(min(easy.sum(), (~easy).sum()))
    if rarer < FEW:
        notes = (*notes, f"only {rarer} labels of the rarer sort: all figures below rest on them")
    held_out = np.empty(len(examples))
    for fold in range(FOLDS):
        progress("cross-validation", fold, FOLDS + 1)
        tested = folds == fold
        if tested.any():
            model = fit(matrix[~tested], easy[~tested], weight[~tested])
            held_out[tested] = model.predict_proba(matrix[tested])[:, 1]
    progress("fitting", FOLDS, FOLDS + 1)
    model = fit(matrix, easy, weight)
    weights = np.zeros(size)
    weights[used] = model.coef_[0]
    area = auroc(held_out, easy, weight, folds)
    return Trained(
        weights=tuple(weights.tolist()),
        intercept=float(model.intercept_[0]),
        trained_on=TrainedOn(
            source=labelled.source,
            labels=len(examples),
            easy=int(easy.sum()),
            texts=len({example.text for example in examples}),
            easy_share=float(weight[easy].sum() / weight.sum()),
        ),
        auroc=area,
        thresholds=tuple(outcome(held_out, easy, weight, threshold) for threshold in THRESHOLDS),
        # What is not shown to tell easy from hard has no threshold worth advising.
        advised_threshold=advise(held_out, easy, weight, margin) if area.interval[0] > 0.5 else None,
        notes=(*labelled.notes, *notes),
    )


def fold_of(text: str, seed: int) -> int:
    """The fold that a text belongs to, in [0, FOLDS): the same for the same words in any case and spacing."""
    plain = " ".join(text.lower().split())
    return zlib.crc32(f"{seed}\0{plain}".encode("utf-8", "surrogatepass")) % FOLDS


def auroc(
    score: Floats, easy: npt.NDArray[np.bool_], weight: Floats, fold: npt.NDArray[np.int64], level: float = 0.95
) -> Auroc:
    """Weighted area under the ROC curve with its interval; only examples of one fold are compared (`undertow.stats.roc`).

    Examples:
        >>> score, easy = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])
        >>> auroc(score, easy, np.ones(4), np.zeros(4, dtype=np.int64)).value
        0.875
    """
    area = roc_area(score, easy, weight, fold, level)
    return Auroc(value=area.value, interval=(area.low, area.high), level=level, folds=FOLDS)


def outcome(score: Floats, easy: npt.NDArray[np.bool_], weight: Floats, threshold: float) -> ThresholdOutcome:
    """What a threshold would have done."""
    cheap = score >= threshold
    mass = float(weight[cheap].sum())
    failing = float(weight[cheap & ~easy].sum())
    return ThresholdOutcome(
        threshold=threshold,
        cheap_share=mass / float(weight.sum()),
        failure_rate=failing / mass if mass > 0 else None,
    )


def advise(score: Floats, easy: npt.NDArray[np.bool_], weight: Floats, margin: float) -> float | None:
    """The lowest threshold from which on P(cheap and failing) stays within the margin; None: not even the highest."""
    found = None
    for step in range(FINE_STEPS - 1, 0, -1):
        at = outcome(score, easy, weight, step / FINE_STEPS)
        if at.cheap_share * (at.failure_rate or 0.0) > margin:
            break
        if at.cheap_share > 0:
            found = at.threshold
    return found


def _sample(examples: tuple[Example, ...], seed: int) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    if len(examples) <= MAX_EXAMPLES:
        return examples, ()
    chosen = np.sort(np.random.default_rng(seed).choice(len(examples), MAX_EXAMPLES, replace=False))
    return tuple(examples[place] for place in chosen), (
        f"{MAX_EXAMPLES:,} of {len(examples):,} labels were drawn at random; more would not change the classifier",
    )


def _check(labelled: LabelledTexts, easy: npt.NDArray[np.bool_], folds: npt.NDArray[np.int64]) -> None:
    total, good = len(easy), int(easy.sum())
    aside = ", ".join(f"{n} {reason}" for reason, n in labelled.reasons.items())
    left_out = f" (left out: {aside})" if aside else ""
    if total < MIN_LABELS:
        raise DataError(
            f"{total} labels from {labelled.source}{left_out}; at least {MIN_LABELS} are needed, so {MIN_LABELS - total} more"
        )
    if good in {0, total}:
        there, missing = ("easy", "hard") if good else ("hard", "easy")
        raise DataError(
            f"all {total} labels from {labelled.source} are {there}{left_out}; a classifier needs {missing} ones too: label requests "
            "that are thought to be " + missing
        )
    for fold in range(FOLDS):
        rest = easy[folds != fold]
        if rest.size == 0 or rest.all() or not rest.any():
            raise DataError(
                f"{good} easy and {total - good} hard labels on too few different texts for {FOLDS}-fold cross-validation; "
                "label more different texts of the rarer sort"
            )


def _fitter() -> Callable[[Matrix, Any, Floats], Any]:
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (an optional extra)
    except ImportError:
        raise UsageError("training needs scikit-learn; install it with `pip install 'undertow[train]'`") from None

    def fit(matrix: Matrix, easy: Any, weight: Floats) -> Any:
        model: Any = LogisticRegression(C=INVERSE_PENALTY, max_iter=2000)
        return model.fit(matrix, easy, sample_weight=weight)

    return fit
