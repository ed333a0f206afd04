"""Classifier against cascade: what quality a budget buys, by who decides when. On every table where both can be computed.

Quality is the share of right answers (of agreements with the capable model where there is no gold answer). Costs are those of serving: a
cheap answer costs a quarter of a capable one a character; prompts count in both. A classifier pays one call; a cascade pays the cheap
call always and the capable one on top where it escalates. All scores are out of fold (5 folds).

APGR is the performance gap recovered, (quality - cheap) / (capable - cheap), averaged over the share of requests that the capable model answers
(Ong et al. 2024, RouteLLM, arXiv 2406.18665, section 4.1): .5 at random. "By cost" averages it over budgets from the cheap model's cost to the
capable one's: only there can a cascade, which pays twice, be compared with a classifier.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from cascade.tables import BoolArray, FloatArray, load_tasks
from report import Report
from undertow.services.train import INVERSE_PENALTY, text_matrix

PRICE_RATIO = 0.25
FOLDS = 5
RESAMPLES = 200
BUDGETS = (0.5, 0.7, 0.9)
GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One cheap and one capable model on the same requests. Arrays of shape (n,).

    Attributes:
        name: Of table and models.
        cheap, capable: Whether the answer is right.
        cheap_usd, capable_usd: Cost of each answer, in any unit.
        before: What is known before any model runs, as columns.
        after: What the cheap answer adds.
        note: What the scores rest on.
    """

    name: str
    cheap: BoolArray
    capable: BoolArray
    cheap_usd: FloatArray
    capable_usd: FloatArray
    before: csr_matrix
    after: FloatArray | None
    note: str


def _one_hot(values: np.ndarray) -> csr_matrix:
    return csr_matrix(OneHotEncoder().fit_transform(values.reshape(-1, 1)))


def load_pairs(folder: Path, *, quick: bool) -> list[Pair]:
    """All pairs of the tables."""
    pairs = []
    source = f"read_parquet('{folder / 'mmlu_routellm.parquet'}')"
    rows = duckdb.sql(
        f"SELECT * FROM {source} WHERE NOT gpt4_parse_suspect ORDER BY prompt{' LIMIT 3000' if quick else ''}"
    ).fetchnumpy()
    n = len(rows["subject"])
    text = text_matrix(rows["prompt"].tolist())
    flat = np.array([len(prompt) for prompt in rows["prompt"]], dtype=float)
    pairs.append(Pair(
        "mmlu_routellm: Mixtral-8x7B, GPT-4", np.asarray(rows["ok_mixtral_8x7b"], bool), np.asarray(rows["ok_gpt4_1106"], bool),
        PRICE_RATIO * flat, flat, csr_matrix(hstack([text, _one_hot(np.asarray(rows["subject"], dtype=str))])), None, "text and subject; no answers"))  # fmt: skip
    cheap, capable = "meta_llama_3_1_8b_instruct", "meta_llama_3_1_70b_instruct"
    rows = duckdb.sql(
        f"SELECT question, category, ok__{cheap} AS a, ok__{capable} AS b, chars__{cheap} AS ca, chars__{capable} AS cb, pred__{cheap} AS pred "
        f"FROM read_parquet('{folder / 'mmlu_pro_models.parquet'}') WHERE a IS NOT NULL AND b IS NOT NULL ORDER BY question_id{' LIMIT 3000' if quick else ''}"
    ).fetchnumpy()
    asked = np.array([len(question) for question in rows["question"]], dtype=float)
    chars = [np.asarray(np.ma.filled(rows[c], 0), dtype=float) for c in ("ca", "cb")]
    parsed = ~np.ma.getmaskarray(np.ma.asarray(rows["pred"])) & (np.asarray(rows["pred"]).astype(str) != "None")
    pairs.append(Pair(
        "mmlu_pro: Llama-3.1 8B, 70B", np.asarray(rows["a"], bool), np.asarray(rows["b"], bool), PRICE_RATIO * (asked + chars[0]), asked + chars[1],
        csr_matrix(hstack([text_matrix(rows["question"].tolist()), _one_hot(np.asarray(rows["category"], dtype=str))])),
        np.column_stack([np.log1p(chars[0]), parsed]), "text and category; length of the answer and whether it could be read"))  # fmt: skip
    for model, tasks in load_tasks(folder).items():
        task = np.concatenate([np.full(len(each.good), each.name) for each in tasks])
        p = np.clip(np.concatenate([each.probability for each in tasks]), 1e-6, 1 - 1e-6)
        options = np.concatenate([each.option for each in tasks])
        good = np.concatenate([each.good for each in tasks])
        n = len(good)
        after = np.column_stack([np.log(p) - np.log1p(-p), _one_hot(options).toarray()])
        pairs.append(Pair(f"mcq_logit_confidence: {model}, agreement", good, np.ones(n, bool), np.full(n, PRICE_RATIO), np.ones(n),
                          _one_hot(task), after, "task only; probability and option of the answer"))  # fmt: skip
    return pairs


def out_of_fold(columns: csr_matrix, good: BoolArray, penalty: float, seed: int) -> FloatArray:
    """P(good) of each row by a model that did not see it."""
    found = np.zeros(len(good))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(np.zeros(len(good)), good):
        model = LogisticRegression(C=penalty, max_iter=1000).fit(columns[train], good[train])
        found[test] = model.predict_proba(columns[test])[:, 1]
    return found


def gap_by_share(pair: Pair, score: FloatArray, rows: np.ndarray) -> float:
    """APGR: the cheap model keeps the requests with the highest scores."""
    order = rows[np.argsort(-score[rows], kind="stable")]
    cheap, capable = pair.cheap[order], pair.capable[order]
    kept = np.concatenate([[0], np.cumsum(cheap)]) + capable.sum() - np.concatenate([[0], np.cumsum(capable)])
    low, high = cheap.sum(), capable.sum()
    gaps = (kept - low) / (high - low)
    return float(np.interp(GRID, np.linspace(0.0, 1.0, len(gaps)), gaps[::-1]).mean())


def quality_by_cost(
    pair: Pair, score: FloatArray, rows: np.ndarray, *, is_cascade: bool
) -> tuple[FloatArray, FloatArray]:
    """Costs (as shares of always-capable, rising) and qualities, over all thresholds."""
    order = rows[np.argsort(-score[rows], kind="stable")]
    cheap_usd, capable_usd = pair.cheap_usd[order], pair.capable_usd[order]
    escalated_usd = capable_usd.sum() - np.concatenate([[0.0], np.cumsum(capable_usd)])
    first_usd = cheap_usd.sum() if is_cascade else np.concatenate([[0.0], np.cumsum(cheap_usd)])
    right = (
        np.concatenate([[0], np.cumsum(pair.cheap[order])])
        + pair.capable[order].sum()
        - np.concatenate([[0], np.cumsum(pair.capable[order])])
    )
    cost, quality = (first_usd + escalated_usd) / capable_usd.sum(), right / len(order)
    return cost[::-1], quality[::-1]


def gap_by_cost(pair: Pair, score: FloatArray, rows: np.ndarray, *, is_cascade: bool) -> float:
    """The performance gap recovered, averaged over budgets from the cheap model's cost to the capable one's; the best within each budget."""
    cost, quality = quality_by_cost(pair, score, rows, is_cascade=is_cascade)
    low, high = pair.cheap[rows].mean(), pair.capable[rows].mean()
    floor = pair.cheap_usd[rows].sum() / pair.capable_usd[rows].sum()
    return float(np.mean([(_within(cost, quality, b) - low) / (high - low) for b in floor + (1.0 - floor) * GRID]))


def _within(cost: FloatArray, quality: FloatArray, budget: float) -> float:
    inside = cost <= budget + 1e-12
    return float(quality[inside].max()) if inside.any() else float(quality[np.argmin(cost)])


def measure_policies(report: Report, folder: Path, *, quick: bool) -> None:
    """The table, and which wins where."""
    print(
        f"\nClassifier against cascade (a cheap character costs {PRICE_RATIO:g} of a capable one; scores out of fold; 95 % bootstrap intervals)"
    )
    head = f"{'policy':34s} {'APGR by share':>22s} {'by cost':>22s} " + " ".join(
        f"{f'at {b:.0%}':>7s}" for b in BUDGETS
    )
    for place, pair in enumerate(load_pairs(folder, quick=quick)):
        n = len(pair.cheap)
        rng = np.random.default_rng([report.seed, 4, place])
        # As good as the capable one: right, or both wrong.
        good = pair.cheap | ~pair.capable
        scores = {
            "random": (rng.random(n), False),
            "oracle, before any model runs": (2.0 * pair.cheap - pair.capable, False),
        }
        before = out_of_fold(pair.before, good, INVERSE_PENALTY, report.seed)
        scores["classifier"] = (before, False)
        if pair.after is not None:
            odds = np.log(np.clip(before, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(before, 1e-6, 1 - 1e-6))
            scores["cascade (answer alone)"] = (out_of_fold(csr_matrix(pair.after), good, 1.0, report.seed), True)
            scores["cascade (answer and classifier)"] = (
                out_of_fold(csr_matrix(np.column_stack([pair.after, odds])), good, 1.0, report.seed), True,
            )  # fmt: skip
        print(
            f"\n{pair.name} (n = {n:,}): cheap {pair.cheap.mean():.3f}, capable {pair.capable.mean():.3f}; {pair.note}"
        )
        print(head)
        draws = [rng.integers(0, n, n) for _ in range(20 if quick else RESAMPLES)]
        by_cost: dict[str, FloatArray] = {}
        for name, (score, is_cascade) in scores.items():
            everything = np.arange(n)
            share = gap_by_share(pair, score, everything)
            cost = gap_by_cost(pair, score, everything, is_cascade=is_cascade)
            share_draws = np.array([gap_by_share(pair, score, rows) for rows in draws])
            by_cost[name] = np.array([gap_by_cost(pair, score, rows, is_cascade=is_cascade) for rows in draws])
            a, b = np.quantile(share_draws, [0.025, 0.975]), np.quantile(by_cost[name], [0.025, 0.975])
            costs, qualities = quality_by_cost(pair, score, everything, is_cascade=is_cascade)
            at = " ".join(f"{_within(costs, qualities, budget):7.3f}" for budget in BUDGETS)
            print(
                f"{name:34s} {f'{share:.3f} ({a[0]:.3f} to {a[1]:.3f})':>22s} {f'{cost:.3f} ({b[0]:.3f} to {b[1]:.3f})':>22s} {at}"
            )
            report.add(f"{pair.name}: {name}, APGR", "shown", None, share, (float(a[0]), float(a[1])), n, None)
            report.add(
                f"{pair.name}: {name}, gap recovered by cost", "shown", None, cost, (float(b[0]), float(b[1])), n, None
            )
        print(_who_wins(report, pair, by_cost, n))


def _who_wins(report: Report, pair: Pair, by_cost: dict[str, FloatArray], n: int) -> str:
    rivals = [name for name in by_cost if name.startswith("cascade")]
    if not rivals:
        return "the cascade cannot be computed: the table holds no answers and no confidences"
    best = max(rivals, key=lambda name: float(by_cost[name].mean()))
    difference = by_cost[best] - by_cost["classifier"]
    low, high = np.quantile(difference, [0.025, 0.975])
    report.add(
        f"{pair.name}: {best} over classifier, gap recovered by cost",
        "shown",
        None,
        float(difference.mean()),
        (float(low), float(high)),
        n,
        None,
    )
    winner = best if low > 0 else "the classifier" if high < 0 else "neither"
    return f"better by cost: {winner} ({best} minus classifier: {difference.mean():+.3f}, {low:+.3f} to {high:+.3f})"
