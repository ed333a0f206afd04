"""Classifier against cascade: what quality a budget buys, by who decides when. On every table where both can be computed.

Quality is the share of right answers (of agreements with the capable model where there is no gold answer). Costs are those of serving: a
character of the cheap model costs a quarter, or a twentieth, of one of the capable model; prompts count in both. A classifier pays one call; a
cascade pays the cheap call always and the capable one on top where it escalates; with hopeless requests skipped (predictive mode), the cheap
call is spared where the classifier gives it the least chance. All scores are out of fold (5 folds).

APGR is the performance gap recovered, (quality - cheap) / (capable - cheap), averaged over the share of requests that the capable model answers
(Ong et al. 2024, RouteLLM, arXiv 2406.18665, section 4.1): .5 at random. "By cost" averages it over budgets from the cheap model's cost to the
capable one's: only there can a cascade, which pays twice, be compared with a classifier.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from cascade.tables import BoolArray, FloatArray, load_tasks
from report import Report
from undertow.policies.evidence import features_of
from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts
from undertow.services.train import INVERSE_PENALTY, text_matrix

PRICE_RATIOS = (0.25, 0.05)
QUICK_ROWS = 1_500
SKIPPED = 0.3
"""Share of the requests that count as hopeless."""
FOLDS = 5
RESAMPLES = 100
GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One cheap and one capable model on the same requests. Arrays of shape (n,).

    Attributes:
        name: Of table and models.
        cheap, capable: Whether the answer is right.
        cheap_usd, capable_usd: Cost of each answer, in any unit; the cheap one at the capable model's price.
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
        f"SELECT * FROM {source} WHERE NOT gpt4_parse_suspect ORDER BY prompt{f' LIMIT {QUICK_ROWS}' if quick else ''}"
    ).fetchnumpy()
    n = len(rows["subject"])
    text = text_matrix(rows["prompt"].tolist())
    flat = np.array([len(prompt) for prompt in rows["prompt"]], dtype=float)
    pairs.append(Pair(
        "mmlu_routellm: Mixtral-8x7B, GPT-4", np.asarray(rows["ok_mixtral_8x7b"], bool), np.asarray(rows["ok_gpt4_1106"], bool),
        flat, flat, csr_matrix(hstack([text, _one_hot(np.asarray(rows["subject"], dtype=str))])), None, "text and subject; no answers"))  # fmt: skip
    cheap, capable = "meta_llama_3_1_8b_instruct", "meta_llama_3_1_70b_instruct"
    rows = duckdb.sql(
        f"SELECT question, category, ok__{cheap} AS a, ok__{capable} AS b, chars__{cheap} AS ca, chars__{capable} AS cb, pred__{cheap} AS pred "
        f"FROM read_parquet('{folder / 'mmlu_pro_models.parquet'}') WHERE a IS NOT NULL AND b IS NOT NULL ORDER BY question_id{f' LIMIT {QUICK_ROWS}' if quick else ''}"
    ).fetchnumpy()
    asked = np.array([len(question) for question in rows["question"]], dtype=float)
    chars = [np.asarray(np.ma.filled(rows[c], 0), dtype=float) for c in ("ca", "cb")]
    parsed = ~np.ma.getmaskarray(np.ma.asarray(rows["pred"])) & (np.asarray(rows["pred"]).astype(str) != "None")
    pairs.append(Pair(
        "mmlu_pro: Llama-3.1 8B, 70B", np.asarray(rows["a"], bool), np.asarray(rows["b"], bool), asked + chars[0], asked + chars[1],
        csr_matrix(hstack([text_matrix(rows["question"].tolist()), _one_hot(np.asarray(rows["category"], dtype=str))])),
        np.column_stack([np.log1p(chars[0]), parsed]), "text and category; length of the answer and whether it could be read"))  # fmt: skip
    pairs.append(_grade_school(folder))
    for model, tasks in load_tasks(folder, QUICK_ROWS if quick else None).items():
        task = np.concatenate([np.full(len(each.good), each.name) for each in tasks])
        p = np.clip(np.concatenate([each.probability for each in tasks]), 1e-6, 1 - 1e-6)
        options = np.concatenate([each.option for each in tasks])
        good = np.concatenate([each.good for each in tasks])
        n = len(good)
        after = np.column_stack([np.log(p) - np.log1p(-p), _one_hot(options).toarray()])
        pairs.append(Pair(f"mcq_logit_confidence: {model}, agreement", good, np.ones(n, bool), np.ones(n), np.ones(n),
                          _one_hot(task), after, "task only; probability and option of the answer"))  # fmt: skip
    return pairs


def _grade_school(folder: Path) -> Pair:
    """Real answers in words: features of the answer's text, as the gateway takes them where an upstream gives no log-probabilities."""
    rows = duckdb.sql(
        "SELECT prompt, ok_mixtral_8x7b AS a, ok_gpt4_1106 AS b, resp_mixtral_8x7b AS said, resp_gpt4_1106 AS reply "
        f"FROM read_parquet('{folder / 'gsm8k_six_models.parquet'}') ORDER BY prompt"
    ).fetchnumpy()
    facts = RequestFacts("chat.completions", "auto")
    names = ("answer_log_chars", "hedging", "refusal_words")
    found = [features_of(AnswerFacts(text=said, chars=len(said)), facts, {}) for said in rows["said"]]
    after = np.array([[each.get(name, 0.0) for name in names] for each in found])
    numbers = np.array([[len(re.findall(r"\d+", said)), said.count("=")] for said in rows["said"]], dtype=float)
    asked = np.array([len(prompt) for prompt in rows["prompt"]], dtype=float)
    lengths = [np.array([len(text) for text in rows[name]], dtype=float) for name in ("said", "reply")]
    return Pair(
        "gsm8k: Mixtral-8x7B, GPT-4",
        np.asarray(rows["a"], bool),
        np.asarray(rows["b"], bool),
        asked + lengths[0],
        asked + lengths[1],
        text_matrix(rows["prompt"].tolist()),
        np.column_stack([after, np.log1p(numbers)]),
        "text; length, hedging and numbers of the answer in words",
    )


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
    pair: Pair, score: FloatArray, rows: np.ndarray, *, is_cascade: bool, skipped: BoolArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Costs (as shares of always-capable, rising) and qualities, over all thresholds; skipped requests go to the capable model at once."""
    straight = rows[skipped[rows]] if skipped is not None else rows[:0]
    asked = rows[~skipped[rows]] if skipped is not None else rows
    order = asked[np.argsort(-score[asked], kind="stable")]
    cheap_usd, capable_usd = pair.cheap_usd[order], pair.capable_usd[order]
    escalated_usd = capable_usd.sum() - np.concatenate([[0.0], np.cumsum(capable_usd)])
    first_usd = cheap_usd.sum() if is_cascade else np.concatenate([[0.0], np.cumsum(cheap_usd)])
    kept = np.concatenate([[0], np.cumsum(pair.cheap[order])])
    right = kept + pair.capable[order].sum() - np.concatenate([[0], np.cumsum(pair.capable[order])])
    total = capable_usd.sum() + pair.capable_usd[straight].sum()
    cost = (first_usd + escalated_usd + pair.capable_usd[straight].sum()) / total
    return cost[::-1], (right + pair.capable[straight].sum())[::-1] / len(rows)


def gap_by_cost(
    pair: Pair, score: FloatArray, rows: np.ndarray, *, is_cascade: bool, skipped: BoolArray | None = None
) -> float:
    """The performance gap recovered, averaged over budgets from the cheap model's cost to the capable one's; the best within each budget."""
    cost, quality = quality_by_cost(pair, score, rows, is_cascade=is_cascade, skipped=skipped)
    low, high = pair.cheap[rows].mean(), pair.capable[rows].mean()
    floor = pair.cheap_usd[rows].sum() / pair.capable_usd[rows].sum()
    return float(np.mean([(_within(cost, quality, b) - low) / (high - low) for b in floor + (1.0 - floor) * GRID]))


def _within(cost: FloatArray, quality: FloatArray, budget: float) -> float:
    inside = cost <= budget + 1e-12
    return float(quality[inside].max()) if inside.any() else float(quality[np.argmin(cost)])


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A way to decide: a score, whether it needs the cheap answer first, and what is not asked of it."""

    name: str
    score: FloatArray
    is_cascade: bool = False
    skipped: BoolArray | None = None


def contenders(pair: Pair, rng: np.random.Generator, seed: int) -> list[Contender]:
    """All that can be computed on a pair."""
    # As good as the capable one: right, or both wrong.
    good = pair.cheap | ~pair.capable
    before = out_of_fold(pair.before, good, INVERSE_PENALTY, seed)
    found = [
        Contender("random", rng.random(len(good))),
        Contender("oracle, before any model runs", 2.0 * pair.cheap - pair.capable),
        Contender("classifier", before),
    ]
    if pair.after is not None:
        kept = np.clip(before, 1e-6, 1 - 1e-6)
        both = np.column_stack([pair.after, np.log(kept) - np.log1p(-kept)])
        with_classifier = out_of_fold(csr_matrix(both), good, 1.0, seed)
        hopeless = before < np.quantile(before, SKIPPED)
        found += [
            Contender("cascade (answer alone)", out_of_fold(csr_matrix(pair.after), good, 1.0, seed), is_cascade=True),
            Contender("cascade (answer and classifier)", with_classifier, is_cascade=True),
            Contender("cascade, hopeless skipped", with_classifier, is_cascade=True, skipped=hopeless),
        ]
    return found


def measure_policies(report: Report, folder: Path, *, quick: bool) -> None:
    """The table, and which wins where."""
    print("\nClassifier against cascade: performance gap recovered (scores out of fold; 95 % bootstrap intervals)")
    for place, pair in enumerate(load_pairs(folder, quick=quick)):
        n = len(pair.cheap)
        rng = np.random.default_rng([report.seed, 4, place])
        ways = contenders(pair, rng, report.seed)
        draws = [rng.integers(0, n, n) for _ in range(10 if quick else RESAMPLES)]
        print(
            f"\n{pair.name} (n = {n:,}): cheap {pair.cheap.mean():.3f}, capable {pair.capable.mean():.3f}; {pair.note}"
        )
        print(
            f"{'policy':32s} {'by share (APGR)':>23s} "
            + " ".join(f"{f'by cost, price ratio {r:g}':>25s}" for r in PRICE_RATIOS)
        )
        lines = {way.name: _apgr(report, pair, way, draws) for way in ways}
        verdicts = []
        for ratio in PRICE_RATIOS:
            priced = replace(pair, cheap_usd=ratio * pair.cheap_usd)
            by_cost = {}
            for way in ways:
                by_cost[way.name], text = _by_cost(report, priced, way, draws, ratio)
                lines[way.name] += f" {text:>25s}"
            verdicts.append(_who_wins(report, pair, by_cost, ratio, n))
        print("\n".join([*(f"{name:32s} {line}" for name, line in lines.items()), *verdicts]))


def _apgr(report: Report, pair: Pair, way: Contender, draws: list[np.ndarray]) -> str:
    if way.skipped is not None:
        return f"{'-':>23s}"
    value = gap_by_share(pair, way.score, np.arange(len(pair.cheap)))
    low, high = np.quantile([gap_by_share(pair, way.score, rows) for rows in draws], [0.025, 0.975])
    report.add(f"{pair.name}: {way.name}, APGR", "shown", None, value, (float(low), float(high)), len(pair.cheap), None)
    return f"{f'{value:.3f} ({low:.3f} to {high:.3f})':>23s}"


def _by_cost(
    report: Report, pair: Pair, way: Contender, draws: list[np.ndarray], ratio: float
) -> tuple[FloatArray, str]:
    def gap(rows: np.ndarray) -> float:
        return gap_by_cost(pair, way.score, rows, is_cascade=way.is_cascade, skipped=way.skipped)

    value, spread = gap(np.arange(len(pair.cheap))), np.array([gap(rows) for rows in draws])
    low, high = np.quantile(spread, [0.025, 0.975])
    report.add(
        f"{pair.name}: {way.name}, gap recovered by cost, price ratio {ratio:g}", "shown", None, value, (float(low), float(high)),
        len(pair.cheap), None,
    )  # fmt: skip
    return spread, f"{value:.3f} ({low:.3f} to {high:.3f})"


def _who_wins(report: Report, pair: Pair, by_cost: dict[str, FloatArray], ratio: float, n: int) -> str:
    rivals = [name for name in by_cost if name.startswith("cascade")]
    if not rivals:
        return (
            "the cascade cannot be computed: the table holds no answers and no confidences"
            if ratio == PRICE_RATIOS[0]
            else ""
        )
    best = max(rivals, key=lambda name: float(by_cost[name].mean()))
    difference = by_cost[best] - by_cost["classifier"]
    low, high = np.quantile(difference, [0.025, 0.975])
    mean = float(difference.mean())
    report.add(
        f"{pair.name}: {best} over classifier, gap recovered by cost, price ratio {ratio:g}", "shown", None, mean,
        (float(low), float(high)), n, None,
    )  # fmt: skip
    winner = best if low > 0 else "the classifier" if high < 0 else "neither"
    return f"price ratio {ratio:g}: {winner} wins ({best} minus classifier: {mean:+.3f}, {low:+.3f} to {high:+.3f})"
