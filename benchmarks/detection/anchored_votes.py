"""Prediction-powered estimates on real votes: how often the interval holds, and how much narrower a judge makes it.

Pairs of answers with votes of people and of language models that judge them (third-party tables, read in place). What is estimated is the share of
pairs in which the first answer is worse by the majority of people; people's votes are known on n pairs drawn at random, the judge's on all.
The judge's score of a pair is 1 where it calls the first answer worse, 0 where better, one half for a tie, two orders that disagree, and a verdict
that is missing: whatever a judge says, the estimate has to be right. Two ways to repeat it:

* splits: the table is the traffic, and other pairs are labelled each time. Where n is a large part of the table, the interval holds oftener than it says.
* resampled: the traffic is as many pairs, drawn from the table with replacement, and the table's own share is to be covered.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import numpy as np
import numpy.typing as npt

from undertow.stats.ppi import ppi_mean

FloatArray = npt.NDArray[np.float64]

LEVEL = 0.95
LABELS = (50, 100, 200, 400)
WAYS = ("splits", "resampled")
TABLES = ("judge_human_votes.parquet", "judge_human_pairs.parquet")
SEED = 20265


class Entries(Protocol):
    """Where figures go: `report.Report`."""

    def add(
        self,
        criterion: str,
        bar: str,
        bar_value: float | None,
        measured: float | None,
        interval: tuple[float, float] | None,
        n: int,
        ok: bool | None,
        comparator: str | None = None,
    ) -> None:
        """One figure."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """The votes on all pairs that one judge was asked about. Arrays of shape (N,).

    Attributes:
        judge: Its name.
        worse: 1 where the first answer is worse by the majority of people, else 0.
        said: The judge's score: 1 worse, 0 better, one half neither.
    """

    judge: str
    worse: FloatArray
    said: FloatArray


@dataclass(frozen=True, slots=True)
class Measured:
    """What many repetitions came to.

    Attributes:
        covered: Share of the intervals that hold the truth.
        width: Mean width.
        alone: Mean width of the intervals from people's votes alone.
    """

    covered: float
    width: float
    alone: float


def load_votes(data: Path) -> list[Votes]:
    """Votes of each judge of the tables, those with most pairs first.

    Args:
        data: Folder with the tables.
    """
    votes = data / TABLES[0]
    rows = duckdb.execute(
        """
        WITH people AS (
            SELECT pair_id, (sum((pref = 1)::INT) * 2 > count(*))::INT AS worse FROM read_parquet($votes) WHERE rater_kind = 'human' AND pref IS NOT NULL
            GROUP BY pair_id),
        judges AS (
            SELECT pair_id, rater, CASE WHEN min(pref) = max(pref) AND count(pref) = count(*) THEN (1 + min(pref)) / 2 ELSE 0.5 END AS said
            FROM read_parquet($votes) WHERE rater_kind = 'llm' GROUP BY pair_id, rater)
        SELECT rater, list(worse ORDER BY pair_id), list(said ORDER BY pair_id) FROM judges JOIN people USING (pair_id)
        GROUP BY rater ORDER BY count(*) DESC, rater
        """,
        {"votes": str(votes)},
    ).fetchall()
    return [
        Votes(name, np.asarray(worse, dtype=np.float64), np.asarray(said, dtype=np.float64))
        for name, worse, said in rows
    ]


def measure(votes: Votes, labels: int, runs: int, way: str, rng: np.random.Generator) -> Measured:
    """Repeat the estimate.

    Args:
        votes: Of one judge.
        labels: Pairs that people label.
        runs: Repetitions.
        way: `splits` or `resampled`.
        rng: Draws pairs.
    """
    size = len(votes.worse)
    truth = float(votes.worse.mean())
    covered, width, alone = 0, 0.0, 0.0
    for _ in range(runs):
        order = rng.permutation(size) if way == "splits" else rng.integers(size, size=size)
        said = votes.said[order]
        seen = np.full(size, np.nan)
        seen[:labels] = votes.worse[order[:labels]]
        found = ppi_mean(said, seen, labels / size, level=LEVEL)
        plain = ppi_mean(np.zeros(size), seen, labels / size, level=LEVEL)
        covered += found.low <= truth <= found.high
        width += found.high - found.low
        alone += plain.high - plain.low
    return Measured(covered / runs, width / runs, alone / runs)


def bench(report: Entries, *, quick: bool, data: Path) -> None:
    """Measure all judges at all numbers of labels; print a table and add the entries. Does nothing where the tables are not there.

    Args:
        report: Takes the figures.
        quick: Fewer repetitions.
        data: Folder with the tables.
    """
    if not all((data / name).is_file() for name in TABLES):
        print(f"\nprediction-powered estimates: skipped, no {TABLES[0]} in {data}")
        return
    runs = 40 if quick else 2_000
    judges = load_votes(data)
    print(
        f"\nPrediction-powered estimates on real votes, {len(judges)} judges, {runs} repetitions each: coverage at {LEVEL:.0%}, width against people alone"
    )
    print(f"{'judge':<32}{'pairs':>6}{'agrees':>8}" + "".join(f"{f'n={n}':>16}" for n in LABELS))
    covered: dict[tuple[str, int], list[float]] = {(way, n): [] for way in WAYS for n in LABELS}
    ratios: dict[int, list[float]] = {n: [] for n in LABELS}
    for votes, cells in _measured(judges, runs):
        agrees = float(np.mean((votes.said > 0.5) == votes.worse))
        line = f"{votes.judge:<32}{len(votes.worse):>6}{agrees:>8.1%}"
        for n in LABELS:
            ratio = cells["resampled", n].width / cells["resampled", n].alone
            ratios[n].append(ratio)
            for way in WAYS:
                covered[way, n].append(cells[way, n].covered)
            shown = f"{cells['resampled', n].covered:.3f}  x{ratio:.2f}"
            line += f"{shown:>16}"
            report.add(
                f"anchored votes: width with judge {votes.judge}, {n} human labels, over that of the labels alone",
                "shown",
                None,
                ratio,
                None,
                n,
                None,
                "human labels alone",
            )
        print(line)
    _judge_coverage(report, covered, ratios, runs)


def _measured(judges: list[Votes], runs: int) -> Iterator[tuple[Votes, dict[tuple[str, int], Measured]]]:
    for place, votes in enumerate(judges):
        rng = np.random.default_rng([SEED, place])
        yield votes, {(way, n): measure(votes, n, runs, way, rng) for way in WAYS for n in LABELS}


def _judge_coverage(
    report: Entries, covered: dict[tuple[str, int], list[float]], ratios: dict[int, list[float]], runs: int
) -> None:
    for (way, n), shares in covered.items():
        total = runs * len(shares)
        mean = float(np.mean(shares))
        # Judges are asked of the same pairs, but drawn apart: three standard errors of all, and four of the worst of some thirty.
        least = LEVEL - 3 * math.sqrt(LEVEL * (1 - LEVEL) / total)
        spread = 1.96 * math.sqrt(max(mean * (1 - mean), 1e-9) / total)
        report.add(
            f"anchored votes: coverage, {n} human labels, {way}, all judges",
            "at least .95 less three standard errors",
            least,
            mean,
            (mean - spread, mean + spread),
            n,
            mean >= least,
        )
        worst, floor = min(shares), LEVEL - 4 * math.sqrt(LEVEL * (1 - LEVEL) / runs)
        report.add(
            f"anchored votes: coverage, {n} human labels, {way}, worst judge",
            "at least .95 less four standard errors",
            floor,
            worst,
            None,
            n,
            worst >= floor,
        )
        print(
            f"{way:<10} n={n:<4} coverage {mean:.4f} (least {least:.4f}), worst judge {worst:.3f} (least {floor:.3f})"
        )
    for n, found in ratios.items():
        report.add(
            f"anchored votes: width over that of {n} human labels alone, best and worst judge",
            "a judge that is worth nothing costs at most a twentieth",
            1.05,
            max(found),
            (min(found), max(found)),
            n,
            max(found) <= 1.05,
            "human labels alone",
        )
        print(
            f"n={n:<4} width over people alone: best judge x{min(found):.2f}, median x{float(np.median(found)):.2f}, worst x{max(found):.2f}"
        )
