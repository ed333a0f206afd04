"""Every row of the table of rules, in both formats where both can hold the value."""

import json
import math
from pathlib import Path

import pytest

from undertow.errors import DataError
from undertow.records.cells import SELECTION_CODES, Coverage
from unit.adapters.duckdb.logs import at, decision, read, signal, write_jsonl, write_parquet

WRITERS = pytest.mark.parametrize("write", [write_parquet, write_jsonl])


def coverage_of(write: object, folder: Path, *bad: dict[str, object]) -> Coverage:
    ending = "parquet" if write is write_parquet else "jsonl"
    return read(write(folder / f"d.{ending}", [decision(1), *bad])).coverage  # type: ignore[operator]


@WRITERS
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"cost_usd": -0.01}, "negative_cost_usd"),
        ({"baseline_cost_usd": -1.0}, "negative_baseline_cost_usd"),
        ({"cost_usd": math.nan}, "not_finite_cost_usd"),
        ({"latency_ms": math.inf}, "not_finite_latency_ms"),
        ({"latency_ms": -5.0}, "negative_latency_ms"),
        ({"input_tokens": -1}, "negative_input_tokens"),
        ({"confidence": 1.2}, "out_of_range_confidence"),
        ({"confidence": -math.inf}, "not_finite_confidence"),
        ({"threshold": -0.1}, "out_of_range_threshold"),
        ({"propensity": 0.0}, "out_of_range_propensity"),
        ({"arm_probability": 1.5}, "out_of_range_arm_probability"),
        ({"arm": "control"}, "unknown_arm"),
        ({"mode": "watch"}, "unknown_mode"),
        ({"status": "success"}, "unknown_status"),
        ({"confidence_kind": "guess"}, "unknown_confidence_kind"),
        ({"score": math.nan}, "not_finite_score"),
    ],
)
def test_a_bad_value_becomes_null_and_is_counted(
    write: object, tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    coverage = coverage_of(write, tmp_path, decision(2, **values))
    assert coverage.reasons == {reason: 1}
    assert (coverage.decisions, coverage.rejected) == (2, 0)


@WRITERS
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"decision_id": None}, "missing_decision_id"),
        ({"decision_id": ""}, "missing_decision_id"),
        ({"event_time": None}, "missing_event_time"),
        ({"event_time": "1970-01-01T00:00:01Z"}, "bad_event_time"),
        ({"event_time": "infinity"}, "bad_event_time"),
        ({"origin": "shadow"}, "unknown_origin"),
    ],
)
def test_a_row_without_what_it_needs_is_set_aside(
    write: object, tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    coverage = coverage_of(write, tmp_path, decision(2, **values))
    assert coverage.reasons == {reason: 1}
    assert (coverage.decisions, coverage.rejected) == (1, 1)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"event_time": "yesterday"}, "bad_event_time"),
        ({"event_time": {"at": 1}}, "bad_event_time"),
        ({"cost_usd": "a lot"}, "not_a_number_cost_usd"),
        ({"input_tokens": [1]}, "not_a_number_input_tokens"),
        ({"escalated": "perhaps"}, "bad_escalated"),
        ({"segment": "billing"}, "bad_segment"),
    ],
)
def test_values_of_the_wrong_type_in_json(tmp_path: Path, values: dict[str, object], reason: str) -> None:
    assert coverage_of(write_jsonl, tmp_path, decision(2, **values)).reasons == {reason: 1}


def test_lines_that_are_no_objects(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    path.write_bytes(
        path.read_bytes() + b"not json\n[1, 2]\n\n   \n42\n\xff\xff\n" + json.dumps(decision(2)).encode() + b"\n"
    )
    coverage = read(path).coverage
    assert coverage.reasons == {"bad_json": 3, "not_utf8": 1}
    assert (coverage.decisions, coverage.rejected) == (2, 4)


def test_nulled_values_leave_the_sums(tmp_path: Path) -> None:
    rows = [decision(1, cost_usd=0.5), decision(2, cost_usd=-3.0), decision(3, cost_usd=math.nan)]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    whole = cells.traffic.take(cells.traffic.segment == 0)
    assert (whole.decisions.tolist(), whole.cost_n.tolist(), whole.cost_usd.tolist()) == ([3], [1], [0.5])
    assert whole.paired_cost_n.tolist() == [1]


def test_no_tier_is_no_rejection(tmp_path: Path) -> None:
    cells = read(write_parquet(tmp_path / "d.parquet", [decision(1), decision(2, tier=None)]))
    assert cells.coverage.reasons == {}
    whole = cells.traffic.take(cells.traffic.segment == 0)
    assert whole.tier.tolist() == [-1, 0]
    assert whole.errors.tolist() == [1, 0]


@WRITERS
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"signal_id": None}, "missing_signal_id"),
        ({"event_time": None}, "missing_event_time"),
        ({"decision_id": None}, "no_join_key"),
        ({"kind": None}, "missing_kind"),
        ({"kind": "vote"}, "unknown_kind"),
        ({"name": ""}, "missing_name"),
        ({"value": None}, "missing_value"),
        ({"value": math.nan}, "not_finite_value"),
        ({"value": 1.01}, "out_of_range_value"),
        ({"value": -0.5, "kind": "thumb"}, "out_of_range_value"),
        ({"inclusion_probability": 0.0}, "out_of_range_inclusion_probability"),
        ({"inclusion_probability": 1.5}, "out_of_range_inclusion_probability"),
        ({"inclusion_probability": math.nan}, "not_finite_inclusion_probability"),
        ({"inclusion_probability": None, "selection": "sampled"}, "missing_inclusion_probability"),
        ({"event_time": at(-1)}, "signal_before_decision"),
    ],
)
def test_signals_that_are_set_aside(write: object, tmp_path: Path, values: dict[str, object], reason: str) -> None:
    ending = "parquet" if write is write_parquet else "jsonl"
    log = write(tmp_path / f"decisions.{ending}", [decision(1), decision(2)])  # type: ignore[operator]
    signals = write(tmp_path / f"x.{ending}", [signal(1), signal(2) | values])  # type: ignore[operator]
    coverage = read(log, signals=(str(signals),)).coverage
    assert coverage.reasons == {reason: 1}
    assert (coverage.signals, coverage.joined, coverage.rejected) == (1, 1, 1)


@WRITERS
@pytest.mark.parametrize(
    ("values", "reason", "selection"),
    [
        ({"inclusion_probability": None}, "selection_unknown", "unknown"),
        ({"selection": "cherry-picked"}, "unknown_selection", "unknown"),
        ({"reference_value": 7.0}, "out_of_range_reference_value", "sampled"),
        ({"kind": "thumb"}, None, "volunteered"),
        ({"kind": "implicit", "inclusion_probability": None}, None, "census"),
        ({"selection": "census"}, None, "census"),
        ({"event_time": at(-0.05)}, "signal_clock_skew", "sampled"),
    ],
)
def test_signals_that_are_kept(
    write: object, tmp_path: Path, values: dict[str, object], reason: str | None, selection: str
) -> None:
    ending = "parquet" if write is write_parquet else "jsonl"
    log = write(tmp_path / f"decisions.{ending}", [decision(2)])  # type: ignore[operator]
    signals = write(tmp_path / f"x.{ending}", [signal(2) | {"selection": None} | values])  # type: ignore[operator]
    cells = read(log, signals=(str(signals),))
    assert cells.coverage.reasons == ({} if reason is None else {reason: 1})
    assert (cells.coverage.signals, cells.coverage.rejected) == (1, 0)
    assert {SELECTION_CODES[code] for code in cells.labels.selection} == {selection}
    assert set(cells.labels.weight) == ({2.0} if selection == "sampled" else {1.0})


def test_outcome_files_may_lack_id_and_kind(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    event = {"event_time": at(5), "user_id": "u1", "name": "ticket", "value": 1}
    outcomes = write_jsonl(tmp_path / "o.jsonl", [event, event, event | {"value": 2}])
    cells = read(log, outcomes=(str(outcomes),))
    assert cells.outcome_names == ("ticket",)
    assert (cells.coverage.joined, cells.coverage.duplicates) == (2, 1)
    assert float(cells.outcomes.value.sum()) == 3.0


def test_a_row_wrong_in_two_ways_counts_under_both_but_once_as_rejected(tmp_path: Path) -> None:
    coverage = coverage_of(write_jsonl, tmp_path, decision(2, cost_usd=-1, arm="x", decision_id=None))
    assert coverage.reasons == {"missing_decision_id": 1, "negative_cost_usd": 1, "unknown_arm": 1}
    assert coverage.rejected == 1


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="set aside as `missing_decision_id`"):
        read(write_jsonl(tmp_path / "d.jsonl", [decision(1, decision_id=""), decision(2, decision_id="")]))
