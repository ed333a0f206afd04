"""From evidence to alarms: when it first sufficed, where, since when, how much, and why.

An alarm is told with what was known at `detected_at`, so a log that ends there tells it in the same words; the `latest_*`
fields and the segment tables use all data.
"""

from undertow.estimators.periods import Periods
from undertow.records.cells import AuditCells
from undertow.records.report import Alarm, AuditSettings
from undertow.records.stream import MonitoredStream
from undertow.records.traffic_grid import bucket_range
from undertow.services import what_changed
from undertow.services.alarm_cause import explain
from undertow.services.alarm_onset import loss_since, onset_of, own_change_since
from undertow.services.alarm_place import located_later, place_of
from undertow.services.alarm_scene import Scene
from undertow.services.crossings import Crossing, crossings
from undertow.services.evidence import Evidence


def tell_alarms(
    cells: AuditCells, settings: AuditSettings, periods: Periods, evidence: Evidence, level: float
) -> list[Alarm]:
    """All alarms of one sum of evidence, in order of detection.

    Args:
        cells: The log's sufficient statistics.
        settings: The audit's settings.
        periods: Where the log divides.
        evidence: Summed evidence.
        level: Level of each alarm's interval, already adjusted for how many are shown.
    """
    first, buckets = bucket_range(cells)
    scene = Scene(cells, settings, periods, first, buckets, level)
    found: list[Alarm] = []
    told: dict[tuple[int, int], Alarm] = {}
    crossed = crossings(evidence)
    for crossing in crossed:
        stream = crossing.stream
        place = place_of(scene, evidence, crossing) if crossing.is_first else stream
        earlier = [
            alarm for (tier, segment), alarm in told.items() if tier == place.tier and place.segment in {0, segment}
        ]
        # A tier and its segments are one episode, told once, unless the first telling did not lay it to routing.
        if any(alarm.cause == "routing" or alarm.kind == place.kind for alarm in earlier):
            continue
        # Topics overlap each other and the segments: one of a tier is told, where nothing was; the search tells the others.
        if place.role == "topic" and any(tier == place.tier for tier, _ in told):
            continue
        alarm = _tell(scene, crossing, place)
        told[place.tier, place.segment] = alarm
        found.append(alarm)
        later = located_later(scene, evidence, crossing) if place.segment == 0 and crossing.is_first else None
        # A segment that passes by itself before it is located is told then, in its turn.
        if later is not None and not any(_precedes(c, later) for c in crossed):
            told[later.stream.tier, later.stream.segment] = _tell(scene, later, later.stream)
            found.append(told[later.stream.tier, later.stream.segment])
    return sorted(found, key=lambda alarm: alarm.detected_at)


def _precedes(crossing: Crossing, later: Crossing) -> bool:
    """Whether a crossing names the place of another one at least as early."""
    place, other = crossing.stream, later.stream
    return (place.tier, place.segment) == (other.tier, other.segment) and crossing.bucket <= later.bucket


def _tell(scene: Scene, crossing: Crossing, stream: MonitoredStream) -> Alarm:
    known_before = crossing.bucket + 1
    onset = onset_of(scene, stream, known_before)
    # What a change detector saw is a change; against the reference a young rollout's share makes the first figure useless.
    then = (own_change_since if stream.kind == "change" else loss_since)(scene, stream, onset, known_before)
    now = loss_since(scene, stream, onset, None)
    # Detection is told as it was; the cause may be settled, or set right, by labels that came later.
    why = explain(scene, stream, onset, None)
    if why.cause == "unknown":
        why = explain(scene, stream, onset, known_before)
    tier = scene.cells.tiers[stream.tier]
    alarm = Alarm(
        monitor=stream.monitor,
        signal=stream.unit.name,
        tier=tier,
        segment=scene.cells.segments[stream.segment],
        cause=why.cause,
        basis="anchored" if stream.anchored_by is not None else stream.unit.basis,
        detected_at=scene.at(crossing.bucket + 1),
        onset=scene.at(int(onset.day)),
        onset_interval=(scene.at(int(onset.low)), scene.at(int(onset.high))),
        loss=then.loss,
        interval=None if then.low is None or then.high is None else (then.low, then.high),
        evidence=crossing.log10_evidence,
        kind=stream.kind,
        beyond_margin=None if then.low is None or tier == scene.cells.tiers[-1] else then.low > scene.settings.margin,
        latest_loss=now.loss,
        latest_interval=None if now.low is None or now.high is None else (now.low, now.high),
        note=why.note,
    )
    began = what_changed.Onset(scene.periods.routing_start, int(onset.day), int(onset.low), int(onset.high))
    return what_changed.with_what_changed(
        scene.cells, alarm, stream.unit, stream.tier, began, scene.first, scene.buckets, scene.level
    )
