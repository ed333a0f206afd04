"""The live demonstration: the real gateway before a real local model, driven by the real `openai` client, and then audited.

    make demo-live                    # about a minute on two cores, no key, no network
    make demo-live REQUESTS=80        # more of it

What is real: the gateway, its log, the client, and every answer (SmolLM2-135M run by llama.cpp on this machine). What is scripted: the
questions and their users, the grades (the rules of scripts/record_demo.py, not a person) and the tickets. The local model
costs nothing, so prices of two hosted models stand in the settings, and costs are what they would have charged.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

import record_demo
from undertow.estimators.periods import MIN_REFERENCE_LABELS

UNDERTOW = Path(sys.executable).parent / "undertow"
MODEL = "smollm2-135m"
THREADS = 1
START_S = 60.0

SETTINGS = """\
[tiers.cheap]
model = "{model}"
base_url = "{cheap}/v1"
parameters = {{ temperature = 0.0, seed = 1 }}
prices = {{ input_usd_per_mtok = 0.15, output_usd_per_mtok = 0.60 }}   # a small hosted model's

[tiers.capable]
model = "{model}"
base_url = "{capable}/v1"
parameters = {{ temperature = 0.0, seed = 1 }}
prices = {{ input_usd_per_mtok = 2.50, output_usd_per_mtok = 10.00 }}  # a large hosted model's

[policy]
kind = "cascade"     # ask the cheap tier, serve it if it is confident, else ask the capable one
threshold = 0.75

[constraints]
never_cheap = ["intent=plan"]

[holdout]
share = 0.2          # users who always get the capable tier: what the audit compares with

[outcomes.ticket]
usd = 12.0
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One request.

    Attributes:
        query: What is asked.
        user: Who asks.
        conversation: In which conversation.
        model: What the client asks for.
        stream: As a stream.
        again: The same question a second time, after its answer.
        leaves: The client closes the stream after its first piece.
    """

    query: record_demo.Query
    user: str
    conversation: str
    model: str = "auto"
    stream: bool = False
    again: bool = False
    leaves: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a request: the gateway's id for it, the text, whether the rules call it right (None: not graded)."""

    decision_id: str
    text: str
    is_right: bool | None


def plan(count: int) -> list[Step]:
    """The requests, always the same: questions of all topics by a dozen users; some repeated, one to a tier by name, one to a
    model that does not exist, and one whose caller leaves.
    """
    dice = random.Random(7)
    asked = dice.sample(record_demo.queries(), count)
    steps = []
    for number, query in enumerate(asked):
        step = Step(query, f"customer-{dice.randrange(12):02d}", f"chat-{number:03d}", stream=number % 3 == 1)
        steps.append(step)
        if number % 9 == 4:
            steps.append(Step(query, step.user, step.conversation, again=True))
    steps = steps[: max(1, count - 3)]
    last = asked[-1]
    return [
        *steps,
        Step(last, "customer-00", "chat-named", model="capable"),
        Step(last, "customer-00", "chat-typo", model="capabel"),
        Step(last, "customer-00", "chat-left", model="capable", stream=True, leaves=True),
    ]


# --- the model


def chat_template() -> str:
    """The capable tier's chat template: ChatML, and after the caller's own examples of a topic two more, of questions that must
    go to a person. It is the whole difference between the tiers.
    """
    turn = "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    shown = ""
    for topic in record_demo.TOPICS.values():
        for place, question in zip((2, 4), topic.for_a_person, strict=True):
            example = (
                f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{record_demo.HANDOVER}<|im_end|>\n"
            )
            test = f"loop.index0 == {place} and {json.dumps(topic.note)} in messages[0]['content']"
            shown += f"{{% if {test} %}}{{{{ {json.dumps(example)} }}}}{{% endif %}}"
    ending = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    return f"{{% for message in messages %}}{turn}{shown}{{% endfor %}}{ending}"


def serve_model(tier: str) -> None:
    """Be llama.cpp's OpenAI server for one tier: print the address, and end with standard input."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(record_demo.weights_file())
    parameters.model_alias = {MODEL}
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.verbosity = -1
    if tier == "capable":
        parameters.chat_template = chat_template()
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # the native threads need not be asked


@contextmanager
def model_server(tier: str, log: Path) -> Iterator[str]:
    """A tier's model in a process of its own; yields its address."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "--serve-model", tier],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        address = next((line.strip() for line in process.stdout if line.startswith("http")), "")
        if not address:
            sys.exit(f"demo_live: the model did not start, see {log}; `make local` installs it")
        yield address
    finally:
        process.terminate()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


# --- the gateway


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running `undertow serve`: its address and a key for it."""

    url: str
    key: str

    def ask(self, path: str, document: object = None, **headers: str) -> bytes:
        """GET a path, or POST a document to it, over plain HTTP."""
        named = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, data, named)  # noqa: S310 (our own gateway)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.read()


@contextmanager
def gateway(folder: Path, cheap: str, capable: str) -> Iterator[Gateway]:
    """Write the settings, make a key, serve; at the end stop as an orchestrator would."""
    (folder / "undertow.toml").write_text(SETTINGS.format(model=MODEL, cheap=cheap, capable=capable), encoding="utf-8")
    made = subprocess.run(
        [UNDERTOW, "key", "new", "web", "--append"], cwd=folder, capture_output=True, text=True, check=True
    )
    log = folder / "gateway.log"
    with log.open("wb") as errors:
        process = subprocess.Popen([UNDERTOW, "serve", "--port", "0"], cwd=folder, stderr=errors)
    try:
        yield Gateway(address_in(log, process), made.stdout.strip())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the gateway says that it listens."""
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text(encoding="utf-8").splitlines():
            if " listens on " in line:
                return line.split(" listens on ")[1].split("/v1")[0]
        time.sleep(0.05)
    return sys.exit(f"demo_live: the gateway did not start, see {log}")


# --- the show


class Bar:
    """Progress on standard error, for a person who is watching."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.is_shown = sys.stderr.isatty()

    def draw(self, done: int) -> None:
        """Draw it in the last line."""
        if self.is_shown:
            filled = 30 * done // self.total
            sys.stderr.write(f"\r  {'█' * filled}{'░' * (30 - filled)} {done}/{self.total}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Make room for a line of standard output."""
        if self.is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class Demo:
    """Tells what happens on one console."""

    def __init__(self, folder: Path, count: int, console: Console | None = None) -> None:
        self.folder = folder.absolute()
        self.steps = plan(count)
        self.console = console or Console(highlight=False, width=None if sys.stdout.isatty() else 116)
        self.texts: dict[str, str] = {}

    def heading(self, text: str) -> None:
        """A section."""
        self.console.print()
        self.console.rule(f"[bold]{text}[/]", align="left", style="dim")

    def say(self, text: str) -> None:
        """A paragraph."""
        self.console.print(f"  {text}", soft_wrap=False)

    def run(self) -> int:
        """All of it. Returns the exit status: 0 if every request has its one record."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.heading("1. Two tiers of one real local model")
        with ExitStack() as stack:
            cheap, capable = (
                stack.enter_context(model_server(tier, self.folder / f"model-{tier}.log"))
                for tier in ("cheap", "capable")
            )
            self.say(f"cheap    {MODEL} at {cheap}, with the short prompt that the client sends")
            self.say(
                f"capable  {MODEL} at {capable}: the same weights; its server adds two worked examples to every prompt"
            )
            self.say(
                "[dim]More samples a request, the other way to make a tier dearer, this server does not offer (n = 1).[/]"
            )
            with gateway(self.folder, cheap, capable) as served:
                self.say(f"gateway  {served.url}/v1; the settings: {self.folder / 'undertow.toml'}")
                self.traffic(served)
                self.one_decision(served)
                self.metrics(served)
                records = self.records()
        return self.audit(records)

    def traffic(self, served: Gateway) -> None:
        """Drive the requests, and post what is known of each answer."""
        import openai

        self.heading(f"2. {len(self.steps)} requests through the openai client: nothing but base_url is different")
        head = f"{'':>3} {'asked':<8} {'intent':<13} {'tier':<8} {'conf.':>5}  {'why':<15} {'first':>6} {'all':>6}  {'cost':>9}  right"
        self.console.print(f"  [dim]{head}[/]")
        bar = Bar(len(self.steps))
        posted = 0
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key) as client:
            for number, step in enumerate(self.steps, start=1):
                bar.draw(number - 1)
                outcome = self.ask(client, step)
                record = self.record_of(served, outcome.decision_id)
                posted += self.feedback(served, step, outcome)
                bar.clear()
                self.console.print(row(number, step, record, outcome), soft_wrap=True)
        self.say(
            f"[dim]why: reason in the record; first, all: ms to the first token and to the last. {posted} signals posted.[/]"
        )

    def ask(self, client: Any, step: Step) -> Outcome:
        """One request with the real client."""
        import openai

        messages = record_demo.messages(step.query, "cheap")
        if step.again:
            answer = {"role": "assistant", "content": self.texts.get(step.conversation, "")}
            messages = [*messages, answer, {"role": "user", "content": step.query.text}]
        call = client.chat.completions.with_raw_response.create
        try:
            raw = call(
                model=step.model, messages=messages, max_tokens=record_demo.MAX_TOKENS, user=step.user, stream=step.stream,
                metadata={"intent": step.query.intent, "conversation_id": step.conversation},
            )  # fmt: skip
        except openai.APIStatusError as error:
            return Outcome(error.response.headers["x-undertow-decision-id"], "", None)
        decision_id = raw.headers["x-undertow-decision-id"]
        answer = raw.parse()
        if not step.stream:
            text = answer.choices[0].message.content or ""
        else:
            text = ""
            with answer:
                for chunk in answer:
                    text += chunk.choices[0].delta.content or ""
                    if step.leaves:
                        return Outcome(decision_id, text, None)
        self.texts[step.conversation] = text
        return Outcome(decision_id, text, step.query.rule.grade(text))

    def record_of(self, served: Gateway, decision_id: str) -> dict[str, Any]:
        """The decision's record; one whose caller left is written when the gateway has noticed."""
        until = time.monotonic() + 5
        while True:
            try:
                return json.loads(served.ask(f"/v1/undertow/decisions/{decision_id}"))
            except urllib.error.HTTPError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def feedback(self, served: Gateway, step: Step, outcome: Outcome) -> int:
        """Post the grade as a review, and a ticket for a wrong answer. Returns how many signals were accepted."""
        if outcome.is_right is None:
            return 0
        review = {
            "decision_id": outcome.decision_id, "kind": "review", "name": "accuracy", "value": float(outcome.is_right),
            "inclusion_probability": 1.0, "source": "rules of record_demo.py",
        }  # fmt: skip
        accepted = json.loads(served.ask("/v1/feedback", review, idempotency_key=f"review-{outcome.decision_id}"))[
            "accepted"
        ]
        if not outcome.is_right:
            ticket = {"user_id": step.user, "name": "ticket", "value": 1}
            accepted += json.loads(served.ask("/v1/outcomes", ticket))["accepted"]
        return accepted

    def one_decision(self, served: Gateway) -> None:
        """Show one record, an escalated one if there is any."""
        records = self.records()
        chosen = next((record for record in records if record.get("escalated")), records[0])
        self.heading("3. One decision: GET /v1/undertow/decisions/" + chosen["decision_id"])
        shown = json.loads(served.ask(f"/v1/undertow/decisions/{chosen['decision_id']}"))
        names = (
            "event_time", "user_id", "segment", "policy", "policy_version", "arm", "eligible", "propensity", "first_tier", "tier",
            "reason", "confidence", "threshold", "confidence_kind", "cost_usd", "status", "prompt_hash",
        )  # fmt: skip
        for name in names:
            if name in shown:
                self.console.print(f"  {name:<16} {escape(json.dumps(shown[name]))}", soft_wrap=True)
        for call in shown.get("calls", ()):
            told = f"{call['tier']}: {call['input_tokens']} tokens in, {call['output_tokens']} out, {call['status']}"
            self.console.print(f"  {'call':<16} {told}, ${call['cost_usd']:.6f}, {call['latency_ms']:.0f} ms")
        self.say("[dim]No prompt and no answer: they are kept only if the settings say so.[/]")

    def metrics(self, served: Gateway) -> None:
        """A few lines of /metrics."""
        self.heading("4. GET /metrics")
        wanted = ("undertow_requests_total", "undertow_escalations_total", "undertow_cost_usd_total", "undertow_log_")
        time.sleep(1.2)  # workers write their counts down once a second
        for line in served.ask("/metrics").decode().splitlines():
            if line.startswith(wanted) and "_created" not in line:
                self.console.print(f"  {escape(line)}", soft_wrap=True)

    def records(self) -> list[dict[str, Any]]:
        """All records of the log, by id, which is by time."""
        store = self.folder / "undertow-data" / "decisions"
        lines = [line for path in sorted(store.rglob("*.jsonl*")) for line in path.read_bytes().splitlines()]
        return sorted((json.loads(line) for line in lines), key=lambda record: record["decision_id"])

    def audit(self, records: list[dict[str, Any]]) -> int:
        """Audit the log that this made."""
        self.heading(f"5. undertow audit {self.folder / 'undertow-data'}")
        done = subprocess.run(
            [UNDERTOW, "audit", "undertow-data", "--config", "undertow.toml"],
            cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "COLUMNS": str(self.console.width)},
        )  # fmt: skip
        self.console.print(escape("\n".join(line.rstrip() for line in done.stdout.splitlines())), soft_wrap=True)
        verdicts = {0: "healthy", 1: "a loss", 3: "inconclusive"}
        self.heading("What this shows")
        self.say(
            f"{len(self.steps)} requests, {len(records)} records: whatever happened to a request, it is in the log once."
        )
        right = [record for record in records if record.get("tier")]
        share = sum(record["tier"] == "cheap" for record in right) / max(1, len(right))
        spent = sum(record.get("cost_usd") or 0.0 for record in records)
        self.say(
            f"{share:.0%} of the answers came from the cheap tier; all calls together would have cost ${spent:.4f}."
        )
        self.say(f"Verdict: [bold]{verdicts.get(done.returncode, 'none')}[/] (exit status {done.returncode}).")
        if done.returncode == 3:
            held = sum(record.get("arm") == "holdout" and record.get("eligible") is True for record in records)
            self.say(
                "Inconclusive is right: some dozens of graded answers cannot tell a loss of two in a hundred from chance, and Undertow does "
                f"not guess. It compares with the holdout from {MIN_REFERENCE_LABELS} graded answers on; this run has {held}. "
                "Questions that were asked again become implicit signals two minutes later, while the gateway runs. "
                "`make demo` shows the same audit on a log of millions."
            )
        return 0 if done.returncode in verdicts and len(records) == len(self.steps) else 1


def row(number: int, step: Step, record: dict[str, Any], outcome: Outcome) -> str:
    """One line of the table."""
    asked = "leaves" if step.leaves else "again" if step.again else "stream" if step.stream else "whole"
    confidence = record.get("confidence")
    cost = record.get("cost_usd")
    tier = record.get("tier") or "-"
    why = record.get("error") or record.get("reason", "")
    right = {True: "[green]yes[/]", False: "[red]no[/]", None: "[dim]-[/]"}[outcome.is_right]
    style = {"cheap": "cyan", "capable": "magenta"}.get(tier, "dim")
    return (
        f"  {number:>3} {asked:<8} {step.query.intent:<13} [{style}]{tier:<8}[/] "
        f"{'-' if confidence is None else f'{confidence:.2f}':>5}  {why[:15]:<15} {record.get('ttft_ms') or 0:>6.0f} "
        f"{record.get('latency_ms') or 0:>6.0f}  {'-' if cost is None else f'${cost:.6f}':>9}  {right}"
    )


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="The gateway before a real local model, then the audit of its log.")
    parser.add_argument("--requests", type=int, default=48, help="about how many requests (8 to 200)")
    parser.add_argument("--out", type=Path, default=Path("build/demo-live"), help="folder for settings, logs and store")
    parser.add_argument("--serve-model", choices=("cheap", "capable"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_model is not None:
        serve_model(arguments.serve_model)
    return Demo(arguments.out, min(200, max(8, arguments.requests))).run()


if __name__ == "__main__":
    sys.exit(main())
