"""Streaming modes on a real local model: time to first token, share committed early, wrong commits, tokens wasted.

    python benchmarks/cascade/streaming.py [--quick] [--seed N]

Two tiers of one model answer support questions (`cascade.shop_questions`). Most draws of a question are labelled by agreement of both tiers
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
from cascade.streamed import Streamed, add_figures, add_paired
from gateway.processes import start
from report import Report
from undertow.adapters.calibrations import write_calibration
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
path = "{store}"
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        labels: Questions that calibrate.
        asked: Questions asked in each mode.
        margin: Largest accepted share of all requests that is served cheaply and differs from what the capable tier says.
        round: Questions of one mode before the next one's turn.
        topics: Of how many topics; 0: of all. The first question of a topic takes a model as long as three others.
    """

    labels: int
    asked: int
    margin: float
    round: int
    topics: int = 0


FULL = Size(labels=200, asked=60, margin=0.10, round=10)
QUICK = Size(labels=18, asked=4, margin=0.20, round=2, topics=2)
"""18 labels leave 12 to certify with, which takes 11 without a loss at this margin."""


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
            store=folder / f"store-{mode}",
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


# --- all of it


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
    questions = draw_questions(size.labels + size.asked, seed, size.topics)
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
