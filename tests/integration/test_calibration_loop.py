"""The whole way round, with the real gateway: log, label, calibrate on that log, serve by the artefact, tune it, void it."""

import json
import subprocess
import sys
import time

import numpy as np

from gateway_fakes.raw import post
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, running_gateway, settings_for
from undertow.calibration.certificates import most_losses

CHAT = "/v1/chat/completions"
REQUESTS = 500
P = 0.5
MARGIN, DELTA = 0.1, 0.1


def ask(gateway, upstream, confidence):
    upstream.answer("small", Reply(text="a cheap answer", confidence=confidence))
    answer = post(gateway.port, CHAT, {"model": "auto", "messages": [{"role": "user", "content": "How long is it?"}]})
    assert answer.status == 200
    return answer.headers["x-undertow-decision-id"]


def undertow(*arguments, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "undertow.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def test_a_threshold_is_calibrated_on_the_gateways_own_log_and_then_serves_by_it(tmp_path):
    rng = np.random.default_rng(7)
    confidences = rng.uniform(0.3, 0.999, REQUESTS)
    with FakeUpstream() as upstream:
        upstream.answer("large", Reply(text="a capable answer", confidence=None))
        settings = settings_for(upstream.base_url, policy=f"threshold = 0.9\nmargin = {MARGIN}")
        with running_gateway(tmp_path, settings, env=ENV) as gateway:
            ids = [ask(gateway, upstream, float(confidence)) for confidence in confidences]
            records = gateway.records()
            labels = []
            for decision_id, confidence in zip(ids, confidences, strict=True):
                # Nearly every answer above .6 is as good; the served answer's value comes first, the other tier's beside it.
                cheap = float(rng.random() < (0.98 if confidence > 0.6 else 0.4))
                is_served = records[decision_id]["tier"] == "cheap"
                served, other = (cheap, 1.0) if is_served else (1.0, cheap)
                labels.append(
                    {
                        "signal_id": f"s-{decision_id}", "decision_id": decision_id, "kind": "shadow", "name": "quality",
                        "value": served, "reference_value": other, "inclusion_probability": P,
                    }
                )  # fmt: skip
            for start in range(0, REQUESTS, 100):
                assert post(gateway.port, "/v1/feedback", labels[start : start + 100]).status == 202
            artefact = tmp_path / "calibration.json"
            shown = json.loads(
                undertow(
                    "calibrate",
                    str(gateway.store),
                    "--config",
                    str(tmp_path / "undertow.toml"),
                    "-o",
                    str(artefact),
                    "--json",
                )
            )
            assert shown["verdict"] == "certified"
            (group,) = shown["groups"]
            assert group["labels"] == REQUESTS
            threshold = group["threshold"]
            assert group["certificate"]["losses"] == most_losses(REQUESTS, MARGIN, DELTA)
            assert 0.5 < group["certificate"]["acceptance"] < 0.8
        certified = f'calibration = "calibration.json"\nmargin = {MARGIN}\nstrict = true'
        settings = settings_for(upstream.base_url, policy=certified)
        with running_gateway(tmp_path, settings, env=ENV) as gateway:
            with gateway.new_records(2) as records:
                ask(gateway, upstream, 0.75)  # below the old threshold, above the new one
                ask(gateway, upstream, 0.35)
            by_tier = {record["tier"]: record for record in records}
            assert by_tier["cheap"]["confidence"] >= threshold > by_tier["capable"]["confidence"]
            assert {record["confidence_kind"] for record in records} == {"calibrated"}
            assert {record["reason"] for record in records} == {"confident", "unsure"}
            config = ("--config", str(tmp_path / "undertow.toml"))
            undertow("tune", str(gateway.store), *config, "--void", "all", "--why", "the rules changed")
            until = time.monotonic() + 15
            while time.monotonic() < until:
                with gateway.new_records() as voided:
                    ask(gateway, upstream, 0.95)
                if voided[0]["tier"] == "capable":
                    break
                time.sleep(0.5)
            assert (voided[0]["tier"], voided[0]["reason"]) == ("capable", "calibration_void")
            assert "the rules changed" in undertow("tune", str(gateway.store), *config, "--history")
