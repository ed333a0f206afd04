"""Streaming modes on a real local model: time to first token, share committed early, wrong commits, tokens wasted.

    python benchmarks/cascade/streaming.py [--quick] [--seed N]

Two tiers of one model answer support questions (`cascade.shop_questions`). A third of the questions' draws are labelled by agreement of both tiers
and calibrate whole answers and their first tokens. The others go through the gateway in each mode, by the openai client as streams: in rounds, the
modes in turn, so that a busy machine slows all of them. Needs the packages of `make local`.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from cascade.local_model import MODEL, is_installed, line_with, local_model
from cascade.shop_questions import MAX_TOKENS, agree, draw_questions, messages, record_demo
from gateway.processes import start
from report import Report
from undertow.adapters.calibrations import write_calibration
from undertow.calibration.certificates import clopper_pearson_upper
from undertow.calibration.fit import FitOptions, fit_calibration
from undertow.policies.evidence import features_of, prefix_features_of
from undertow.records.answer import AnswerFacts, TokenEvidence
from undertow.records.calibration import Calibration
from undertow.records.labelled_answers import LabelledAnswers
from undertow.records.request import RequestFacts

UNDERTOW = Path(sys.executable).parent / "undertow"
MODES = ("hold", "commit", "race")
PREFIX_TOKENS = 8
DELTA = 0.1
FEATURES = ("mean_logprob", "prefix.mean_logprob")

SETTINGS = """\
[tiers.cheap]
model = "{model}"
base_url = "{cheap}/v1"
parameters = {{ temperature = 0.0, seed = 1 }}
prices = {{ input_usd_per_mtok = 0.15, output_usd_per_mtok = 0.60 }}

[tiers.capable]
model = "{model}"
base_url = "{capable}/v1"
parameters = {{ temperature = 0.0, seed = 1 }}
prices = {{ input_usd_per_mtok = 2.50, output_usd_per_mtok = 10.00 }}

[policy]
kind = "cascade"
calibration = "{calibration}"
streaming = "{mode}"
margin = {margin}
delta = {delta}

[holdout]
share = 0.0

[store]
path = "{mode}"
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        labels: Questions that calibrate.
        asked: Questions asked in each mode.
        margin: Largest accepted share of all requests that is served cheaply and differs from what the capable tier says.
        round: Questions of one mode before the next one's turn.
    """

    labels: int
    asked: int
    margin: float
    round: int


FULL = Size(labels=200, asked=60, margin=0.10, round=10)
QUICK = Size(labels=36, asked=8, margin=0.10, round=4)
"""36 labels leave 24 to certify with, which takes 22 without a loss at this margin."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A question as both tiers answer it when they are asked directly.

    Attributes:
        query: The question.
        cheap, capable: The replies.
        features: Of the cheap one, as the gateway measures them.
    """

    query: record_demo.Query
    cheap: str
    capable: str
    features: dict[str, float]

    @property
    def is_good(self) -> bool:
        """The cheap tier says what the capable tier says."""
        return agree(self.cheap, self.capable)


@dataclass(frozen=True, slots=True)
class Streamed:
    """One request through the gateway.

    Attributes:
        ttft_s: To the first piece of text.
        latency_s: To the end of the stream.
        text: The reply.
        record: The decision.
        is_good: It says what the capable tier says.
    """

    ttft_s: float
    latency_s: float
    text: str
    record: dict[str, Any]
    is_good: bool

    @property
    def is_cheap(self) -> bool:
        """The cheap tier's answer was served."""
        return self.record["tier"] == "cheap"

    @property
    def is_committed(self) -> bool:
        """It was served before its end had come."""
        return self.record.get("committed_tokens") is not None

    @property
    def is_raced(self) -> bool:
        """The capable tier was started beside the cheap one."""
        return any(call["purpose"] == "race" for call in self.record["calls"])

    @property
    def wasted_tokens(self) -> int:
        """Output tokens that nobody got."""
        thrown = (call for call in self.record["calls"] if call["status"] != "ok")
        return sum(call.get("output_tokens") or 0 for call in thrown)


# --- labels


def see(questions: Sequence[record_demo.Query], cheap: str, capable: str) -> list[Seen]:
    """Both tiers' replies; the tiers work side by side."""
    with ThreadPoolExecutor(2) as pool:
        cheap_replies, capable_replies = pool.map(
            lambda address: [_ask_directly(address, query) for query in questions], (cheap, capable)
        )
    return [
        Seen(query, reply.text or "", best.text or "", _features(reply, query))
        for query, reply, best in zip(questions, cheap_replies, capable_replies, strict=True)
    ]


def _ask_directly(address: str, query: record_demo.Query) -> AnswerFacts:
    wanted = {
        "model": MODEL, "messages": messages(query), "max_tokens": MAX_TOKENS, "temperature": 0, "seed": 1, "logprobs": True,
    }  # fmt: skip
    data = json.dumps(wanted).encode()
    request = urllib.request.Request(f"{address}/v1/chat/completions", data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        choice = json.loads(answer.read())["choices"][0]
    tokens = choice["logprobs"]["content"]
    values = tuple(float(token["logprob"]) for token in tokens)
    is_content = tuple(any(map(str.isalnum, token["token"])) for token in tokens)
    text = choice["message"]["content"]
    return AnswerFacts(
        logprob_sum=sum(values), logprob_count=len(values), text=text, tokens=TokenEvidence(values, is_content)
    )


def _features(reply: AnswerFacts, query: record_demo.Query) -> dict[str, float]:
    facts = RequestFacts("chat.completions", "auto", text=query.text)
    ahead = prefix_features_of(reply, facts, {}, PREFIX_TOKENS)
    return features_of(reply, facts, {}) | {f"prefix.{name}": value for name, value in ahead.items()}


def calibrate(seen: Sequence[Seen], margin: float, seed: int) -> Calibration:
    """A calibration of whole answers and of their first tokens."""
    answers = LabelledAnswers(
        {name: np.array([one.features.get(name, np.nan) for one in seen]) for name in FEATURES},
        np.array([one.is_good for one in seen]),
        np.ones(len(seen)),
        source="agreement with the capable tier",
        served_models=(MODEL,),
    )
    options = FitOptions(
        tier="cheap", capable_tier="capable", model=MODEL, fitted_at="2026-01-01T00:00:00Z", margin=margin, delta=DELTA,
        prefix_tokens=PREFIX_TOKENS, seed=seed,
    )  # fmt: skip
    return fit_calibration(answers, options)


# --- the gateway


@contextmanager
def gateway(folder: Path, mode: str, cheap: str, capable: str, margin: float) -> Iterator[str]:
    """`undertow serve` in a mode; yields its address."""
    settings = folder / f"{mode}.toml"
    settings.write_text(
        SETTINGS.format(
            model=MODEL,
            cheap=cheap,
            capable=capable,
            mode=mode,
            margin=margin,
            delta=DELTA,
            calibration="calibration.json",
        )
    )
    running = start(
        f"undertow, {mode}", [str(UNDERTOW), "serve", "--config", str(settings), "--port", "0"], folder / f"{mode}.log"
    )
    try:
        yield line_with(running, " listens on ").split(" listens on ")[1].split("/v1")[0]
    finally:
        running.stop()


def stream(client: Any, address: str, one: Seen) -> Streamed:
    """One question through the gateway, as a stream."""
    began = time.perf_counter()
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=messages(one.query), max_tokens=MAX_TOKENS, stream=True
    )
    first, text = None, ""
    for chunk in raw.parse():
        piece = chunk.choices[0].delta.content if chunk.choices else None
        if piece:
            first = first or time.perf_counter()
            text += piece
    ended = time.perf_counter()
    record = _record(address, raw.headers["x-undertow-decision-id"])
    return Streamed((first or ended) - began, ended - began, text, record, agree(text, one.capable))


def _record(address: str, decision_id: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/v1/undertow/decisions/{decision_id}", timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def stream_all(seen: Sequence[Seen], addresses: dict[str, str], size: Size) -> dict[str, list[Streamed]]:
    """Every question in every mode; a round of one mode after that of another, each round beginning with another mode."""
    import openai

    found: dict[str, list[Streamed]] = {mode: [] for mode in addresses}
    with ExitStack() as stack:
        clients = {
            mode: stack.enter_context(openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0))
            for mode, address in addresses.items()
        }
        modes = list(addresses)
        for number, at in enumerate(range(0, len(seen), size.round)):
            turn = number % len(modes)
            for mode in (*modes[turn:], *modes[:turn]):
                asked = seen[at : at + size.round]
                found[mode] += [stream(clients[mode], addresses[mode], one) for one in asked]
    return found


# --- figures


def interval_of(count: int, n: int) -> tuple[float, float]:
    """95 % Clopper-Pearson interval of a share; n = 0: nothing is known."""
    if n == 0:
        return (0.0, 1.0)
    return (1.0 - float(clopper_pearson_upper(n - count, n, 0.025)), float(clopper_pearson_upper(count, n, 0.025)))


def ratio_interval(some: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the ratio of medians; the same questions in both, drawn together."""
    drawn = rng.integers(0, len(some), (2000, len(some)))
    ratios = np.median(some[drawn], axis=1) / np.median(others[drawn], axis=1)
    return (float(np.quantile(ratios, 0.025)), float(np.quantile(ratios, 0.975)))


def add_figures(report: Report, found: dict[str, list[Streamed]], margin: float, *, is_full: bool) -> None:
    """Entries and the table."""
    rng = np.random.default_rng([report.seed, 11])
    hold = np.array([one.ttft_s for one in found["hold"]])
    print(f"{'mode':7s} {'first token, ms':>16s} {'of hold':>8s} {'committed':>10s} {'wrong':>6s} {'cheap':>6s} {'wrong of all':>13s} "
          f"{'escalated':>10s} {'raced':>6s} {'wasted tokens':>14s} {'escalated, ms':>14s}")  # fmt: skip
    for mode, runs in found.items():
        n = len(runs)
        ttft = np.array([one.ttft_s for one in runs])
        early = [one for one in runs if one.is_committed]
        escalated = [one for one in runs if one.record.get("escalated")]
        wrong_early = sum(not one.is_good for one in early)
        wrong = sum(one.is_cheap and not one.is_good for one in runs)
        wasted = np.array([one.wasted_tokens for one in runs], dtype=float)
        waits = np.array([one.latency_s for one in escalated]) if escalated else np.array([np.nan])
        ratio = float(np.median(ttft) / np.median(hold))
        p50, p95 = np.quantile(ttft, [0.5, 0.95]) * 1000
        print(f"{mode:7s} {p50:7.0f}, {p95:7.0f} {ratio:8.2f} {len(early) / n:10.1%} {wrong_early:6d} {sum(one.is_cheap for one in runs) / n:6.1%} "
              f"{wrong / n:13.1%} {len(escalated) / n:10.1%} {sum(one.is_raced for one in runs) / n:6.1%} {wasted.mean():14.1f} "
              f"{np.median(waits) * 1000:14.0f}")  # fmt: skip
        name = f"streaming {mode}"
        p95_wait = float(np.quantile(waits, 0.95))
        if mode == "hold":
            report.add(f"{name}: time to first token, median, ms", "shown", None, float(p50), None, n, None)
        else:
            within = ratio_interval(ttft, hold, rng)
            bar, ok = ("below 1", ratio < 1.0 if is_full else None) if mode == "commit" else ("shown", None)
            report.add(
                f"{name}: median time to first token over hold",
                bar,
                1.0 if mode == "commit" else None,
                ratio,
                within,
                n,
                ok,
            )
        report.add(f"{name}: time to first token, 95th percentile, ms", "shown", None, float(p95), None, n, None)
        if mode == "commit":
            report.add(
                f"{name}: share of requests committed early",
                "shown",
                None,
                len(early) / n,
                interval_of(len(early), n),
                n,
                None,
            )
            share = wrong_early / len(early) if early else float("nan")
            report.add(
                f"{name}: wrong commits, of those committed",
                "shown",
                None,
                share,
                interval_of(wrong_early, len(early)),
                len(early),
                None,
            )
        low, high = interval_of(wrong, n)
        # The certificate may be missed with probability delta, and n requests show the loss with chance: only a loss that lies beyond is a miss.
        report.add(f"{name}: served cheaply and not what the capable tier says, of all requests", f"not shown above {margin:g}", margin, wrong / n,
                   (low, high), n, low <= margin if is_full else None)  # fmt: skip
        report.add(
            f"{name}: share escalated", "shown", None, len(escalated) / n, interval_of(len(escalated), n), n, None
        )
        error = 1.96 * float(wasted.std()) / np.sqrt(n)
        report.add(f"{name}: output tokens wasted a request", "shown", None, float(wasted.mean()),
                   (float(wasted.mean()) - error, float(wasted.mean()) + error), n, None)  # fmt: skip
        report.add(
            f"{name}: latency of escalated requests, median, ms",
            "shown",
            None,
            float(np.median(waits)) * 1000,
            None,
            len(escalated),
            None,
        )
        report.add(
            f"{name}: latency of escalated requests, 95th percentile, ms",
            "shown",
            None,
            p95_wait * 1000,
            None,
            len(escalated),
            None,
        )


def add_paired(report: Report, found: dict[str, list[Streamed]]) -> None:
    """What a mode changes for the requests that it does anything for, against the same questions in `hold`."""
    rng = np.random.default_rng([report.seed, 12])
    wanted = (
        (
            "commit",
            "time to first token of those committed early",
            lambda one: one.is_committed,
            lambda one: one.ttft_s,
        ),
        ("race", "latency of those raced", lambda one: one.is_raced, lambda one: one.latency_s),
    )
    for mode, what, concerns, seconds in wanted:
        pairs = [
            (seconds(one), seconds(held)) for one, held in zip(found[mode], found["hold"], strict=True) if concerns(one)
        ]
        name = f"streaming {mode}: {what}, median over the same questions in hold"
        if not pairs:
            report.add(name, "shown", None, None, None, 0, None)
            continue
        some, others = np.array(pairs).T
        ratio = float(np.median(some) / np.median(others))
        low, high = ratio_interval(some, others, rng)
        print(f"{mode}: {what}: {ratio:.2f} of hold ({low:.2f} to {high:.2f}, n = {len(pairs)})")
        report.add(name, "shown", None, ratio, (low, high), len(pairs), None)


def describe(calibration: Calibration, seen: Sequence[Seen]) -> None:
    """What was fitted."""
    good = sum(one.is_good for one in seen)
    print(
        f"\nStreaming modes, {MODEL} before the gateway: {len(seen)} labels, the tiers agree on {good / len(seen):.0%}"
    )
    prefix = calibration.prefix
    assert prefix is not None
    for what, group in (
        ("whole answers", calibration.groups[0]),
        (f"first {prefix.tokens} tokens or whole", prefix.groups[0]),
    ):
        certificate = group.certificate
        if certificate is None:
            print(f"  {what}: no threshold; {group.note}")
        else:
            print(f"  {what}: served from {group.threshold:.3f}, {certificate.acceptance:.0%} of requests, loss {certificate.loss:.3f}, at most "
                  f"{certificate.upper:.3f} ({certificate.labels} labels)")  # fmt: skip


def measure(quick: bool, seed: int = 20261) -> list[dict[str, object]]:
    """All of it.

    Args:
        quick: Fewer labels and requests, under a minute.
        seed: Of the questions and of the split of labels.

    Returns:
        Entries in the shape of the benchmarks' JSON files; a single one without a measurement where the local model is not installed.
    """
    report, size = Report(seed), QUICK if quick else FULL
    if not is_installed():
        print("\nStreaming modes: not measured; `make local` installs the local model")
        report.add("streaming modes on the local model", "measured", None, None, None, 0, None)
        return report.results
    questions = draw_questions(size.labels + size.asked, seed)
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        cheap, capable = (stack.enter_context(local_model(tier, folder)) for tier in ("cheap", "capable"))
        seen = see(questions, cheap, capable)
        labelled, fresh = seen[: size.labels], seen[size.labels :]
        calibration = calibrate(labelled, size.margin, seed)
        describe(calibration, labelled)
        write_calibration(calibration, folder / "calibration.json")
        addresses = {mode: stack.enter_context(gateway(folder, mode, cheap, capable, size.margin)) for mode in MODES}
        found = stream_all(fresh, addresses, size)
    add_figures(report, found, size.margin, is_full=not quick)
    add_paired(report, found)
    return report.results


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--seed", type=int, default=20261)
    arguments = parser.parse_args()
    began = time.perf_counter()
    measure(arguments.quick, arguments.seed)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
