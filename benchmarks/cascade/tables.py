"""Real confidences: option probabilities of language models on five tasks, and whether the cheap model agrees with the capable one.

Third-party tables, read in place: `--data FOLDER` (see docs/benchmarks.md for where they come from). There are no gold answers: the label is
agreement with the capable model, which is what shadow scoring sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PAIRS = {
    "mistral_7b_v0_1": "qwen_72b",
    "qwen_7b": "qwen_72b",
    "qwen_14b": "qwen_72b",
    "llama_2_7b_hf": "llama_2_70b_hf",
}
"""Cheap model -> capable model."""

MARGIN = 0.03
DELTA = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One task as one cheap model met it. Arrays of shape (n,).

    Attributes:
        name: Its name.
        probability: Of the option that the cheap model chose.
        margin: That probability minus the next one's.
        option: The option, a letter.
        good: The capable model chose the same.
    """

    name: str
    probability: FloatArray
    margin: FloatArray
    option: npt.NDArray[np.str_]
    good: BoolArray

    def features(self) -> dict[str, FloatArray]:
        """The same as features of an answer of one token."""
        known = {"mean_logprob": np.log(np.maximum(self.probability, 1e-9)), "mean_margin": self.margin}
        return known | {
            f"answer={letter.lower()}": (self.option == letter).astype(float) for letter in np.unique(self.option)
        }


def load_tasks(folder: Path, most: int | None = None) -> dict[str, list[Task]]:
    """Tasks by cheap model.

    Args:
        folder: Where the table is.
        most: Rows of each task that are used, None: all.

    Raises:
        SystemExit: The table is not there.
    """
    path = folder / "mcq_logit_confidence.parquet"
    if not path.is_file():
        raise SystemExit(f"no {path.name} in {folder}; give the folder with the real tables: --data FOLDER")
    kept = "" if most is None else f"QUALIFY row_number() OVER (PARTITION BY task ORDER BY hash(id)) <= {most}"
    rows = duckdb.sql(f"SELECT * FROM read_parquet('{path}') WHERE NOT is_demo {kept} ORDER BY task, id").fetchnumpy()
    task = np.asarray(rows["task"]).astype(str)
    found: dict[str, list[Task]] = {}
    for cheap, capable in PAIRS.items():
        chosen = np.asarray(rows[f"pred__{cheap}"]).astype(str)
        found[cheap] = [
            Task(
                name,
                np.asarray(rows[f"p__{cheap}"], dtype=np.float64)[inside],
                np.asarray(rows[f"margin__{cheap}"], dtype=np.float64)[inside],
                chosen[inside],
                chosen[inside] == np.asarray(rows[f"pred__{capable}"]).astype(str)[inside],
            )
            for name in np.unique(task)
            for inside in [task == name]
        ]
    return found


def oracle_acceptance(score: FloatArray, good: BoolArray, margin: float) -> float:
    """Largest share that a threshold can serve with at most `margin` of all failing, all labels known."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    risk = np.cumsum(~good[order]) / len(score)
    is_last = np.append(ranked[1:] != ranked[:-1], True)
    within = np.flatnonzero(is_last & (risk <= margin))
    return float(within[-1] + 1) / len(score) if len(within) else 0.0


def splits(
    rng: np.random.Generator, n: int, labels: int, count: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Random splits: places of the labels, and of all other rows."""
    for _ in range(count):
        order = rng.permutation(n)
        yield order[:labels], order[labels:]
