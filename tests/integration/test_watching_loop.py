"""Watching, all of it in real processes: requests are drawn, answered twice, judged over HTTP, reviewed at the keyboard, and audited."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from click.testing import CliRunner

from gateway_fakes.raw import post
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import running_gateway, settings_for
from undertow.adapters.store.rates_file import read_rates
from undertow.adapters.store.row_log import CALLS, PAIRS, SAMPLED, read_rows
from undertow.cli.main import main
from undertow.records.runtime_files import WATCH_REPORT
from undertow.records.watched import AnswerPair, SampledText, WatchingCall

CHEAP, DEAR = "Your invoice is somewhere.", "Your invoice 17 was sent on Monday."
FIRST, LATER = 12, 12


class Verdict(BaseHTTPRequestHandler):
    """A judge that prefers an answer which names a number, wherever it stands, and is sure of nothing else."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = asked["messages"][-1]["content"]
        shown = dict(re.findall(r"answer ([AB]) ===\n(.*)\n=== \w+ end of answer", text))
        better = [place for place, answer in shown.items() if "17" in answer]
        said = json.dumps({"verdict": better[0] if len(better) == 1 else "tie"})
        body = json.dumps(
            {
                "id": "j", "object": "chat.completion", "created": 1, "model": "strict",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            }
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def judge() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Verdict)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(found, timeout_s=40.0):
    """Wait until it is so."""
    end = time.monotonic() + timeout_s
    while not (result := found()):
        assert time.monotonic() < end, "it was not so in time"
        time.sleep(0.05)
    return result


def signals_of(store: Path) -> list[dict]:
    rows = [
        json.loads(line)
        for file in (store / "signals" / "open").glob("*.jsonl*")
        for line in file.read_text().splitlines()
    ]
    return [row for row in rows if row["kind"] in {"judge", "review"}]


def planned(store: Path) -> set[float]:
    rates = read_rates(store)
    return set() if rates is None else {rate.review for rate in rates.rates if rate.tier == "cheap"}


def ask(gateway, number: int) -> None:
    said = post(
        gateway.port,
        "/v1/chat/completions",
        {"model": "auto", "messages": [{"role": "user", "content": f"Where is invoice {number}?"}], "metadata": {"intent": "billing"}},
    )  # fmt: skip
    assert (said.status, CHEAP in said.body.decode()) == (200, True)


def test_from_request_to_verdict_to_review_to_audit(tmp_path, monkeypatch):
    with FakeUpstream() as upstream, judge() as judge_url:
        upstream.answer("small", Reply(text=CHEAP, confidence=0.97))
        upstream.answer("large", Reply(text=DEAR))
        settings = settings_for(
            upstream.base_url,
            f"""
[shadow]
share = 1.0
budget_usd_day = 100.0
[review]
per_day = 1000
[judge]
model = "strict"
base_url = "{judge_url}"
usd_per_call = 0.002
[monitors]
every_minutes = 0.02
segments = ["intent"]
[store]
segment_s = 1
""",
        )
        with running_gateway(tmp_path, settings) as gateway:
            store = gateway.store
            for number in range(FIRST):
                ask(gateway, number)
            # The keeper counts what was served, and plans for many more reviews than there is traffic.
            until(lambda: planned(store) == {1.0})
            before = len(read_rows(store, SAMPLED, SampledText).rows)
            time.sleep(5.5)  # workers look at their rates every five seconds
            for number in range(LATER):
                ask(gateway, FIRST + number)
            until(lambda: len(read_rows(store, PAIRS, AnswerPair).rows) == FIRST + LATER)
        # A judge's turn comes once a minute, and when a keeper starts.
        with running_gateway(tmp_path, settings) as gateway:
            until(lambda: len([row for row in signals_of(store) if row["kind"] == "judge"]) == FIRST + LATER)
            until((store / WATCH_REPORT).exists)
    texts = read_rows(store, SAMPLED, SampledText).rows
    assert len(texts) == before + LATER
    judged = [row for row in signals_of(store) if row["kind"] == "judge"]
    for row in judged:
        assert (row["value"], row["reference_value"], row["source"]) == (0.0, 1.0, "judge:strict")
        assert (row["inclusion_probability"], row["stratum"], row["selection"]) == (1.0, "whole", "sampled")
    spent = [call.purpose for call in read_rows(store, CALLS, WatchingCall).rows]
    assert (spent.count("shadow"), spent.count("judge")) == (FIRST + LATER, FIRST + LATER)

    monkeypatch.chdir(tmp_path)
    # Both answers are shown, in an order of their own; the reviewer finds neither good.
    done = CliRunner().invoke(main, ["review", "start", str(store), "--rater", "ann"], input="x\n" * len(texts))
    assert done.exit_code == 0, done.output
    assert CHEAP in done.output
    assert DEAR in done.output
    reviewed = [row for row in signals_of(store) if row["kind"] == "review"]
    assert {row["decision_id"] for row in reviewed} == {text.decision_id for text in texts}
    assert {(row["value"], row["reference_value"]) for row in reviewed} == {(0.0, 0.0)}

    audited = CliRunner().invoke(main, ["audit", str(store), "--json"])
    report = json.loads(audited.stdout)
    cheap = next(tier for tier in report["tiers"] if tier["tier"] == "cheap")
    assert cheap["signals"]["judge.quality"]["n"] == FIRST + LATER
    assert cheap["signals"]["review.accuracy"]["n"] == len(texts)
    watching = [item for item in report["ledger"]["items"] if item["kind"] == "watching"]
    assert watching, report["ledger"]
    assert report["ledger"]["watching_usd_month"] > 0
    shown = CliRunner().invoke(main, ["audit", str(store)]).output
    assert "judge.quality" in shown
    assert "review.accuracy" in shown
