import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from undertow.gateway.tallies import (
    LATENCY_BUCKETS_S,
    SEPARATOR,
    Beside,
    Distribution,
    Gauges,
    InForce,
    Snapshot,
    Tallies,
    merge,
    read_snapshots,
    write_snapshot,
)
from undertow.records.decision import Call, DecisionRecord
from undertow.records.sampling import Drawn


def record(**fields):
    return DecisionRecord(decision_id="d", event_time="t", **fields)


def rounded(value):
    """Plain values, sums of floats to a millionth: they depend on the order of adding."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return rounded(msgspec.to_builtins(value)) if isinstance(value, msgspec.Struct) else value


records = st.lists(
    st.builds(
        record,
        tier=st.sampled_from(["cheap", "capable", None]),
        status=st.sampled_from(["ok", "error"]),
        reason=st.sampled_from(["confident", "unsure"]),
        escalated=st.booleans(),
        latency_ms=st.none() | st.integers(0, 400_000),
        confidence=st.none() | st.sampled_from([0.0, 0.5, 0.875, 1.0]),
        calls=st.none() | st.just((Call(tier="cheap", cost_usd=0.25, status="discarded"), Call(tier="capable", cost_usd=0.5))),
    ),
    max_size=20,
)  # fmt: skip


@given(records, st.integers(0, 20))
def test_tallies_of_parts_add_up_to_those_of_the_whole(rows, cut):
    whole, left, right = Tallies(), Tallies(), Tallies()
    for place, row in enumerate(rows):
        whole.add(row)
        (left if place < cut else right).add(row)
    parts = [json.loads(msgspec.json.encode(tallies.snapshot())) for tallies in (left, right)]
    merged = merge([msgspec.convert(part, Snapshot) for part in parts], alive_since=0.0)
    expected = merge([whole.snapshot()], alive_since=0.0)
    assert rounded(merged) == rounded(expected)


def test_a_value_on_a_bound_falls_below_it():
    distribution = Distribution([0] * (len(LATENCY_BUCKETS_S) + 1))
    distribution.add(LATENCY_BUCKETS_S, 0.1)
    distribution.add(LATENCY_BUCKETS_S, 1e9)
    assert distribution.counts[1] == 1
    assert distribution.counts[-1] == 1


def test_costs_are_served_or_wasted():
    tallies = Tallies()
    calls = (Call(tier="cheap", cost_usd=0.25, status="discarded"), Call(tier="capable", cost_usd=0.5, input_tokens=3))
    tallies.add(record(tier="capable", calls=calls))
    found = tallies.snapshot().calls
    assert found[f"cheap{SEPARATOR}discarded"].wasted_usd == 0.25
    assert found[f"capable{SEPARATOR}ok"].served_usd == 0.5
    assert found[f"capable{SEPARATOR}ok"].input_tokens == 3


def test_what_a_policy_had_done_beside_asking_is_counted_by_policy():
    tallies = Tallies()
    calls = (
        Call(tier="cheap", cost_usd=0.25),
        Call(tier="cheap", purpose="self_check", cost_usd=0.125),
        Call(tier="cheap", purpose="classify", cost_usd=0.125),
        Call(tier="capable", purpose="race", status="cancelled", cost_usd=0.5),
    )
    tallies.add(record(tier="cheap", policy="auto", calls=calls))
    tallies.add(record(tier="capable", policy="auto", calls=(Call(tier="capable", purpose="race", cost_usd=0.5),)))
    tallies.add(record(tier="cheap", policy="auto", committed_tokens=20, calls=(Call(tier="cheap"),)))
    found = tallies.snapshot()
    assert found.beside == {"auto": Beside(commits=1, races=2, races_cancelled=1, self_checks=1)}
    cheap, capable = found.calls[f"cheap{SEPARATOR}ok"], found.calls[f"capable{SEPARATOR}ok"]
    assert (cheap.served_usd, cheap.wasted_usd, cheap.checking_usd) == (0.25, 0.0, 0.25)
    assert capable.served_usd == 0.5, "a race that was won has served"
    assert found.calls[f"capable{SEPARATOR}cancelled"].wasted_usd == 0.5
    twice = merge([found, found], alive_since=0.0)
    assert twice.beside["auto"].races == 4


def test_of_thresholds_that_workers_see_differently_the_stricter_one_is_shown():
    alive = Gauges(at=100.0)
    one = Snapshot(gauges=alive, in_force={"a": InForce(0.8), "b": InForce(0.8, is_void=True), "c": InForce(None)})
    two = Snapshot(gauges=alive, in_force={"a": InForce(0.9), "b": InForce(0.8, is_suspect=True), "c": InForce(0.5)})
    gone = Snapshot(gauges=Gauges(at=10.0), in_force={"a": InForce(1.0), "old": InForce(0.1)})
    assert merge([one, two, gone], alive_since=95.0).in_force == {
        "a": InForce(0.9),
        "b": InForce(0.8, is_void=True, is_suspect=True),
        "c": InForce(None),
    }


def test_gauges_of_the_dead_do_not_count_but_what_they_lost_does():
    dead = Snapshot(gauges=Gauges(at=10.0, in_flight=5, log_lost=2))
    alive = Snapshot(gauges=Gauges(at=100.0, in_flight=1, log_lost=1))
    merged = merge([dead, alive], alive_since=95.0)
    assert (merged.gauges.in_flight, merged.gauges.log_lost) == (1, 3)


def test_files_that_are_none_are_left_out(tmp_path):
    write_snapshot(Snapshot(turns_dropped=4), tmp_path / "worker-1.json")
    (tmp_path / "worker-2.json").write_bytes(b"{")
    (tmp_path / "worker-3.new").write_bytes(b"half")
    assert [found.turns_dropped for found in read_snapshots(tmp_path)] == [4]
    assert read_snapshots(tmp_path / "nowhere") == []


def test_a_full_disk_costs_metrics_and_no_request(tmp_path):
    write_snapshot(Snapshot(), tmp_path / "no-such-folder" / "worker.json")


def test_draws_lost_texts_and_shed_requests_add_up():
    tallies = Tallies()
    for chosen in (True, False, False):
        tallies.add(record(draws=(Drawn("review", "tail", 0.5, chosen), Drawn("shadow", "tail", 0.5, not chosen))))
    tallies.add_lost_text("disk")
    tallies.shadows_shed += 3
    found = msgspec.json.decode(msgspec.json.encode(tallies.snapshot()), type=Snapshot)
    twice = merge([found, found], alive_since=0.0)
    assert twice.draws == {
        f"review{SEPARATOR}yes": 2, f"review{SEPARATOR}no": 4, f"shadow{SEPARATOR}yes": 4, f"shadow{SEPARATOR}no": 2,
    }  # fmt: skip
    assert (twice.texts_lost, twice.shadows_shed) == ({"disk": 2}, 6)
