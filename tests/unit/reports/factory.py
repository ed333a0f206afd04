"""Reports to render: realistic ones for each verdict, and the hostile and the empty."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from undertow.records.cells import Coverage
from undertow.records.report import (
    Aggregate,
    Alarm,
    AuditReport,
    AuditSettings,
    Change,
    Histogram,
    LatencyEstimate,
    Ledger,
    LedgerItem,
    LossParts,
    ReferenceReport,
    SegmentPart,
    SegmentReport,
    Series,
    SeriesPoint,
    SignalEstimate,
    TierLatency,
    TierReport,
)
from undertow.records.segment import WHOLE, Segment

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 70
ONSET = 22
DETECTED = 26
ALARM_LINE = math.log10(180 * 2 / 0.05)
BILLING = Segment("intent", "billing")
SIGNAL = "review.accuracy"


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def line(name, tier, segment, level_of, *, seed, noise=0.012, half=0.05, first=0, step=1, signal=SIGNAL):
    draw = random.Random(seed)
    points = []
    for d in range(first, DAYS, step):
        mean = min(1.0, max(0.0, level_of(d) + draw.gauss(0, noise)))
        width = half * (1 + 2 / (1 + (d - first) / 4))
        points.append(SeriesPoint(day(d), mean, (max(0.0, mean - width), min(1.0, mean + width)), 40 + d % 7))
    return Series(name, tier, segment, signal, tuple(points))


def falls(before, after, onset=ONSET, over=6):
    return lambda d: before if d < onset else max(after, before - (before - after) * (d - onset + 1) / over)


def evidence_line(name, tier, segment, *, onset, slope, seed):
    draw = random.Random(seed)
    points, e = [], 0.0
    for d in range(DAYS):
        e = max(0.0, e + (slope if d >= onset else -0.02) + draw.gauss(0, 0.12))
        points.append(SeriesPoint(day(d), e, None, 30))
    return Series(name, tier, segment, SIGNAL, tuple(points))


def histogram():
    edges = tuple(i / 20 for i in range(21))

    def shape(*bumps):
        raw = [sum(w * math.exp(-(((i + 0.5) / 20 - m) ** 2) / (2 * s * s)) for w, m, s in bumps) for i in range(20)]
        return tuple(x / sum(raw) for x in raw)

    return Histogram(
        column="confidence",
        edges=edges,
        baseline=shape((1.0, 0.9, 0.06), (0.5, 0.45, 0.12)),
        now=shape((1.4, 0.95, 0.04), (0.25, 0.45, 0.14)),
        baseline_period=(day(0), day(14)),
        now_period=(day(56), day(70)),
        psi=0.31,
        wasserstein=0.06,
    )


def segment_reports():
    rows = [
        ("billing", 0.14, 0.212, 0.131, 0.297, "beyond", 812),
        ("account", 0.11, 0.062, 0.011, 0.118, "open", 640),
        ("cancel", 0.05, 0.048, -0.031, 0.121, "open", 310),
        ("shipping", 0.22, 0.006, -0.019, 0.018, "inside", 1_205),
        ("returns", 0.18, 0.002, -0.022, 0.019, "inside", 1_010),
        ("smalltalk", 0.20, -0.012, -0.03, 0.008, "inside", 1_320),
    ]
    whole = SegmentReport("cheap", WHOLE, 1.0, SIGNAL, 5_500, 0.047, (0.021, 0.071), 0.884, 0.931, 820, "beyond")
    return (
        *(
            SegmentReport("cheap", Segment("intent", v), share, SIGNAL, n, loss, (lo, hi), 0.93 - loss, 0.93, 90, state)
            for v, share, loss, lo, hi, state, n in rows
        ),
        whole,
        SegmentReport("cheap", Segment("language", "fi"), 0.03, SIGNAL, 0, None, None, state="no_data"),
    )


def alarm(segment=BILLING, *, tier="cheap", onset=ONSET, detected=DETECTED, loss=0.18, **changes):
    base = Alarm(
        monitor="quality",
        signal=SIGNAL,
        tier=tier,
        segment=segment,
        cause="routing",
        basis="human",
        detected_at=day(detected),
        onset=day(onset),
        onset_interval=(day(onset - 2), day(onset + 1)),
        loss=loss,
        interval=None if loss is None else (loss - 0.09, loss + 0.1),
        evidence=4.1,
        kind="change",
        beyond_margin=True,
        latest_loss=0.212,
        latest_interval=(0.131, 0.297),
        changed_nearby=("policy version 2026-01-26 began on 26 January",),
        parts=parts(segment),
        incidents=(INCIDENT,),
        story=f"Since 2 March; what changed then: policy version 2026-01-26 began on 26 January; most lies within {segment}; {INCIDENT}.",
    )
    return replace(base, **changes)


INCIDENT = "the capable tier's upstream answered 4 % of calls with errors on 1 March (usually 0.1 %)"


def parts(segment):
    named = (SegmentPart(segment, 0.03, (0.02, 0.04)), SegmentPart(None, 0.004, (0.001, 0.01)))
    return LossParts(0.043, 0.009, (0.004, 0.014), 0.034, (0.02, 0.05), segment.key or "intent", named)


WAITS = (
    TierLatency(LatencyEstimate(0, None, None), LatencyEstimate(2_612_230, 412.0, 890.0)),
    TierLatency(
        LatencyEstimate(410_000, 2_350.0, 4_900.0),
        LatencyEstimate(1_008_990, 1_710.0, 3_600.0),
        LatencyEstimate(61_500, 1_690.0, 3_550.0),
    ),
)


def ledger():
    items = (
        LedgerItem("tokens saved", "savings", "cheap", 101_400.0, (99_100.0, 103_900.0), True),
        LedgerItem("reviews", "watching", None, 9_600.0, None, False, "200 a day at $1.60"),
        LedgerItem("shadow calls", "watching", "capable", 1_150.0, (1_100.0, 1_200.0), False),
        LedgerItem("ticket", "downstream", "cheap", 242_000.0, (187_000.0, 301_000.0), True),
        LedgerItem("churn", "downstream", "cheap", 171_000.0, (88_000.0, 260_000.0), True),
        LedgerItem("answers thrown away", "wasted", "cheap", 2_310.0, None, True, "410,000 calls"),
        LedgerItem("checking answers", "checking", None, 640.0, None, True),
        LedgerItem("cheap answers not asked for", "skipped", "cheap", 347.0, None, False, "61,500 requests"),
    )
    return Ledger(101_400.0, 10_750.0, 413_000.0, -322_350.0, (-440_000.0, -205_000.0), items, day(14))


def pareto_trap() -> AuditReport:
    cheap = {
        SIGNAL: SignalEstimate(5_500, 0.884, (0.866, 0.901)),
        "rating.csat": SignalEstimate(3_200, 0.801, (0.78, 0.821)),
        "thumb.helpful": SignalEstimate(1_900, 0.912, (0.89, 0.93)),
    }
    capable = {
        SIGNAL: SignalEstimate(2_950, 0.936, (0.918, 0.951)),
        "rating.csat": SignalEstimate(1_700, 0.862, (0.84, 0.88)),
        "thumb.helpful": SignalEstimate(1_050, 0.928, (0.90, 0.95)),
    }
    total = {
        SIGNAL: SignalEstimate(8_450, 0.914, (0.903, 0.925)),
        "rating.csat": SignalEstimate(4_900, 0.824, (0.81, 0.838)),
        "thumb.helpful": SignalEstimate(2_950, 0.918, (0.9, 0.934)),
    }
    return AuditReport(
        verdict="pareto_trap",
        headline="Pareto trap: routing saves $101k a month and costs $424k a month, because the cheap tier fails in intent=billing.",
        period=(START, day(DAYS)),
        settings=AuditSettings(),
        reference=ReferenceReport(
            "holdout", True, "5 % of eligible users were kept on the capable tier by chance; the comparison is causal."
        ),
        coverage=Coverage(
            decisions=4_031_220,
            signals=13_350,
            joined=13_102,
            unjoined=248,
            duplicates=19,
            rejected=7,
            reasons={
                "signal names a decision that is not in the log": 248,
                "event_time cannot be read": 7,
                "repeated id": 19,
            },
            missing_columns=("prompt_hash", "ttft_ms"),
            notes=("Segment key session_tag left out: more than 64 values.",),
        ),
        aggregate=Aggregate(4_031_220, 67_400.0, total),
        tiers=(
            TierReport("cheap", 2_612_230, 0.648, 14_300.0, 115_700.0, cheap, ("small-2025-11",), WAITS[0]),
            TierReport(
                "capable", 1_418_990, 0.352, 53_100.0, 53_100.0, capable, ("large-2025-09", "large-2026-01"), WAITS[1]
            ),
        ),
        alarms=(
            alarm(),
            alarm(
                WHOLE,
                onset=24,
                detected=41,
                loss=0.046,
                interval=(0.021, 0.07),
                kind="level",
                beyond_margin=True,
                latest_loss=0.047,
                latest_interval=(0.021, 0.071),
                changed_nearby=(),
            ),
        ),
        warnings=(
            alarm(
                WHOLE,
                monitor="confidence",
                signal="confidence",
                cause="unknown",
                basis="behaviour",
                onset=19,
                detected=21,
                loss=None,
                interval=None,
                kind="drift",
                beyond_margin=None,
                latest_loss=None,
                latest_interval=None,
                changed_nearby=(),
                note="Routing confidence rose while quality fell: mean 0.74 in the baseline, 0.83 now.",
            ),
            alarm(
                WHOLE,
                monitor="share",
                signal="share",
                cause="mix",
                basis="behaviour",
                onset=20,
                detected=23,
                loss=None,
                interval=None,
                kind="drift",
                beyond_margin=None,
                latest_loss=None,
                latest_interval=None,
                changed_nearby=(),
                note="The cheap tier's share rose from 60.1 % to 66.9 %.",
            ),
        ),
        segments=segment_reports(),
        ledger=ledger(),
        next=(
            "Send intent=billing back to the capable tier now; it is 14 % of cheap traffic and most of the loss.",
            "Label 340 more answers in intent=account: at today's rate that settles it in 9 days.",
        ),
        quality_series=(
            line("all tiers", None, WHOLE, falls(0.925, 0.908, over=12), seed=1, noise=0.006, half=0.012),
            line("cheap", "cheap", WHOLE, falls(0.92, 0.875, over=8), seed=2, half=0.022),
            line("capable", "capable", WHOLE, lambda _: 0.934, seed=3, half=0.022),
            line("cheap, intent=billing", "cheap", BILLING, falls(0.9, 0.71), seed=4, noise=0.02, half=0.06),
        ),
        share_series=(
            line("cheap", "cheap", WHOLE, lambda d: 0.60 + 0.07 / (1 + math.exp(-(d - 22) / 4)), seed=5, signal=None),
            line(
                "capable", "capable", WHOLE, lambda d: 0.40 - 0.07 / (1 + math.exp(-(d - 22) / 4)), seed=6, signal=None
            ),
        ),
        evidence_series=(
            evidence_line("cheap, intent=billing", "cheap", BILLING, onset=ONSET, slope=0.95, seed=7),
            evidence_line("cheap", "cheap", WHOLE, onset=24, slope=0.24, seed=8),
            evidence_line("cheap, intent=shipping", "cheap", Segment("intent", "shipping"), onset=999, slope=0, seed=9),
        ),
        alarm_line=ALARM_LINE,
        confidence=histogram(),
        reasons=(
            "Reviews in cheap, intent=billing fell by 18.0 points (9.0 to 28.0) from about 2026-01-27.",
            "The holdout did not fall, so the cause is routing and not the provider.",
            "Tickets and churn cost $413k a month more than in the holdout; savings are $101k.",
        ),
        main_signal=SIGNAL,
        changes=(
            Change(day(14), "policy_version", "cheap", "2026-01-19", "2026-01-05"),
            Change(day(21), "policy_version", "cheap", "2026-01-26", "2026-01-19"),
            Change(day(48), "model", "capable", "large-2026-01", "large-2025-09"),
        ),
    )


def healthy() -> AuditReport:
    report = pareto_trap()
    segments = tuple(
        replace(s, loss=0.004, interval=(-0.011, 0.017), quality=0.93, state="inside")
        for s in report.segments
        if s.loss is not None
    )
    items = (report.ledger.items[0], *report.ledger.items[1:3])
    return replace(
        report,
        verdict="healthy",
        headline="Healthy: the cheap tier loses at most 1.7 points, inside the margin of 2.0 points, and routing saves $90.6k a month.",
        alarms=(),
        warnings=(),
        segments=segments,
        ledger=Ledger(
            101_400.0, 10_750.0, None, 90_650.0, (88_000.0, 93_400.0), items, day(14), "no outcomes were given"
        ),
        next=(),
        quality_series=(
            line("all tiers", None, WHOLE, lambda _: 0.932, seed=1, noise=0.006, half=0.012),
            line("cheap", "cheap", WHOLE, lambda _: 0.93, seed=2, half=0.022),
            line("capable", "capable", WHOLE, lambda _: 0.934, seed=3, half=0.022),
        ),
        evidence_series=(evidence_line("cheap", "cheap", WHOLE, onset=999, slope=0, seed=8),),
        confidence=replace(histogram(), now=histogram().baseline, psi=0.01, wasserstein=0.004),
        reasons=("Every tier and every segment with at least 5 % of its traffic was shown inside its margin.",),
        changes=(),
    )


def inconclusive() -> AuditReport:
    report = healthy()
    return replace(
        report,
        verdict="inconclusive",
        headline="Inconclusive: with 212 reviews a loss of up to 9.4 points in the cheap tier cannot be ruled out.",
        segments=tuple(replace(s, loss=0.02, interval=(-0.05, 0.094), n=30, state="open") for s in report.segments),
        reference=ReferenceReport(
            "own_first_period", False, "No holdout: only change since the first 14 days can be seen."
        ),
        ledger=Ledger(None, None, None, None, None, (), None, "costs are not in the log"),
        reasons=("The interval of the cheap tier's loss includes the margin.",),
        next=("Review 850 more cheap answers: at 12 a day that takes 71 days; at 40 a day 21 days.",),
        confidence=None,
        share_series=(),
    )


def sparse() -> AuditReport:
    """One tier, no labels, no costs, no outcomes, no confidence."""
    return AuditReport(
        verdict="inconclusive",
        headline="Inconclusive: no quality signal is joined to any decision.",
        period=(START, day(2) + timedelta(hours=5, milliseconds=250)),
        settings=AuditSettings(),
        reference=ReferenceReport("none", False, "Only one tier served traffic, and nothing was labelled."),
        coverage=Coverage(decisions=12, missing_columns=("confidence", "cost_usd", "arm")),
        aggregate=Aggregate(12, None, {}),
        tiers=(TierReport("cheap", 12, 1.0, None, None, {}),),
        alarms=(),
        warnings=(),
        segments=(),
        ledger=Ledger(None, None, None, None, None),
        next=("Label answers: without a signal nothing can be said about quality.",),
    )


HOSTILE = (
    "<script>window.pwned=1</script>",
    "[bold red]rich[/bold red] [link=https://example.invalid]x[/link]",
    "\x1b[2J\x1b]0;pwned\x07\x9b31m",
    "line\nbreak\r\nVERDICT: healthy\u2028x",
    "abc\u202egnp.exe\u2066\u200e",
    "x" * 10_000,
    "שלום עולם مرحبا بالعالم",
    "👩‍👩‍👧‍👦 emoji 🏴‍☠️ 日本語のとても長いセグメント名がここに入ります",
    '"><img src=x onerror="window.pwned=1">',
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "a|b`c`*d*_e_<!--",
    "z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a",
    "]]>&amp;</svg></style><style>*{display:none}",
    "",
    "lone \ud800 surrogate",
)


def hostile() -> AuditReport:
    report = pareto_trap()
    names = HOSTILE
    bad = names[0]
    signals = {name: SignalEstimate(10, 0.5, (0.2, 0.8)) for name in names}
    return replace(
        report,
        headline=f"Pareto trap in {bad} {names[2]} {names[3]} {names[4]}",
        reference=replace(report.reference, note=" ".join(names)),
        coverage=replace(
            report.coverage,
            reasons=dict.fromkeys(names, 3),
            notes=names,
            missing_columns=names,
            rejects_file="/tmp/\x1b[31m.jsonl",  # noqa: S108
        ),
        aggregate=Aggregate(10, 1.0, signals),
        tiers=tuple(TierReport(name, 10, 1 / len(names), 1.0, 2.0, signals, names, WAITS[1]) for name in names),
        alarms=tuple(
            alarm(Segment(name, name), tier=name, signal=name, monitor=name, note=name, changed_nearby=names)
            for name in names
        ),
        warnings=tuple(alarm(Segment("key", name), tier=name, note=name) for name in names),
        segments=tuple(
            SegmentReport(name, Segment("intent", name), 0.1, name, 50, 0.1 - i / 40, (0.02 - i / 40, 0.2 - i / 40))
            for i, name in enumerate(names)
        ),
        suspects=tuple(
            SegmentReport(name, Segment(name, name), 0.1, name, 5, None, None, state="suspect") for name in names
        ),
        ledger=replace(
            report.ledger,
            items=(
                *(LedgerItem(name, "downstream", name, 1000.0, (10.0, 2000.0), False, name) for name in names),
                *(LedgerItem(name, "wasted", name, 1000.0, None, True, name) for name in names),
                *(LedgerItem(name, "skipped", name, 1000.0, None, False, name) for name in names),
            ),
            note=names[0],
        ),
        next=names,
        reasons=names,
        quality_series=tuple(
            line(name, name, Segment("k", name), lambda _: 0.8, seed=i) for i, name in enumerate(names)
        ),
        evidence_series=tuple(
            evidence_line(name, name, Segment("k", name), onset=20, slope=0.1, seed=i) for i, name in enumerate(names)
        ),
        share_series=tuple(line(name, name, WHOLE, lambda _: 1 / 16, seed=i) for i, name in enumerate(names)),
        changes=tuple(Change(day(3 * i), "model", name, name, name) for i, name in enumerate(names)),
        main_signal=names[0],
    )


def many_segments(n: int = 200) -> AuditReport:
    draw = random.Random(11)
    rows = []
    for i in range(n):
        loss = draw.gauss(0.01, 0.05)
        width = draw.uniform(0.02, 0.12)
        low, high = loss - width, loss + width
        state = "beyond" if low > 0.02 else "inside" if high < 0.1 else "open"
        rows.append(
            SegmentReport(
                "cheap",
                Segment("customer", f"tenant-{i:03d}"),
                1 / n,
                SIGNAL,
                40 + i,
                loss,
                (low, high),
                0.9 - loss,
                0.9,
                30,
                state,
            )
        )
    return replace(pareto_trap(), segments=tuple(rows))


def hourly() -> AuditReport:
    """A short log in hourly buckets, three tiers, no ledger intervals."""
    report = pareto_trap()

    def shrink(series):
        return replace(
            series,
            points=tuple(replace(p, at=START + timedelta(hours=i)) for i, p in enumerate(series.points)),
        )

    early = START + timedelta(hours=30, minutes=15)
    middle = TierReport("middle", 900_000, 0.2, 20_000.0, 40_000.0, report.tiers[0].signals, ("medium",))
    return replace(
        report,
        period=(START, START + timedelta(hours=70)),
        tiers=(report.tiers[0], middle, report.tiers[1]),
        alarms=(
            alarm(
                onset=1.05,
                detected=1.25,
                detected_at=early,
                onset_interval=(early - timedelta(hours=6), early),
            ),
        ),
        warnings=(),
        quality_series=(
            *map(shrink, report.quality_series[:3]),
            shrink(line("middle", "middle", WHOLE, lambda _: 0.91, seed=14, half=0.02)),
        ),
        share_series=(
            *map(shrink, report.share_series),
            shrink(line("middle", "middle", WHOLE, lambda _: 0.1, seed=3)),
        ),
        evidence_series=tuple(map(shrink, report.evidence_series)),
        changes=(),
    )


EVERY = {
    "pareto_trap": pareto_trap,
    "healthy": healthy,
    "inconclusive": inconclusive,
    "sparse": sparse,
    "hostile": hostile,
    "many_segments": many_segments,
    "hourly": hourly,
}
