"""Decisions drawn for review by a real gateway: their text is in the store, redacted; nobody else's is; and callers see no difference."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import msgspec
import pytest

from gateway_fakes.raw import post
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, running_gateway, settings_for
from undertow.adapters.store.row_log import SAMPLED, read_rows
from undertow.records.runtime_files import SAMPLING
from undertow.records.sampling import Drawn, SampleRate, SamplingRates
from undertow.records.watched import SampledText
from undertow.sampling.audit import count_draws, draw_mismatches, wrongly_drawn

CHAT = "/v1/chat/completions"
CANARY = "canary-7731"
UNDERTOW = Path(sys.executable).parent / "undertow"
FURTHER = """
[review]
per_day = 100
[shadow]
share = 0.0
[retention]
redact = "cleaning:redact"
[store]
segment_s = 1
"""
HOOK = f"def redact(text):\n    return text.replace('{CANARY}', '[removed]')\n"


def ask(number, *, stream=False, intent="billing"):
    return {
        "model": "auto",
        "stream": stream,
        "messages": [{"role": "user", "content": f"question {number} of {CANARY}"}],
        "metadata": {"intent": intent},
    }


def answers_of(gateway, asked):
    """Bodies that callers get, without what differs from one request to the next."""
    found = []
    for body in asked:
        answer = post(gateway.port, CHAT, body)
        assert answer.status == 200
        found.append(re.sub(rb'"(id|created)":[^,]+,', b"", answer.body))
    return found


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        upstream.answer("small", Reply(text=f"The cheap answer to {CANARY}.", confidence=0.97))
        upstream.answer("large", Reply(text="The dear answer.", confidence=None))
        yield upstream


def prepared(folder, *rates, further=FURTHER, hook=HOOK):
    """Where a gateway runs, with its hook and the rates that its keeper wrote."""
    (folder / "cleaning.py").write_text(hook)
    file = folder / "undertow-data" / SAMPLING
    file.parent.mkdir(parents=True)
    file.write_bytes(msgspec.json.encode(SamplingRates(version="v", rates=rates)))
    return further


def gateway_at(folder, upstream, further):
    return running_gateway(folder, settings_for(upstream.base_url, further), env=ENV | {"PYTHONPATH": str(folder)})


def until(found, timeout_s=10.0):
    """Wait until it is so."""
    end = time.monotonic() + timeout_s
    while not (result := found()):
        assert time.monotonic() < end, "it was not so in time"
        time.sleep(0.05)
    return result


def texts(folder):
    return read_rows(folder / "undertow-data", SAMPLED, SampledText).rows


def draws_of(record):
    return [msgspec.convert(draw, Drawn) for draw in record["draws"]]


def test_the_text_of_what_was_drawn_is_kept_redacted_and_of_nothing_else(upstream, tmp_path):
    further = prepared(
        tmp_path, SampleRate(tier="cheap", review=0.3), SampleRate(tier="cheap", segment="intent=fraud", review=1.0)
    )
    asked = [
        ask(number, stream=number % 2 == 0, intent="fraud" if number % 10 == 0 else "billing") for number in range(60)
    ]
    with gateway_at(tmp_path, upstream, further) as gateway:
        answers_of(gateway, asked)
        shown = gateway.get("/metrics")[1].decode()
        store = gateway.store
    rows = [
        json.loads(line)
        for path in (store / "decisions" / "open").glob("*.jsonl*")
        for line in path.read_bytes().splitlines()
    ]
    assert len(rows) == 60
    chosen = {row["decision_id"]: draws_of(row)[0] for row in rows if draws_of(row)[0].chosen}
    assert 6 < len(chosen) < 54
    for row in rows:
        (draw,) = draws_of(row)
        assert draw.inclusion_probability == (1.0 if row["segment"]["intent"] == "fraud" else 0.3)
        assert "prompt" not in row
        assert "response" not in row
    found = {text.decision_id: text for text in texts(tmp_path)}
    assert found.keys() == chosen.keys()
    for decision_id, text in found.items():
        assert text.inclusion_probability == chosen[decision_id].inclusion_probability
        assert text.stratum == "whole"
        assert re.fullmatch(r"user: question \d+ of \[removed\]", text.prompt)
        assert text.answer == "The cheap answer to [removed]."
    everything = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    assert CANARY.encode() not in everything
    assert f'undertow_draws_total{{chosen="yes",purpose="review"}} {len(chosen)}.0' in shown
    pairs = [(row["decision_id"], draws_of(row)[0]) for row in rows]
    assert wrongly_drawn("undertow", pairs) == []
    assert draw_mismatches(count_draws(draw for _, draw in pairs)) == []


def test_callers_get_the_same_bytes_whether_they_are_drawn_or_not(upstream, tmp_path):
    asked = [ask(number, stream=stream) for number in range(3) for stream in (False, True)]
    bodies = []
    for name, rate in (("all", 1.0), ("none", 1e-12)):
        folder = tmp_path / name
        folder.mkdir()
        with gateway_at(folder, upstream, prepared(folder, SampleRate(tier="cheap", review=rate))) as gateway:
            before = len(upstream.requests)
            bodies.append(answers_of(gateway, asked))
            bodies.append([request.body for request in upstream.requests[before:]])
        assert len(texts(folder)) == (6 if name == "all" else 0)
    assert bodies[0] == bodies[2]
    assert bodies[1] == bodies[3], "nothing else is asked of an upstream for it"


def test_a_hook_that_fails_costs_the_text_and_no_request(upstream, tmp_path):
    further = prepared(
        tmp_path, SampleRate(tier="cheap", review=1.0), hook="def redact(text):\n    raise ValueError(text)\n"
    )
    with gateway_at(tmp_path, upstream, further) as gateway:
        answers_of(gateway, [ask(1), ask(2)])
        until(lambda: b'undertow_drawn_texts_lost_total{why="redaction"} 2.0' in gateway.get("/metrics")[1])
        lines = "\n".join(gateway.log_lines)
    assert texts(tmp_path) == []
    assert "redaction_failed" in lines
    assert CANARY not in lines


def test_a_store_without_room_for_texts_serves_on(upstream, tmp_path):
    further = prepared(tmp_path, SampleRate(tier="cheap", review=1.0))
    (tmp_path / "undertow-data" / SAMPLED).write_text("in the way")
    with gateway_at(tmp_path, upstream, further) as gateway:
        answers_of(gateway, [ask(1)])
        until(lambda: b'undertow_drawn_texts_lost_total{why="disk"} 1.0' in gateway.get("/metrics")[1])


def test_the_keeper_writes_draws_beside_the_decisions_and_readers_take_them(upstream, tmp_path):
    further = prepared(tmp_path, SampleRate(tier="cheap", review=0.5))
    with gateway_at(tmp_path, upstream, further) as gateway:
        answers_of(gateway, [ask(number) for number in range(20)])
        until(lambda: list((gateway.store / "draws").glob("date=*/*.parquet")), timeout_s=40.0)
        store = gateway.store
    with duckdb.connect() as engine:
        engine.execute(f"SELECT decision_id, purpose, inclusion_probability, chosen FROM '{store}/draws/*/*.parquet'")
        drawn = engine.fetchall()
    kept = {text.decision_id for text in texts(tmp_path)}
    assert {row[0] for row in drawn if row[3]} <= kept
    assert {row[1:3] for row in drawn} == {("review", 0.5)}
    assert wrongly_drawn("undertow", [(row[0], Drawn(row[1], "common", row[2], row[3])) for row in drawn]) == []
    audited = subprocess.run([UNDERTOW, "audit", str(store), "--json"], capture_output=True, check=False)
    assert audited.returncode == 3, audited.stderr
    assert json.loads(audited.stdout)["coverage"]["decisions"] == 20
    assert json.loads(audited.stdout)["coverage"]["rejected"] == 0
    doctor = subprocess.run([UNDERTOW, "doctor", str(store), "--json"], capture_output=True, check=False)
    assert "no_draws" not in doctor.stdout.decode()
