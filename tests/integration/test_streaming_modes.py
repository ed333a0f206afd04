"""Streams through a real gateway before scripted upstreams: committed early, raced, held, cut; what the caller sees and the log says."""

import json
import time

import pytest

import undertow
from gateway_fakes.raw import RawConnection, post, request_bytes
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, running_gateway, settings_for
from sound_calibrations import calibration, prefix
from undertow.adapters.calibrations import write_calibration, write_states
from undertow.records.calibration import GroupState, PolicyState, ThresholdStates

CHAT = "/v1/chat/completions"
ASK = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "When was my invoice sent?"}]}
CHEAP = "".join(f"cheap{number} " for number in range(40))
CAPABLE = "".join(f"capable{number} " for number in range(20))
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
GAP_S = 0.02


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def _answers(upstream):
    upstream.answer("small", Reply(text=CHEAP, confidence=0.97, gap_s=GAP_S))
    upstream.answer("large", Reply(text=CAPABLE, confidence=None, gap_s=GAP_S))


def policy(mode, **more):
    lines = {"calibration": '"calibration.json"', "streaming": f'"{mode}"', **more}
    return "\n".join(f"{name} = {value}" for name, value in lines.items())


def calibrated(mode, upstream, folder):
    write_calibration(calibration(prefix=prefix()), folder / "calibration.json")
    return running_gateway(folder, settings_for(upstream.base_url, policy=policy(mode)))


@pytest.fixture(scope="module")
def committing(upstream, tmp_path_factory):
    with calibrated("commit", upstream, tmp_path_factory.mktemp("commit")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def racing(upstream, tmp_path_factory):
    with calibrated("race", upstream, tmp_path_factory.mktemp("race")) as gateway:
        yield gateway


def ask(gateway, **body):
    """The answer's body, its record, and the seconds to the first words of an answer and to the end."""
    with gateway.new_records() as records, RawConnection(gateway.port) as connection:
        began = time.monotonic()
        connection.send(request_bytes(CHAT, ASK | body, headers={"connection": "close"}))
        connection.read_until(b'"content"')  # the opening chunk has an empty one
        first = connection.read_until(b"0 ")
        first_s = time.monotonic() - began
        rest = connection.read_all()
        whole_s = time.monotonic() - began
    return first + rest, records[0], first_s, whole_s


def purposes(record):
    return [(call["tier"], call["purpose"], call["status"]) for call in record["calls"]]


def test_a_confident_beginning_is_served_long_before_the_upstream_s_end(committing):
    body, record, first_s, whole_s = ask(committing)
    assert first_s < 0.5 * whole_s
    assert body.count(b"cheap") >= 39
    assert b"[DONE]" in body
    assert b'"logprob"' not in body
    assert (record["tier"], record["reason"], record["status"]) == ("cheap", "confident", "ok")
    assert 4 <= record["committed_tokens"] < 40
    assert record["ttft_ms"] < 0.5 * record["latency_ms"]
    assert record["confidence_kind"] == "calibrated"
    assert record["calibration_version"]
    assert record["features"]["prefix.mean_logprob"] <= 0.0
    assert record["features"]["mean_logprob"] <= 0.0, "the whole answer is measured too, for the next calibration"
    assert "response" not in record
    assert purposes(record) == [("cheap", "serve", "ok")]


@pytest.mark.parametrize("mode", ["committing", "racing"])
def test_nothing_of_a_poor_answer_is_seen_and_both_are_paid_for(request, upstream, mode):
    gateway = request.getfixturevalue(mode)
    upstream.answer("small", Reply(text=CHEAP, confidence=0.2, gap_s=GAP_S))
    body, record, _, _ = ask(gateway)
    assert b"cheap" not in body
    assert body.count(b"capable") >= 19
    assert (record["tier"], record["reason"], record["escalated"]) == ("capable", "unsure", True)
    expected = [("cheap", "serve", "discarded"), ("capable", "serve" if mode == "committing" else "race", "ok")]
    assert sorted(purposes(record)) == sorted(expected)
    assert record["cost_usd"] == pytest.approx(sum(call["cost_usd"] for call in record["calls"]))
    assert "committed_tokens" not in record


def test_a_race_saves_the_time_of_asking_one_after_the_other(racing, upstream):
    upstream.answer("small", Reply(text=CHEAP, confidence=0.2, gap_s=GAP_S))
    _, record, first_s, whole_s = ask(racing)
    alone_s = 41 * GAP_S
    assert first_s < alone_s + 10 * GAP_S
    assert whole_s < alone_s + 15 * GAP_S, "one after the other takes at least 20 gaps more"
    assert record["ttft_ms"] < record["latency_ms"]


def test_the_loser_of_a_race_is_cancelled_and_its_cost_is_in_the_record(racing, upstream):
    poor_beginning = Reply(text=CHEAP, confidence=0.99, first_confidences=(0.1,) * 4, gap_s=GAP_S)
    upstream.answer("small", poor_beginning)
    upstream.answer("large", Reply(text=CAPABLE * 20, confidence=None, gap_s=GAP_S))
    before = upstream.aborted
    body, record, _, _ = ask(racing)
    upstream.wait_until(lambda upstream: upstream.aborted == before + 1)
    assert b"capable" not in body
    assert purposes(record) == [("cheap", "serve", "ok"), ("capable", "race", "cancelled")]
    lost = record["calls"][1]
    assert lost["output_tokens"] > 0
    assert lost["input_tokens"] > 0
    assert record["cost_usd"] == pytest.approx(sum(call["cost_usd"] for call in record["calls"]))
    assert lost["cost_usd"] > 0


def test_who_leaves_a_race_ends_both_calls(racing, upstream):
    upstream.answer("small", Reply(text=CHEAP * 20, confidence=0.2, gap_s=GAP_S))
    upstream.answer("large", Reply(text=CAPABLE * 20, confidence=None, gap_s=GAP_S))
    before, asked = upstream.aborted, len(upstream.asked("large"))
    with racing.new_records() as records:
        with RawConnection(racing.port) as connection:
            connection.send(request_bytes(CHAT, ASK))
            upstream.wait_until(lambda upstream: len(upstream.asked("large")) > asked)
        upstream.wait_until(lambda upstream: upstream.aborted == before + 2)
    assert (records[0]["status"], records[0]["error"]) == ("abandoned", "client_closed")
    assert {call["tier"] for call in records[0]["calls"]} == {"cheap", "capable"}


@pytest.mark.parametrize(
    "more", [{"tools": [TOOL]}, {"response_format": {"type": "json_object"}}], ids=["tools", "json"]
)
def test_tool_calls_and_demanded_formats_are_checked_whole_before_anything_is_served(committing, upstream, more):
    called = Reply(text="look0 look1 look2 look3 look4 look5 ", tool_calls=(("no_such_tool", "{}"),), confidence=0.97)
    upstream.answer("small", called if "tools" in more else Reply(text="no0 JSON at all here 0 ", confidence=0.97))
    body, record, _, _ = ask(committing, **more)
    assert b"look" not in body
    assert b"JSON" not in body
    assert (record["tier"], record["reason"]) == ("capable", "invalid_answer")
    assert "committed_tokens" not in record


@pytest.mark.parametrize("how", ["close", "reset", "end", "error"])
def test_a_stream_that_is_cut_after_a_commit_ends_in_an_error(committing, upstream, how):
    upstream.answer("small", Reply(text=CHEAP, confidence=0.97, gap_s=GAP_S, cut_after=12, cut_how=how))
    asked = len(upstream.asked("large"))
    with committing.new_records() as records:
        answer = post(committing.port, CHAT, ASK)
    assert answer.status == 200
    assert b"[DONE]" not in answer.body
    assert answer.events[-1].startswith(b'data: {"error"')
    assert b"cheap3" in answer.body
    assert b"capable" not in answer.body
    assert len(upstream.asked("large")) == asked
    assert (records[0]["status"], records[0]["tier"]) == ("error", "cheap")
    assert records[0]["committed_tokens"] >= 4
    assert records[0]["delivered_chars"] > 0


def test_a_whole_answer_is_never_committed(committing):
    with committing.new_records() as records:
        answer = post(committing.port, CHAT, ASK | {"stream": False})
    assert answer.json["choices"][0]["message"]["content"] == CHEAP
    assert "committed_tokens" not in records[0]


def test_a_voided_certificate_is_in_force_in_every_worker_within_seconds_and_shown(tmp_path, upstream):
    upstream.answer("small", Reply(text="cheap0 ", confidence=0.97))
    upstream.answer("large", Reply(text="capable0 ", confidence=None))
    sha256 = write_calibration(calibration(), tmp_path / "calibration.json")
    settings = settings_for(upstream.base_url, policy='calibration = "calibration.json"\nstrict = true')
    with running_gateway(tmp_path, settings) as gateway:
        assert ask(gateway)[1]["tier"] == "cheap"
        state = PolicyState(
            calibration_version=sha256, version=3, groups=(GroupState(threshold=0.7, is_void=True, why="alarm"),)
        )
        states = ThresholdStates(at="2026-03-01T00:00:00.000Z", policies={"auto": {"cheap": state}})
        write_states(gateway.store / "state" / "thresholds.json", states)
        until = time.monotonic() + 15
        while (record := ask(gateway)[1])["reason"] != "calibration_void":
            assert time.monotonic() < until, record
            time.sleep(0.3)
        assert record["tier"] == "capable"
        assert record["calibration_version"].endswith("+3")
        shown = gateway.get("/metrics")[1].decode()
        while 'undertow_certificate_void{group="*",policy="auto",tier="cheap"} 1.0' not in shown:
            assert time.monotonic() < until, shown
            time.sleep(0.3)
            shown = gateway.get("/metrics")[1].decode()
        assert 'undertow_threshold{group="*",policy="auto",tier="cheap"} +Inf' in shown


def test_an_upstream_that_refuses_log_probabilities_is_no_outage(tmp_path, upstream):
    refusal = json.dumps(
        {"error": {"message": "logprobs is not supported", "param": "logprobs", "code": None}}
    ).encode()
    upstream.answer("small", Reply(text="cheap0 ", confidence=None))
    upstream.answer("large", Reply(text="capable0 ", confidence=None))
    with running_gateway(tmp_path, settings_for(upstream.base_url)) as gateway:
        upstream.script(Reply(status=400, body=refusal))
        _, record, _, _ = ask(gateway)
        assert (record["tier"], record["reason"], record["status"]) == ("capable", "no_confidence", "ok")
        assert purposes(record) == [
            ("cheap", "serve", "http_400"),
            ("cheap", "serve", "discarded"),
            ("capable", "serve", "ok"),
        ]


def test_self_checks_are_made_where_they_can_still_matter_and_counted(tmp_path, upstream):
    upstream.answer("small", Reply(text="True", confidence=0.97))
    upstream.answer("large", Reply(text="capable0 ", confidence=None))
    settings = settings_for(upstream.base_url, policy="self_check = true\nsamples = 2\nthreshold = 0.8")
    with running_gateway(tmp_path, settings) as gateway:
        with gateway.new_records() as records:
            answer = post(gateway.port, CHAT, ASK | {"stream": False})
        assert answer.json["choices"][0]["message"]["content"] == "True"
        record = records[0]
        assert purposes(record) == [("cheap", "serve", "ok"), *[("cheap", "self_check", "ok")] * 3]
        assert record["features"]["agreement"] == 1.0
        assert record["cost_usd"] == pytest.approx(sum(call["cost_usd"] for call in record["calls"]))
        assert "response" not in record
        until = time.monotonic() + 5
        while 'undertow_self_checks_total{policy="auto"} 3.0' not in gateway.get("/metrics")[1].decode():
            assert time.monotonic() < until
            time.sleep(0.1)


def test_the_in_process_client_commits_too(tmp_path, upstream):
    write_calibration(calibration(prefix=prefix()), tmp_path / "calibration.json")
    config = tmp_path / "undertow.toml"
    config.write_text(settings_for(upstream.base_url, policy=policy("commit")))
    with undertow.Client(config, sink=tmp_path / "store", env=ENV) as client:
        began = time.monotonic()
        answer = client.chat.completions.create(**ASK)
        first_s, words = None, []
        for chunk in answer:
            text = getattr(chunk.choices[0].delta, "content", None) if chunk.choices else None
            if text:
                first_s = first_s or time.monotonic() - began
                words.append(text)
        whole_s = time.monotonic() - began
        client.flush()
    assert "".join(words) == CHEAP
    assert first_s < 0.5 * whole_s
