"""The whole reader against a slow, plain count of the same rows in Python."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs, source
from undertow.adapters.store.row_log import CALLS, RowLog
from undertow.errors import DataError, LogError
from undertow.ports.audit_source import AuditSource, CellOptions, OutcomeWindow
from undertow.records.cells import SELECTION_CODES, AuditCells
from undertow.records.segment import WHOLE, Segment
from undertow.records.watched import WatchingCall
from unit.adapters.duckdb.logs import START, as_dict, at, decision, read, signal, write_jsonl, write_parquet

Row = dict[str, object]


def make_log(seed: int, n: int = 300) -> tuple[list[Row], list[Row]]:
    """A log with everything in it: three arms, gaps, other origins, conversations of several decisions, late signals."""
    rng = random.Random(seed)
    decisions: list[Row] = []
    for i in range(n):
        hours = rng.randrange(0, 24 * 10 * 60) / 60
        tier = rng.choice(["cheap", "cheap", "capable", None])
        decisions.append(
            decision(
                i,
                hours,
                conversation_id=rng.choice([None, f"c{rng.randrange(60)}"]),
                user_id=rng.choice([None, f"u{rng.randrange(40)}"]),
                segment=rng.choice(
                    [
                        None,
                        {},
                        {"intent": rng.choice("abc")},
                        {"lang": "de", "intent": rng.choice("ab")},
                        {"lang": "😀 it's"},
                    ]
                ),
                origin=rng.choice(["live", "live", "live", None, "suite"]),
                arm=rng.choice(["treatment", "holdout", None]),
                eligible=rng.choice([True, False, None]),
                tier=tier,
                escalated=rng.choice([True, False, None]),
                status=rng.choice(["ok", "error", "refused", None]),
                confidence=rng.choice([None, 0.0, 1.0, round(rng.random(), 3)]),
                cost_usd=rng.choice([None, round(rng.random(), 5)]),
                baseline_cost_usd=rng.choice([None, round(rng.random(), 5)]),
                input_tokens=rng.choice([None, rng.randrange(1000)]),
                latency_ms=rng.choice([None, 10.0 * rng.random()]),
            )
        )
    signals: list[Row] = []
    for i in range(n):
        of = rng.choice(decisions)
        hours = (datetime.fromisoformat(str(of["event_time"])) - START).total_seconds() / 3600 + rng.randrange(0, 300)
        kind = rng.choice(["review", "shadow", "thumb", "outcome", "suite", "implicit"])
        row = signal(
            i,
            hours,
            kind=kind,
            name=rng.choice(["x", "y"]),
            value=rng.choice([0.0, 1.0, 0.25]) if kind != "outcome" else rng.choice([1.0, 12.5]),
            decision_id=rng.choice([of["decision_id"], of["decision_id"], None, "unknown"]),
            conversation_id=of["conversation_id"],
            user_id=of["user_id"] or "u0",
            inclusion_probability=rng.choice([0.5, 0.1, 1.0]) if kind in {"review", "shadow", "suite"} else None,
            received_at=rng.choice([None, at(hours + 50)]),
            reference_value=rng.choice([1.0, 0.5, 0.0]) if kind == "shadow" else None,
            source=rng.choice([None, "Judge:v1", "exact match", "user"]),
        )
        signals.append(row)
    return decisions, signals


def day(time: datetime) -> int:
    return int(time.timestamp() // 86_400)


def moment(row: Row, name: str = "event_time") -> datetime:
    return datetime.fromisoformat(str(row[name]))


def segments_of(row: Row, cells: AuditCells) -> list[int]:
    labels = row.get("segment") or {}
    assert isinstance(labels, dict)
    return [0, *(cells.segments.index(Segment(key, value)) for key, value in labels.items())]


def tier_of(row: Row, cells: AuditCells) -> int:
    return -1 if row["tier"] is None else cells.tiers.index(str(row["tier"]))


def arm_of(row: Row) -> int:
    return {"treatment": 0, "holdout": 1, None: -1}[row["arm"]]  # type: ignore[index]


def eligible_of(row: Row) -> int:
    return {True: 1, False: 0, None: -1}[row["eligible"]]  # type: ignore[index]


def is_live(row: Row) -> bool:
    return row["origin"] in (None, "live")


def close(found: Mapping[Any, tuple[float, ...]], expected: Mapping[Any, list[float]]) -> None:
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(tuple(values), rel=1e-12, abs=1e-12), key


@pytest.fixture(scope="module", params=["parquet", "jsonl", "mixed"])
def audited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Row], list[Row], AuditCells]:
    decisions, signals = make_log(7)
    folder = tmp_path_factory.mktemp(request.param)
    writers: dict[str, Callable[[Path, list[Row]], Path]] = {".parquet": write_parquet, ".jsonl": write_jsonl}
    endings = {"parquet": (".parquet", ".parquet"), "jsonl": (".jsonl", ".jsonl"), "mixed": (".parquet", ".jsonl")}
    first, second = endings[request.param]
    half = len(decisions) // 2
    writers[first](folder / "decisions" / f"a{first}", decisions[:half])
    writers[second](folder / "decisions" / f"b{second}", decisions[half:])
    writers[second](folder / "signals" / f"a{second}", signals)
    return decisions, signals, read(folder)


def test_is_an_audit_source() -> None:
    source: AuditSource = DuckDbAuditSource(LogInputs(("x",)))
    assert callable(source.cells)


def test_traffic(audited: tuple[list[Row], list[Row], AuditCells]) -> None:
    decisions, _, cells = audited
    expected: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0] * 14)
    for row in filter(is_live, decisions):
        cost, base = row["cost_usd"], row["baseline_cost_usd"]
        paired = cost is not None and base is not None
        values = [
            1,
            row["escalated"] is True,
            row["tier"] is None or row["status"] in ("error", "refused"),
            cost is not None,
            cost or 0,
            paired,
            cost if paired else 0,
            base if paired else 0,
            (base - cost) ** 2 if paired else 0,  # type: ignore[operator]
            row["input_tokens"] or 0,
            row["output_tokens"] or 0,
            row["latency_ms"] or 0,
            row["latency_ms"] is not None,
        ]
        for segment in segments_of(row, cells):
            key = (day(moment(row)), tier_of(row, cells), segment, arm_of(row), eligible_of(row))
            expected[key] = [total + float(value) for total, value in zip(expected[key], values, strict=False)]  # type: ignore[arg-type]
    names = tuple(field.name for field in fields(cells.traffic))
    close(as_dict(cells.traffic, names[:5], names[5:]), expected)
    assert cells.segments[0] == WHOLE
    assert list(cells.segments[1:]) == sorted(cells.segments[1:])
    assert cells.tiers == ("cheap", "capable")


def test_confidence_histogram(audited: tuple[list[Row], list[Row], AuditCells]) -> None:
    decisions, _, cells = audited
    expected: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in filter(is_live, decisions):
        confidence = row["confidence"]
        if confidence is None:
            continue
        assert isinstance(confidence, float)
        for segment in segments_of(row, cells):
            key = (day(moment(row)), tier_of(row, cells), segment, min(int(confidence * 40), 39))
            expected[key] = [a + b for a, b in zip(expected[key], (1, confidence, confidence**2), strict=True)]
    close(as_dict(cells.confidence, ("bucket", "tier", "segment", "bin"), ("n", "total", "total_sq")), expected)
    assert cells.confidence_column == "confidence"


def attach(row: Row, decisions: list[Row], *, window_days: float | None) -> Row | None:
    """The decision of a signal by the rules in `joins`, written plainly."""
    if row["decision_id"] is not None:
        return next((d for d in decisions if d["decision_id"] == row["decision_id"]), None)
    key = "conversation_id" if row["conversation_id"] is not None else "user_id"
    latest = None
    for candidate in filter(is_live, decisions):
        if candidate[key] != row[key] or moment(candidate) > moment(row) + timedelta(minutes=5):
            continue
        if latest is None or moment(candidate) > moment(latest):
            latest = candidate
    if latest is not None and window_days is not None and moment(row) - moment(latest) > timedelta(days=window_days):
        return None
    return latest


def basis_of(row: Row) -> int:
    source = str(row["source"] or "").lower()
    if source.startswith("exact"):
        return 1
    if source.startswith("judge"):
        return 2
    if source.startswith("user"):
        return 0
    return {"review": 0, "thumb": 0, "shadow": 2, "suite": 1}.get(str(row["kind"]), 3)


def test_labels(audited: tuple[list[Row], list[Row], AuditCells]) -> None:
    decisions, signals, cells = audited
    expected: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0] * 17)
    largest: dict[tuple[int, ...], float] = defaultdict(float)
    largest_pair: dict[tuple[int, ...], float] = defaultdict(float)
    selections = {
        "review": "sampled",
        "shadow": "sampled",
        "suite": "sampled",
        "thumb": "volunteered",
        "implicit": "census",
    }
    usable: list[tuple[Row, Row]] = []
    drawn: dict[tuple[object, ...], set[float]] = defaultdict(set)
    for row in signals:
        of = attach(row, decisions, window_days=None)
        if of is not None and row["kind"] != "outcome" and (is_live(of) or row["kind"] == "suite"):
            usable.append((row, of))
            drawn[row["kind"], row["name"], day(moment(of)), of["tier"], of["arm"]].add(
                row["inclusion_probability"] or 1.0
            )  # type: ignore[arg-type]
    for row, of in usable:
        kind = str(row["kind"])
        y = 1 - float(row["value"])  # type: ignore[arg-type]
        p = row["inclusion_probability"] or 1.0
        assert isinstance(p, float)
        w = 1 / p
        classes = sorted(drawn[kind, row["name"], day(moment(of)), of["tier"], of["arm"]], reverse=True)
        stratum = classes.index(p) if selections[kind] == "sampled" else 0
        reference = row["reference_value"]
        d = None if reference is None else float(reference) - float(row["value"])  # type: ignore[arg-type]
        up, down = max(d or 0.0, 0.0), max(-(d or 0.0), 0.0)
        values = [1, y, y * y, w, w * w, w * y, (w * y) ** 2, w * w * y, d is not None, up, down, (d or 0) ** 2, w * (d or 0), (w * (d or 0)) ** 2, w * (d is not None), w * up]  # fmt: skip
        available = max(moment(row), moment(of), moment(row, "received_at") if row["received_at"] else moment(row))
        for segment in segments_of(of, cells):
            key = (
                day(available), day(moment(of)), tier_of(of, cells), segment, arm_of(of), eligible_of(of),
                cells.signals.index(f"{kind}.{row['name']}"), SELECTION_CODES.index(selections[kind]), basis_of(row), stratum, 0,
            )  # fmt: skip
            expected[key] = [a + float(b) for a, b in zip(expected[key], values, strict=False)]
            largest[key] = max(largest[key], w)
            if d is not None:
                largest_pair[key] = max(largest_pair[key], w)
    names = tuple(field.name for field in fields(cells.labels))
    sums = tuple(name for name in names[11:] if name not in {"weight_max", "pair_weight_max"})
    close(as_dict(cells.labels, names[:11], sums), expected)
    close(as_dict(cells.labels, names[:11], ("weight_max",)), {key: [value] for key, value in largest.items()})
    pairs = {key: [largest_pair.get(key, 0.0)] for key in largest}
    close(as_dict(cells.labels, names[:11], ("pair_weight_max",)), pairs)


def test_calibration_counts_every_label_with_a_confidence(audited: tuple[list[Row], list[Row], AuditCells]) -> None:
    decisions, signals, cells = audited
    expected: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in signals:
        of = attach(row, decisions, window_days=None)
        if (
            of is None
            or row["kind"] == "outcome"
            or not (is_live(of) or row["kind"] == "suite")
            or of["confidence"] is None
        ):
            continue
        failed = 1 - float(row["value"])  # type: ignore[arg-type]
        if row["reference_value"] is not None:
            failed = max(0.0, float(row["reference_value"]) - float(row["value"]))  # type: ignore[arg-type]
        available = max(moment(row), moment(of), moment(row, "received_at") if row["received_at"] else moment(row))
        confidence = float(of["confidence"])  # type: ignore[arg-type]
        signal_code = cells.signals.index(f"{row['kind']}.{row['name']}")
        key = (day(available), tier_of(of, cells), signal_code, min(int(confidence * 40), 39))
        expected[key] = [expected[key][0] + 1, expected[key][1] + failed]
    close(as_dict(cells.calibration, ("bucket", "tier", "signal", "bin"), ("n", "failures")), expected)


def test_outcomes_and_exposure(audited: tuple[list[Row], list[Row], AuditCells]) -> None:
    decisions, signals, cells = audited
    expected: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in signals:
        of = attach(row, decisions, window_days=14)
        if row["kind"] != "outcome" or of is None or not is_live(of):
            continue
        available = max(moment(row), moment(of), moment(row, "received_at") if row["received_at"] else moment(row))
        key = (
            cells.outcome_names.index(str(row["name"])),
            day(moment(of)),
            day(available),
            arm_of(of),
            tier_of(of, cells),
        )
        expected[key] = [expected[key][0] + 1, expected[key][1] + float(row["value"])]  # type: ignore[arg-type]
    found: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    o = cells.outcomes
    for name, bucket, available, arm, tier, events, value in zip(
        o.name, o.bucket, o.available, o.arm, o.tier, o.events, o.value, strict=True
    ):
        key = (int(name), int(bucket), int(available), int(arm), int(tier))
        found[key] = [found[key][0] + float(events), found[key][1] + float(value)]
    close({key: tuple(values) for key, values in found.items()}, expected)
    exposed = cells.exposure
    assert int(exposed.decisions.sum()) == sum(map(is_live, decisions))
    # An event falls into the cluster of its decision: every outcome cell has its denominator.
    denominators = set(zip(exposed.bucket, exposed.arm, exposed.tier, exposed.cluster, strict=True))
    assert set(zip(o.bucket, o.arm, o.tier, o.cluster, strict=True)) <= denominators
    assert exposed.cluster.min() >= 0
    assert exposed.cluster.max() < 1024


def test_coverage_adds_up(audited: tuple[list[Row], list[Row], AuditCells]) -> None:
    decisions, signals, cells = audited
    coverage = cells.coverage
    assert coverage.decisions == len(decisions)
    assert coverage.signals + coverage.reasons.get("signal_before_decision", 0) == len(signals)
    assert coverage.joined + coverage.unjoined == coverage.signals
    joined = [attach(row, decisions, window_days=14 if row["kind"] == "outcome" else None) for row in signals]
    assert coverage.joined == sum(of is not None for of in joined)
    assert coverage.duplicates == 0


def same_cells(first: AuditCells, second: AuditCells) -> None:
    for field in fields(AuditCells):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if hasattr(a, "take"):
            for column in fields(a):
                np.testing.assert_allclose(
                    getattr(a, column.name), getattr(b, column.name), rtol=1e-12, err_msg=f"{field.name}.{column.name}"
                )
        elif field.name != "coverage":
            assert a == b, field.name


def test_cells_do_not_depend_on_threads_order_or_format(tmp_path: Path) -> None:
    decisions, signals = make_log(3)
    write_parquet(tmp_path / "one" / "decisions.parquet", decisions)
    write_parquet(tmp_path / "one" / "signals.parquet", signals)
    shuffled = random.Random(1).sample(decisions, len(decisions))
    write_jsonl(tmp_path / "two" / "decisions" / "x.jsonl", shuffled)
    write_jsonl(tmp_path / "two" / "signals" / "x.jsonl", signals[::-1])
    one = DuckDbAuditSource(LogInputs((str(tmp_path / "one"),)), threads=1).cells(CellOptions())
    two = DuckDbAuditSource(LogInputs((str(tmp_path / "two"),)), threads=4).cells(CellOptions())
    same_cells(one, two)


@pytest.mark.parametrize("bucket_s", [86_400, 3_600])
def test_a_log_cut_off_at_a_bucket_gives_the_cells_of_the_whole_log_before_it(tmp_path: Path, bucket_s: int) -> None:
    decisions, signals = make_log(11)
    # A conflicting copy later than the cut must not change what was counted before it.
    decisions.append(decision(0, 24 * 9, tier="capable"))
    write_parquet(tmp_path / "decisions.parquet", decisions)
    write_parquet(tmp_path / "signals.parquet", signals)
    cut = START + timedelta(days=5)
    whole = read(tmp_path, options=CellOptions(bucket_s=bucket_s))
    before = read(tmp_path, options=CellOptions(bucket_s=bucket_s, until=cut))
    limit = int(cut.timestamp() // bucket_s)

    def named(cells: AuditCells, kind: str) -> dict[tuple[object, ...], tuple[float, ...]]:
        table = getattr(cells, kind)
        time = "available" if kind in {"labels", "outcomes"} else "bucket"
        kept = table.take(getattr(table, time) < limit)
        names = [field.name for field in fields(table)]
        vocabularies = {"segment": cells.segments, "signal": cells.signals, "name": cells.outcome_names}
        # A stratum is a rank within its day, so a label that arrives after the cut may renumber it.
        codes = [n for n in names if getattr(table, n).dtype == np.int64 and n not in {"n", "decisions", "stratum"}]
        names = [n for n in names if n not in {"stratum", "weight_max"}]
        result: dict[tuple[object, ...], tuple[float, ...]] = {}
        for i in range(len(kept)):
            key = tuple(
                vocabularies[n][int(getattr(kept, n)[i])] if n in vocabularies else int(getattr(kept, n)[i])
                for n in codes
            )
            values = [float(getattr(kept, n)[i]) for n in names if n not in codes]
            result[key] = tuple(map(sum, zip(result.get(key, [0.0] * len(values)), values, strict=True)))
        return result

    for kind in ("traffic", "confidence", "labels", "calibration", "outcomes", "exposure", "models"):
        close(named(before, kind), {key: list(values) for key, values in named(whole, kind).items()})
        assert len(getattr(before, kind)), kind
    assert before.last_event < cut.timestamp()
    assert before.last_available < cut.timestamp()


def test_tiers_come_from_models_where_the_log_has_none(tmp_path: Path) -> None:
    rows = [decision(i, tier=None, model=model) for i, model in enumerate(["mini-7b", "grand-1", "other"])]
    options = CellOptions(tier_models={"cheap": ("mini*",), "capable": ("grand-?",)})
    cells = read(write_parquet(tmp_path / "d.parquet", rows), options=options)
    whole = cells.traffic.take(cells.traffic.segment == 0)
    assert dict(zip(whole.tier.tolist(), whole.decisions.tolist(), strict=True)) == {-1: 1, 0: 1, 1: 1}
    assert cells.coverage.tier_source == "mapped"


def test_score_stands_in_for_confidence_over_its_own_range(tmp_path: Path) -> None:
    rows = [decision(i, confidence=None, score=score) for i, score in enumerate([-2.0, 0.0, 2.0])]
    cells = read(write_parquet(tmp_path / "d.parquet", rows))
    assert (cells.confidence_column, cells.confidence_range) == ("score", (-2.0, 2.0))
    whole = cells.confidence.take(cells.confidence.segment == 0)
    assert whole.bin.tolist() == [0, 20, 39]
    assert whole.total.tolist() == [-2.0, 0.0, 2.0]


def test_outcome_windows_are_those_of_the_options(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1)])
    event = {"event_time": at(24 * 10), "user_id": "u1", "name": "churn", "value": 1}
    outcomes = write_jsonl(tmp_path / "o.jsonl", [event])
    near = read(
        log, outcomes=(str(outcomes),), options=CellOptions(outcomes=(OutcomeWindow("churn", attribution_days=9),))
    )
    far = read(
        log, outcomes=(str(outcomes),), options=CellOptions(outcomes=(OutcomeWindow("churn", attribution_days=11),))
    )
    assert (near.coverage.joined, near.coverage.reasons["outside_attribution_window"]) == (0, 1)
    assert (far.coverage.joined, far.outcomes.events.tolist()) == (1, [1.0])


def test_no_live_traffic_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 1 decisions is live traffic"):
        read(write_jsonl(tmp_path / "d.jsonl", [decision(1, origin="suite")]))
    with pytest.raises(DataError, match="no usable decision in the log; most were set aside as `bad_event_time`"):
        read(write_jsonl(tmp_path / "e.jsonl", [decision(1, event_time="yesterday")]))


def test_progress_is_told(tmp_path: Path) -> None:
    stages: list[str] = []
    source = DuckDbAuditSource(LogInputs((str(write_jsonl(tmp_path / "d.jsonl", [decision(1)])),)), threads=1)
    source.cells(CellOptions(), lambda stage, _done, _total: stages.append(stage))
    assert stages[0] == "opening the log"
    assert "joining signals" in stages


def test_import_reasons_are_added(tmp_path: Path) -> None:
    log = write_jsonl(tmp_path / "d.jsonl", [decision(1), {"no": "id"}])
    coverage = read(log, import_reasons={"no_usage": 3}, notes=("from an importer",)).coverage
    assert coverage.reasons == {"missing_decision_id": 1, "missing_event_time": 1, "no_usage": 3}
    assert coverage.rejected == 4
    assert "from an importer" in coverage.notes


def test_a_segment_that_is_converted_between_finding_and_reading_is_read_as_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = write_jsonl(tmp_path / "decisions" / "open" / "a.jsonl", [decision(1), decision(2)])
    open_tables = source.open_tables

    def converts_first(*given: Any) -> Any:
        if segment.exists():
            write_parquet(tmp_path / "decisions" / "date=2026-03-01" / "a.parquet", [decision(1), decision(2)])
            segment.unlink()
        return open_tables(*given)

    monkeypatch.setattr(source, "open_tables", converts_first)
    assert read(tmp_path).coverage.decisions == 2


def test_files_that_keep_vanishing_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*given: Any) -> Any:
        raise FileNotFoundError(2, "gone", "a.jsonl")

    write_jsonl(tmp_path / "a.jsonl", [decision(1)])
    monkeypatch.setattr(source, "open_tables", gone)
    with pytest.raises(LogError, match=r"a\.jsonl: was removed while the log was read"):
        read(tmp_path)


def test_calls_beside_a_stores_log_are_read_with_it(tmp_path):
    (tmp_path / "decisions").mkdir()
    write_jsonl(tmp_path / "decisions" / "log.jsonl", [decision(i, tier="cheap") for i in range(3)])
    calls = RowLog(tmp_path, CALLS, "keeper")
    row = WatchingCall(decision_id="d1", at=at(2.0), purpose="shadow", tier="capable", cost_usd=0.25)
    calls.append(row, row)
    calls.close()
    (segment,) = (tmp_path / CALLS).iterdir()
    segment.write_bytes(segment.read_bytes() + b"nonsense\n")
    cells = read(tmp_path)
    assert (cells.watching.calls.tolist(), cells.watching.cost_usd.tolist()) == ([2], [0.5])
    assert len(cells.calls) == 0
    assert cells.coverage.reasons == {"broken_watching_call": 1}
