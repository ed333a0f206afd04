"""What must not change an audit: how rows are split and ordered, names' order, the scale of weights, and the future."""

from dataclasses import fields, is_dataclass, replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cells_factory import DAY, FIRST, build, labels, served, whole_numbers
from undertow.estimators.loss import loss_estimate
from undertow.estimators.periods import find_periods
from undertow.records.cells import AuditCells, Table
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.audit import audit
from undertow.services.evidence import Evidence, gather

PRE, ROUTED, LATE = 12, 30, 34
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
logs = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**20),
        "holdout": st.booleans(),
        "pairs": st.booleans(),
        "tail": st.booleans(),
        "rate": st.sampled_from([0.02, 0.08, 0.3]),
        "delay": st.integers(0, 5),
        "history": st.booleans(),
        "late": st.sampled_from([None, "segment", "holdout", "pairs", "tail"]),
        "tiers": st.sampled_from([("cheap", "capable"), ("cheap", "middle", "capable")]),
    }
)


def make(
    *,
    seed: int,
    holdout: bool = True,
    pairs: bool = False,
    tail: bool = False,
    rate: float = 0.3,
    delay: int = 0,
    history: bool = True,
    late: str | None = None,
    tiers: tuple[str, ...] = ("cheap", "capable"),
    segments: tuple[str, ...] = ("intent=a", "intent=b"),
    weight: float = 1.0,
) -> AuditCells:
    """A log of 42 days that loses quality in one segment from its 25th day on; what is `late` comes ten days after that."""
    rng = np.random.default_rng(seed)
    parts = []
    pairs, tail, holdout = pairs or late == "pairs", tail or late == "tail", holdout or late == "holdout"

    def labelled(tier, many, failing, days, start, segment, **given):
        n, k = whole_numbers(rng, many, failing, days)
        for part in (0, 1) if tail else (0,):
            shown = n * (np.arange(start, start + days) >= (LATE if part and late == "tail" else 0))
            parts.append(
                labels(
                    tier, shown, np.minimum(k, shown), days=days, start=start, segment=segment, stratum=part,
                    weight=weight * (1 + 3 * part), delay=delay * (1 + part), **given,
                )
            )  # fmt: skip

    for segment in ("intent=a", "intent=b", *(("intent=c",) if late == "segment" else ())):
        if segment != "intent=c":
            parts.append(served("capable", 50, days=PRE, segment=segment))
            if history:
                labelled("capable", 20, 0.06, PRE, 0, segment)
        start = PRE if segment != "intent=c" else LATE
        days = PRE + ROUTED - start
        worse = np.where((np.arange(start, start + days) >= 24) & (segment == "intent=b"), rate, 0.06)
        for tier in tiers[:-1]:
            parts.append(served(tier, 30, days=days, start=start, segment=segment))
            labelled(tier, 25, worse, days, start, segment)
            if pairs:
                first = LATE if late == "pairs" else start
                both = np.floor(8 * worse[first - start :])
                labelled(tier, 8, 0.1, PRE + ROUTED - first, first, segment, pairs=True, lost=both)
        parts.append(served("capable", 10, days=days, start=start, segment=segment))
        labelled("capable", 8, 0.06, days, start, segment)
        if holdout:
            held = LATE if late == "holdout" else start
            parts.append(served("capable", 5, days=PRE + ROUTED - held, start=held, arm="holdout", segment=segment))
            labelled("capable", 6, 0.06, PRE + ROUTED - held, held, segment, arm="holdout")
    return build(*parts, tiers=tiers, segments=segments)


def shuffled(table: Table, order: np.random.Generator) -> Table:
    """The table split in two, each part permuted, and put together the other way round."""
    rows = order.permutation(len(table))
    cut = int(order.integers(0, len(table) + 1))
    return table.take(rows[cut:]).concat(table.take(rows[:cut]))


def same(one: object, other: object, place: str = "report") -> None:
    """Assert that two reports agree, numbers up to 1e-9."""
    if is_dataclass(one) and not isinstance(one, type):
        assert type(one) is type(other), place
        for f in fields(one):
            same(getattr(one, f.name), getattr(other, f.name), f"{place}.{f.name}")
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            same(one[key], other[key], f"{place}[{key}]")
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), place
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{place}[{i}]")
    elif isinstance(one, float | np.floating) and not isinstance(one, bool):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9), place
    else:
        assert one == other, place


@few
@given(logs, st.integers(0, 1000))
def test_how_rows_are_split_and_ordered_changes_nothing(log, seed):
    cells = make(**log)
    order = np.random.default_rng(seed)
    mixed = replace(cells, labels=shuffled(cells.labels, order), traffic=shuffled(cells.traffic, order))
    same(audit(cells, AuditSettings()), audit(mixed, AuditSettings()))


def known_by(cells: AuditCells, bucket: int) -> AuditCells:
    """The log as it stood at the end of a bucket (absolute)."""
    return replace(
        cells,
        labels=cells.labels.take((cells.labels.available <= bucket) & (cells.labels.decided <= bucket)),
        traffic=cells.traffic.take(cells.traffic.bucket <= bucket),
        last_event=float((bucket + 1) * DAY - 1),
        last_available=float((bucket + 1) * DAY - 1),
    )


def evidence_of(cells: AuditCells, chosen: AuditSettings) -> Evidence:
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    until = chosen.baseline_until.timestamp() if chosen.baseline_until else None
    return gather(cells, chosen, find_periods(traffic, DAY, until), alarms=True)


LATE_COMERS = [
    {"late": "segment", "holdout": False},
    {"late": "holdout"},
    {"late": "holdout", "history": False},
    {"late": "pairs"},
    {"late": "tail"},
]


def each_late_comer(*more: object):
    """Examples in which something appears only after the alarm."""

    def decorate(test):
        for late in LATE_COMERS:
            test = example({"seed": 1, "rate": 0.5, **late}, *more)(test)
        return test

    return decorate


@few
@given(logs, st.integers(PRE + 7, PRE + ROUTED - 2))
@each_late_comer(28)
def test_the_future_does_not_change_the_evidence_of_the_past(log, cut):
    cells = make(**log)
    whole = evidence_of(cells, AuditSettings())
    past = evidence_of(known_by(cells, FIRST + cut), AuditSettings())
    assert past.armed_from == whole.armed_from
    armed = slice(whole.armed_from, cut + 1)
    np.testing.assert_allclose(past.summed[armed], whole.summed[armed], rtol=1e-9)


def alarm_time(report) -> datetime | None:
    return report.alarms[0].detected_at if report.alarms else None


@few
@given(logs)
@each_late_comer()
def test_the_log_cut_at_the_first_alarm_tells_the_same_alarm(log):
    cells = make(**log)
    report = audit(cells, AuditSettings())
    if not report.alarms:
        return
    first = report.alarms[0]
    end = int(first.detected_at.timestamp()) // DAY - 1
    again = audit(known_by(cells, end), AuditSettings()).alarms[0]
    for name in (
        "tier",
        "segment",
        "signal",
        "kind",
        "detected_at",
        "onset",
        "onset_interval",
        "loss",
        "interval",
        "evidence",
    ):
        same(getattr(first, name), getattr(again, name), name)


@few
@given(logs)
def test_the_order_of_segments_does_not_matter(log):
    here = audit(make(**log), AuditSettings())
    there = audit(make(**log, segments=("intent=b", "intent=a")), AuditSettings())
    assert there.verdict == here.verdict
    same(here.alarms, there.alarms)
    same(here.segments, there.segments)


@few
@given(logs, st.sampled_from([0.25, 3.0, 1000.0]))
def test_the_scale_of_inclusion_weights_does_not_matter(log, scale):
    """If every label had been drawn with a fraction of its probability, all means would be what they are."""
    settings_ = AuditSettings()
    one, other = (make(**log, weight=w) for w in (1.0, scale))
    same(audit(one, settings_), audit(other, settings_))


@few
@given(st.sampled_from([0.0, 0.1, 0.4]), st.integers(100, 900))
def test_a_cascade_that_keeps_easy_requests_cheap_is_charged_its_own_loss(loss, thousandths):
    """Intention to treat recovers the planted loss whatever share of easy requests the cheap tier keeps (no noise)."""
    easy = thousandths / 1000
    hard = 1.0 - easy
    fails_easy, fails_hard = 0.05, 0.3
    parts = [
        served("cheap", thousandths, days=20, start=1),
        served("capable", 1000 - thousandths, days=20, start=1),
        served("capable", 1000, days=20, start=1, arm="holdout"),
        served("capable", 1000, days=1),
        labels("cheap", 1000, 1000 * (fails_easy + loss), days=20, start=1),
        labels("capable", 1000, 1000 * fails_hard, days=20, start=1),
        labels("capable", 1000, 1000 * (easy * fails_easy + hard * fails_hard), days=20, start=1, arm="holdout"),
    ]
    cells = build(*parts)
    unit = signal_units(cells)[0]
    grid = label_grid(cells, unit, 0, by="decided", first_bucket=FIRST, buckets=21)
    traffic = traffic_grid(cells, 0, first_bucket=FIRST, buckets=21)
    periods = find_periods(traffic, DAY, None)
    found = loss_estimate("holdout", grid, traffic, 0, periods, 0.95, bucket_s=DAY)
    assert found.loss == pytest.approx(loss, abs=1e-9)
    assert found.low <= loss <= found.high
