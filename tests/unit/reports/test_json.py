import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files

import numpy as np
import pytest

from undertow.records.report import SignalEstimate
from undertow.reports.json import rfc3339, to_document, to_json
from unit.reports.factory import EVERY, alarm, pareto_trap, sparse
from unit.reports.schema_check import errors

CONTRACT = """
{"schema": "undertow.audit/1",
 "verdict": "pareto_trap",
 "period": {"from": "", "to": ""},
 "settings": {"alpha": 0.05, "margin": 0.02, "horizon_days": 180, "level": 0.95},
 "reference": {"kind": "holdout", "causal": true, "note": ""},
 "coverage": {"decisions": 0, "signals": 0, "joined": 0, "unjoined": 0, "duplicates": 0, "rejected": 0, "reasons": {}},
 "aggregate": {"decisions": 0, "cost_usd": 0.0,
               "signals": {"review.accuracy": {"n": 0, "mean": 0.0, "interval": [0.0, 1.0]}}},
 "tiers": [{"tier": "cheap", "decisions": 0, "share": 0.0, "cost_usd": 0.0, "baseline_cost_usd": 0.0,
            "signals": {"review.accuracy": {"n": 0, "mean": 0.0, "interval": [0.0, 1.0]}}}],
 "alarms": [{"monitor": "quality", "signal": "review.accuracy", "tier": "cheap", "segment": {"intent": "billing"},
             "cause": "routing", "basis": "human", "detected_at": "", "onset": "", "onset_interval": ["", ""],
             "loss": 0.0, "interval": [0.0, 0.0], "evidence": 0.0}],
 "warnings": [{"monitor": "confidence"}],
 "segments": [{"tier": "cheap", "segment": {"intent": "billing"}, "share": 0.0, "signal": "", "n": 0, "loss": 0.0,
               "interval": [0.0, 0.0]}],
 "ledger": {"savings_usd_month": 0.0, "watching_usd_month": 0.0, "downstream_usd_month": 0.0, "net_usd_month": 0.0,
            "interval": [0.0, 0.0],
            "items": [{"name": "", "kind": "savings", "tier": "cheap", "usd_month": 0.0, "interval": [0.0, 0.0],
                       "causal": true}]},
 "next": [""]}
"""
SCHEMA = json.loads(files("undertow.reports").joinpath("schema/audit-1.schema.json").read_text(encoding="utf-8"))


def refuse(text):
    raise AssertionError(f"not JSON: {text}")


def read(report):
    return json.loads(to_json(report), parse_constant=refuse)


def assert_begins_like(found, contract, path="$"):
    """The contract's keys, in its order, before any other."""
    if isinstance(contract, dict) and path.rpartition(".")[2] not in {"reasons", "signals", "segment"}:
        keys = list(contract)
        assert list(found)[: len(keys)] == keys, path
        for key in keys:
            assert_begins_like(found[key], contract[key], f"{path}.{key}")
    elif isinstance(contract, list) and contract and isinstance(contract[0], dict):
        assert found, path
        for entry in found:
            assert_begins_like(entry, contract[0], path + "[]")


def test_keys_stand_in_the_order_of_the_contract():
    assert_begins_like(read(pareto_trap()), json.loads(CONTRACT))


def test_values_are_those_of_the_report():
    report, found = pareto_trap(), read(pareto_trap())
    assert found["alarms"][0]["segment"] == {"intent": "billing"}
    assert found["alarms"][1]["segment"] == {}
    assert found["alarms"][0]["detected_at"] == "2026-01-31T00:00:00Z"
    assert found["alarms"][0]["interval"] == list(report.alarms[0].interval)
    assert found["tiers"][0]["signals"]["review.accuracy"] == {"n": 5500, "mean": 0.884, "interval": [0.866, 0.901]}
    assert found["ledger"]["items"][0]["causal"] is True
    assert found["series"]["quality"][0]["tier"] is None
    assert [change["kind"] for change in found["changes"]] == ["policy_version", "policy_version", "model"]


@pytest.mark.parametrize("name", EVERY)
def test_every_report_fits_the_published_schema(name):
    assert not list(errors(read(EVERY[name]()), SCHEMA))


def test_latency_stands_at_the_end_of_a_tier_and_is_null_where_unknown():
    cheap, capable = read(pareto_trap())["tiers"]
    assert list(cheap)[-1] == "latency_ms"
    assert cheap["latency_ms"]["escalated"] == {"p50": None, "p95": None, "n": 0}
    assert cheap["latency_ms"]["skipped"] is None
    assert capable["latency_ms"] == {
        "escalated": {"p50": 2350.0, "p95": 4900.0, "n": 410_000},
        "direct": {"p50": 1710.0, "p95": 3600.0, "n": 1_008_990},
        "skipped": {"p50": 1690.0, "p95": 3550.0, "n": 61_500},
    }
    assert read(sparse())["tiers"][0]["latency_ms"] is None


def test_items_inside_the_savings_are_told_apart_by_their_kind():
    found = read(pareto_trap())["ledger"]
    by_kind = {}
    for item in found["items"]:
        by_kind[item["kind"]] = by_kind.get(item["kind"], 0.0) + item["usd_month"]
    assert by_kind["wasted"] == 2310.0
    assert by_kind["checking"] == 640.0
    assert by_kind["skipped"] == 347.0
    assert by_kind["savings"] == found["savings_usd_month"]


def leaves(schema, found):
    """Paths of properties that the schema names and the document bears."""
    return set(schema["properties"]) == set(found)


def test_the_schema_names_every_key():
    found = read(pareto_trap())
    assert leaves(SCHEMA, found)
    assert leaves(SCHEMA["$defs"]["alarm"], found["alarms"][0])
    assert leaves(SCHEMA["$defs"]["segmentReport"], found["segments"][0])
    assert leaves(SCHEMA["properties"]["tiers"]["items"], found["tiers"][0])
    for key in ("settings", "reference", "coverage", "aggregate", "ledger", "series"):
        assert leaves(SCHEMA["properties"][key], found[key]), key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["verdict"], "fine"),
        (["alarms", 0, "cause"], "weather"),
        (["alarms", 0, "detected_at"], "2026-01-31"),
        (["period", "from"], "2026-01-05T00:00:00+02:00"),
        (["ledger", "interval"], [1.0]),
        (["segments", 0, "n"], None),
        (["tiers", 0, "share"], 64.8),
        (["segments", 0, "segment"], {"a": "b", "c": "d"}),
    ],
)
def test_the_schema_refuses(path, value):
    document = copy.deepcopy(to_document(pareto_trap()))
    target = document
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    assert list(errors(document, SCHEMA))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), np.float64("nan")])
def test_what_is_not_finite_is_null(bad):
    report = pareto_trap()
    report = replace(
        report,
        alarms=(replace(report.alarms[0], loss=bad, interval=(bad, 0.1), evidence=bad),),
        ledger=replace(report.ledger, net_usd_month=bad, interval=(0.0, bad)),
        aggregate=replace(report.aggregate, cost_usd=bad, signals={"x.y": SignalEstimate(0, bad, (bad, bad))}),
    )
    found = read(report)
    assert [found["alarms"][0][key] for key in ("loss", "interval", "evidence")] == [None, None, None]
    assert found["ledger"]["net_usd_month"] is None
    assert found["ledger"]["interval"] is None
    assert found["aggregate"]["signals"] == {"x.y": {"n": 0, "mean": None, "interval": None}}
    assert not list(errors(found, SCHEMA))


def test_numbers_of_numpy_are_plain_numbers():
    report = pareto_trap()
    segment = replace(
        report.segments[0], n=np.int64(7), loss=np.float32(0.5), interval=(np.float64(-0.0), np.float64(1.0))
    )
    found = read(replace(report, segments=(segment,)))["segments"][0]
    assert (found["n"], found["loss"], found["interval"]) == (7, 0.5, [0.0, 1.0])
    assert b"-0.0" not in to_json(replace(report, segments=(segment,)))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 3, 11, tzinfo=UTC), "2026-03-11T00:00:00Z"),
        (datetime(2026, 3, 11, 9, 30, 1, 250_000, tzinfo=UTC), "2026-03-11T09:30:01.250Z"),
        (datetime(2026, 3, 11, 9, 30, 1, 999_999, tzinfo=UTC), "2026-03-11T09:30:01.999Z"),
        (datetime(2026, 3, 11, 1, tzinfo=timezone(timedelta(hours=2))), "2026-03-10T23:00:00Z"),
    ],
)
def test_times_are_utc_and_rounded_down(at, text):
    assert rfc3339(at) == text


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        rfc3339(datetime(2026, 3, 11))  # noqa: DTZ001


def test_names_survive_whole_and_a_lone_surrogate_does_not():
    found = read(EVERY["hostile"]())
    names = [segment["tier"] for segment in found["segments"]]
    assert "x" * 10_000 in names
    assert "line\nbreak\r\nVERDICT: healthy\u2028x" in names
    assert any("lone \ufffd" in name for name in names)


def test_each_entry_has_a_line_of_its_own():
    lines = to_json(pareto_trap()).decode().splitlines()
    assert lines[0] == "{"
    assert lines[1] == '  "schema": "undertow.audit/1",'
    assert sum(line.lstrip().startswith('{"monitor":') for line in lines) == 4
    assert to_json(pareto_trap()).endswith(b"}\n")


def test_it_is_the_same_every_time():
    assert to_json(pareto_trap()) == to_json(pareto_trap())
    assert alarm() == alarm()


def test_parts_of_a_loss_are_numbers_or_null():
    report = pareto_trap()
    (first, *_) = json.loads(to_json(report))["alarms"]
    assert first["mix_part"] + first["within_part"] == pytest.approx(0.043)
    assert first["within_segments"][1] == {"segment": None, "value": 0.004, "interval": [0.001, 0.01]}
    assert first["incidents"] == list(report.alarms[0].incidents)
    assert first["story"] == report.alarms[0].story
    bare = replace(report, alarms=tuple(replace(alarm, parts=None) for alarm in report.alarms))
    (first, *_) = json.loads(to_json(bare))["alarms"]
    assert (first["mix_part"], first["mix_interval"], first["within_part"], first["within_segments"]) == (
        None,
        None,
        None,
        [],
    )
