"""What else changed, and when: models, fingerprints, policy, calibration and prompt versions."""

from collections import defaultdict
from datetime import UTC, datetime

from undertow.records.cells import CHANGE_KINDS, AuditCells
from undertow.records.report import Change

MIN_SHARE = 0.01
"""A value that serves less than this share of a tier's decisions in a bucket has not begun to serve."""

SLACK_BUCKETS = 2
"""Changes this long before an onset interval, or after it, still count as near."""

MAX_CHANGES = 40
"""More than this many changes of one kind in one tier is not a change but a way of life (a fingerprint a day)."""


def dated_changes(cells: AuditCells) -> tuple[Change, ...]:
    """When each model, fingerprint, policy or prompt version first served at least 1 % of a tier, in order of time.

    The values that a tier began with are no changes and are left out.
    """
    totals: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    served: dict[tuple[int, int], dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    models = cells.models
    rows = zip(
        models.bucket.tolist(),
        models.tier.tolist(),
        models.kind.tolist(),
        models.value.tolist(),
        models.decisions.tolist(),
        strict=True,
    )
    for bucket, tier, kind, value, decisions in rows:
        if tier < 0:
            continue
        place = totals[tier, kind]
        place[bucket] = place.get(bucket, 0) + decisions
        if value >= 0:
            mine = served[tier, kind][value]
            mine[bucket] = mine.get(bucket, 0) + decisions
    found: list[Change] = []
    for (tier, kind), values in served.items():
        total = totals[tier, kind]
        begin = min(total)
        starts = sorted(
            (min(b for b, n in days.items() if n >= MIN_SHARE * total[b]), cells.change_values[value])
            for value, days in values.items()
            if any(n >= MIN_SHARE * total[b] for b, n in days.items())
        )
        if len(starts) > MAX_CHANGES:
            continue
        before = ", ".join(value for bucket, value in starts if bucket == begin)
        for bucket, value in starts:
            if bucket > begin:
                at = datetime.fromtimestamp(bucket * cells.bucket_s, UTC)
                found.append(Change(at, CHANGE_KINDS[kind], cells.tiers[tier], value, before))
                before = value
    return tuple(sorted(found, key=lambda c: (c.at, c.kind, c.tier or "", c.value)))


def changes_near(cells: AuditCells, tier: str, low: int, high: int) -> tuple[str, ...]:
    """Changes of a tier between two buckets (absolute), with some slack, as short phrases."""
    first, last = ((b * cells.bucket_s) for b in (low - SLACK_BUCKETS, high + SLACK_BUCKETS))
    return tuple(
        f"{change.kind.replace('_', ' ')} {change.value} began on {change.at.day} {change.at:%B}"
        for change in dated_changes(cells)
        if change.tier == tier and first <= change.at.timestamp() <= last
    )
