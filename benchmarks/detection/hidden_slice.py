"""A slice that no label names: how soon is it found from the text alone, beside the same slice with a label of its own?

Real texts (BANKING77 and CLINC150), scripted arrival, failures by the model of `undertow.simulation.story`: 140 reviews a day on the
cheap tier; a reviewer sees half of the hidden intent's failures, most of the others, and flags 2 % falsely. One intent at a
time is the hidden one, and at the change

    share    its share of the traffic steps from 2 to 8 %; the cheap tier fails it 90 % of the time, before as after
    rate     its share stays at 5 %; from then on the cheap tier fails it 90 % of the time, before like any other

*Labelled*: every intent is a segment. *Hidden*: the log's segments are the product areas only, and topics stand in for the intents. Both
have the tier as a whole. Delay: days until an alarm, and until the intent is named, by the search that follows an
alarm: at least half of the failures in a named slice are the intent's, and at least a third of the intent's failures are in it.

Texts before the end of the baseline and after it are different ones (two halves by hash), so that topics are met by texts they were not
found from. Intents fail at rates of their own, and their shares move from day to day.
"""

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt

from report import Report
from undertow.detectors.multiplicity import Role, Stream, alarm_line, combine, stream_weights
from undertow.detectors.onset import estimate_onset
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.slices.naming import telling_words, word_table
from undertow.slices.search import Feature, SliceLabels, find_slices
from undertow.slices.sketch import sketch, words
from undertow.slices.topics import TopicModel, find_topics
from undertow.stats.confidence import beta_binomial_interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Change = Literal["share", "rate", "none"]

LABELS_A_DAY = 140
BASELINE_DAYS, CHANGE_DAY, DAYS_AFTER = 28, 42, 60
HEALTHY_DAYS = 180
WARMUP, EARLIEST = 3, 7
SEES_HIDDEN, SEES_NORMAL, FLAGS_FALSELY = 0.5, 0.9, 0.02
FAILS_HIDDEN, FAILS_NORMAL = 0.9, 0.05
NEVER = 10**6
RATIO_BAR = 1.5

AREAS = {
    "banking77": ("top_up", "transfer", "cash", "refund", "verify", "exchange", "pin", "card"),
    "clinc150": (),
}
DOMAINS = ("banking", "credit_cards", "travel", "auto_and_commute", "utility")


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Texts of one table with what is precomputed of them.

    Attributes:
        name: Its name.
        texts: Distinct texts. Length n.
        sketches: Their sketches.
        intent, area: Codes. Shape (n,).
        intents, areas: Names.
        is_early: Half of the texts from which the baseline is drawn. Shape (n,).
        vectors: Embeddings, or None. Shape (n, D).
    """

    name: str
    texts: tuple[str, ...]
    sketches: tuple[tuple[int, ...], ...]
    intent: IntArray
    area: IntArray
    intents: tuple[str, ...]
    areas: tuple[str, ...]
    is_early: BoolArray
    vectors: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Labels of one run in order of time. Arrays of shape (n,)."""

    text: IntArray
    day: IntArray
    flag: FloatArray
    hidden: BoolArray


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: days from the change, NEVER where it did not happen within the horizon."""

    alarm: int
    named: int
    precision: float = 0.0
    recall: float = 0.0
    name: str = ""


def load(folder: Path, name: str) -> Corpus:
    """One table's support intents."""
    path = folder / "support_intents.parquet"
    where = f"source = '{name}'"
    if name == "clinc150":
        where += f" AND domain IN {DOMAINS!r}"
    rows = duckdb.sql(
        f"SELECT DISTINCT text, intent, domain FROM read_parquet('{path}') WHERE {where} ORDER BY ALL"
    ).fetchall()
    area = [_area(name, intent, domain) for _, intent, domain in rows]
    return make_corpus(name, [row[0] for row in rows], [row[1] for row in rows], area)


def _area(name: str, intent: str, domain: str) -> str:
    if not AREAS[name]:
        return domain
    spelt = intent.lower()
    return next((part for part in AREAS[name] if part in spelt), "other")


def make_corpus(name: str, texts: Sequence[str], intent: Sequence[str], area: Sequence[str]) -> Corpus:
    """Codes, sketches and halves of some texts."""
    intents, areas = tuple(sorted(set(intent))), tuple(sorted(set(area)))
    return Corpus(
        name,
        tuple(texts),
        tuple(sketch(text) for text in texts),
        np.array([intents.index(each) for each in intent]),
        np.array([areas.index(each) for each in area]),
        intents,
        areas,
        np.array([zlib.crc32(text.encode()) % 2 == 0 for text in texts]),
    )


def draw(corpus: Corpus, hidden: int, change: Change, days: int, rng: np.random.Generator) -> Drawn:
    """Labels of one run."""
    count = len(corpus.intents)
    base = rng.dirichlet(np.full(count, 8.0))
    fails = rng.beta(2.0, 2.0 / FAILS_NORMAL - 2.0, count)
    pools = [
        [np.flatnonzero((corpus.intent == i) & (corpus.is_early == early)) for i in range(count)]
        for early in (False, True)
    ]
    text, day, flag, is_hidden = [], [], [], []
    for t in range(days):
        changed = t >= CHANGE_DAY and change != "none"
        share = {"share": 0.08 if changed else 0.02, "rate": 0.05, "none": 0.02}[change]
        mix = rng.dirichlet(base * 400.0)
        mix[hidden] = 0.0
        mix *= (1.0 - share) / mix.sum()
        mix[hidden] = share
        intent = rng.choice(count, size=LABELS_A_DAY, p=mix)
        pool = pools[t < BASELINE_DAYS]
        text.append(np.array([rng.choice(pool[i]) for i in intent]))
        mine = intent == hidden
        is_bad = mine & (changed or change == "share")
        p_fail = np.where(is_bad, FAILS_HIDDEN, fails[intent])
        failed = rng.random(LABELS_A_DAY) < p_fail
        seen = np.where(failed, np.where(is_bad, SEES_HIDDEN, SEES_NORMAL), FLAGS_FALSELY)
        flag.append((rng.random(LABELS_A_DAY) < seen).astype(float))
        day.append(np.full(LABELS_A_DAY, t))
        is_hidden.append(mine)
    return Drawn(*(np.concatenate(x) for x in (text, day, flag, is_hidden)))


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Streams of one set-up: what they are made of, and their evidence.

    Attributes:
        features: What slices are made of; none for the tier as a whole.
        evidence: M per day and stream, the whole tier first. Shape (T, S).
        weights: Shape (S,).
        failures, n: Per day and stream. Shape (T, S).
    """

    features: tuple[Feature, ...]
    evidence: FloatArray
    weights: FloatArray
    failures: FloatArray
    n: FloatArray

    @property
    def summed(self) -> FloatArray:
        return combine(self.weights, self.evidence)


def watch(drawn: Drawn, features: Sequence[Feature], topics: Sequence[Feature], days: int) -> Watched:
    """Evidence of the tier, of segments, and of topics, which exist from the end of the baseline on."""
    every = [np.ones(len(drawn.day), dtype=bool), *(f.members for f in (*features, *topics))]
    roles: list[Role] = ["tier", *["segment"] * len(features), *["topic"] * len(topics)]
    n = np.stack([np.bincount(drawn.day[m], minlength=days) for m in every], axis=1).astype(float)
    k = np.stack([np.bincount(drawn.day[m], weights=drawn.flag[m], minlength=days) for m in every], axis=1)
    evidence = run_self_calibrating(k[..., None], n[..., None], WARMUP, EARLIEST)
    evidence[:BASELINE_DAYS] = 0.0
    # The long tail and the capable tier have their shares of the budget, too.
    others = [Stream("review.accuracy", role, "other", 0) for role in ("tail", "capable")]
    streams = [Stream("review.accuracy", role, f"{i}", 0) for i, role in enumerate(roles)]
    weights = stream_weights([*streams, *others], known_by=BASELINE_DAYS)[: len(streams)]
    return Watched((*features, *topics), evidence, weights, k, n)


def first_alarm(watched: Watched) -> int | None:
    """Day at whose end the evidence suffices."""
    over = np.flatnonzero(watched.summed >= alarm_line(180, 0.05))
    return int(over[0]) if len(over) else None


def named_slices(drawn: Drawn, watched: Watched, day: int, half: BoolArray) -> list[tuple[tuple[int, ...], BoolArray]]:
    """What the search says at the end of a day: parts and members, by labels until then."""
    loudest = int(np.argmax(watched.weights * watched.evidence[day]))
    k, n = watched.failures[: day + 1, loudest], watched.n[: day + 1, loudest]
    rate = (k[:EARLIEST].sum() + 2.0) / (n[:EARLIEST].sum() + 20.0)
    onset = int(estimate_onset(k, n, rate, max(float(n[:EARLIEST].sum()), 1.0)).day)
    known = drawn.day <= day
    labels = SliceLabels.drawn_alike(drawn.flag[known], np.ones(int(known.sum())), drawn.day[known] >= onset, half[known])
    features = [replace(f, members=f.members[known]) for f in watched.features]
    found = find_slices(labels, features)
    return [
        (each.parts, np.logical_and.reduce([watched.features[part].members for part in each.parts])) for each in found
    ]


def _alarmed(watched: Watched, day: int) -> list[tuple[tuple[int, ...], BoolArray]]:
    """The stream that an alarm is told about, where it is no whole tier: it passes alone, or bears most of the evidence."""
    weighted = watched.weights * watched.evidence[day]
    loudest = int(np.argmax(weighted))
    if loudest == 0 or 2.0 * weighted[loudest] <= weighted.sum():
        return []
    return [((loudest - 1,), watched.features[loudest - 1].members)]


def _match(drawn: Drawn, members: BoolArray, day: int) -> tuple[float, float]:
    """Part of the slice's failures since the change that are the hidden intent's, and part of the intent's that are in it."""
    recent = (drawn.day >= CHANGE_DAY) & (drawn.day <= day)
    mass = np.where(recent, drawn.flag, 0.0)
    both = mass[members & drawn.hidden].sum()
    return float(both / max(mass[members].sum(), 1.0)), float(both / max(mass[drawn.hidden].sum(), 1.0))


def measure_one(drawn: Drawn, watched: Watched, days: int, rng: np.random.Generator, corpus: Corpus) -> Outcome:
    """Delay of one set-up."""
    day = first_alarm(watched)
    if day is None:
        return Outcome(NEVER, NEVER)
    alarm = day - CHANGE_DAY if day >= CHANGE_DAY else -1
    if alarm < 0:
        return Outcome(alarm, NEVER)
    half = rng.random(len(drawn.day)) < 0.5
    for later in range(day, days):
        told = [] if later > day else _alarmed(watched, day)
        for parts, members in [*told, *named_slices(drawn, watched, later, half)]:
            precision, recall = _match(drawn, members, later)
            if precision >= 0.5 and recall >= 1.0 / 3.0:
                return Outcome(
                    alarm, later - CHANGE_DAY, precision, recall, _name(drawn, watched, parts, members, later, corpus)
                )
    return Outcome(alarm, NEVER)


def _name(drawn: Drawn, watched: Watched, parts: tuple[int, ...], members: BoolArray, day: int, corpus: Corpus) -> str:
    known = drawn.day <= day
    texts = [corpus.texts[at] for at in drawn.text[known]]
    return ", ".join(telling_words(word_table(texts), members[known])) or " and ".join(watched.features[p].name for p in parts)


def topic_features(corpus: Corpus, drawn: Drawn, model: TopicModel) -> list[Feature]:
    """Clusters and word topics as features of the labels."""
    known = model.assign(corpus.sketches, corpus.vectors if not len(model.rarity) else None)
    clusters = [Feature("cluster", f"cluster {i}", (known.cluster == i)[drawn.text]) for i in range(model.clusters)]
    by_word = [Feature(f"word {i}", f"word {i}", known.has_word[:, i][drawn.text]) for i in range(len(model.words))]
    return [*clusters, *by_word]


def one_run(corpus: Corpus, hidden: int, change: Change, seed: int, *, encoded: bool = False) -> dict[str, Outcome]:
    """Both set-ups on the same labels."""
    rng = np.random.default_rng([seed, hidden, {"share": 1, "rate": 2, "none": 3}[change]])
    days = CHANGE_DAY + DAYS_AFTER
    drawn = draw(corpus, hidden, change, days, rng)
    areas = [Feature("area", f"area={name}", (corpus.area == i)[drawn.text]) for i, name in enumerate(corpus.areas)]
    intents = [
        Feature("intent", f"intent={name}", (corpus.intent == i)[drawn.text]) for i, name in enumerate(corpus.intents)
    ]
    found = {"labelled": measure_one(drawn, watch(drawn, [*areas, *intents], [], days), days, rng, corpus)}
    early = drawn.text[drawn.day < BASELINE_DAYS]
    model = find_topics([corpus.sketches[at] for at in early], seed=1)
    topics = topic_features(corpus, drawn, model)
    found["hidden"] = measure_one(drawn, watch(drawn, areas, topics, days), days, rng, corpus)
    if encoded and corpus.vectors is not None:
        model = find_topics([corpus.sketches[at] for at in early], 1, corpus.vectors[early])
        topics = topic_features(corpus, drawn, model)
        found["encoder"] = measure_one(drawn, watch(drawn, areas, topics, days), days, rng, corpus)
    return found
