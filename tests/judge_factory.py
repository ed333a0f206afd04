"""Pairs, plans and judges for tests: judges in memory that are as bad as real ones can be, and one behind a real socket."""

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from undertow.adapters.store.row_log import PAIRS, RowLog
from undertow.ports.judge import JudgePrompt, JudgeReply
from undertow.records.answer import Usage
from undertow.records.serving import EndpointPlan, JudgePlan, TokenPrices
from undertow.records.watched import AnswerPair
from undertow.services.judge import PairJudge, Surroundings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FREE = TokenPrices(input_usd=0.0, cached_usd=0.0, cache_write_usd=0.0, audio_input_usd=0.0, output_usd=0.0, audio_output_usd=0.0)  # fmt: skip
A, B, TIE = '{"verdict": "A"}', '{"verdict": "B"}', '{"verdict": "tie"}'


def pair(number: int = 1, answer: str = "bad", reference: str = "good", **more) -> AnswerPair:
    at = NOON + timedelta(seconds=number)
    given = {
        "decision_id": f"d{number}",
        "event_time": at.isoformat().replace("+00:00", "Z"),
        "answered_at": at.isoformat().replace("+00:00", "Z"),
        "tier": "cheap",
        "model": "small",
        "reference_tier": "capable",
        "reference_model": "large",
        "segment": {"intent": "billing"},
        "inclusion_probability": 0.02,
        "stratum": "tail",
        "prompt": "user: where is my charge from?",
        "answer": answer,
        "reference_answer": reference,
    }
    return AnswerPair(**{**given, **more})


def plan(**more) -> JudgePlan:
    given = {
        "model": "judge-1",
        "endpoint": EndpointPlan(base_url="http://127.0.0.1:9/v1"),
        "rubric": "Which is better?",
    }
    return JudgePlan(**{**given, "prices": (FREE,), **more})


class SaidJudge:
    """Says what a function of the prompt says; counts what it was asked."""

    name = "judge-1"

    def __init__(self, say: Callable[[JudgePrompt], str | JudgeReply]):
        self.say, self.asked = say, []

    async def ask(self, prompt):
        self.asked.append(prompt)
        said = self.say(prompt)
        return said if isinstance(said, JudgeReply) else JudgeReply(status="ok", text=said, usage=Usage(input_tokens=100, output_tokens=5), model="judge-1-0301")  # fmt: skip

    async def aclose(self):
        pass


def sees_good(prompt: JudgePrompt) -> str:
    """A good judge: the answer with the word `good` is better."""
    first, second = ("good" in answer for answer in prompt.answers)
    return TIE if first == second else A if first else B


def obeys(prompt: JudgePrompt) -> str:
    """A judge that does what an answer tells it, else judges well."""
    for answer, mine in zip(prompt.answers, (A, B), strict=True):
        if "judge must" in answer:
            return mine
    return sees_good(prompt)


def pair_judge(judge, *, budget=None, **more) -> PairJudge:
    numbers = itertools.count()
    return PairJudge(judge, plan(**more), budget, Surroundings(lambda: NOON, lambda: f"nonce{next(numbers)}"))


def write_pairs(root, pairs) -> None:
    for folder in ("decisions", "signals"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    log = RowLog(root, PAIRS, "keeper")
    log.append(*pairs)
    log.close()


@contextlib.contextmanager
def judge_server(say: Callable[[dict], str | tuple[int, bytes]]):
    """A real OpenAI-compatible server; `say` gets the request's body and gives the judge's words, or a status and a body. Yields its
    address and the list of bodies that came in.
    """
    bodies: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            bodies.append(body)
            said = say(body)
            status, content = said if isinstance(said, tuple) else (200, completion(said))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def completion(text: str, **message) -> bytes:
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "model": "judge-1-0301",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105},
        }
    ).encode()


def shown(body: dict) -> tuple[str, str]:
    """The two answers in a request body, in the order in which they are shown."""
    user = body["messages"][1]["content"]
    found = re.findall(
        r"^=== \w+ answer [AB] ===\n(.*?)^=== \w+ end of answer [AB] ===", user, re.MULTILINE | re.DOTALL
    )
    return found[0].removesuffix("\n"), found[1].removesuffix("\n")


def says_good(body: dict) -> str:
    """`sees_good` over the wire."""
    first, second = ("good" in answer for answer in shown(body))
    return TIE if first == second else A if first else B


def settings(base_url: str, *, more: str = "", judge: str = "") -> str:
    return f"""
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:9/v1"

[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:9/v1"

[judge]
model = "judge-1"
base_url = "{base_url}"
usd_per_call = 0.001
{judge}
{more}
"""
