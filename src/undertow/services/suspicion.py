"""Where the judge suspects a loss: the cells that the next reviews should go to.

A judge may steer and warn, it proves nothing. A change detector over its verdicts and people's labels together runs in every cell (tier,
segment, stratum), and where that is high enough most of the next reviews are taken from that cell. Where they go depends on the past
alone, so what people then say is as good evidence as before; and where people find nothing, their labels take the suspicion away
again. Nothing is promised about how often a judge suspects wrongly: that costs reviews, not alarms.

How many go where is `undertow.sampling.steering.steer_in_proportion`: by how much speaks for each cell, and none
while nothing stands out. Cells of one segment key only are suspected at a time, so that the requests that steering draws for one of them are no others'.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from undertow.detectors.quality_gap import EARLIEST_S, WARMUP_S
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.records.cells import AuditCells
from undertow.records.label_grid import LabelGrid, SignalUnit, label_grid, signal_units
from undertow.records.segment import Segment
from undertow.records.traffic_grid import bucket_range
from undertow.sampling.steering import steer_in_proportion
from undertow.services.evidence import watched_segments

SUSPICION = 20.0
"""Evidence that stands out (docs/concepts/statistics.md)."""

LEAST_LABELS = 30.0
LEAST_SHARE = 0.15
"""Smaller shares would move the rates at each look of a healthy log, and hardly any review."""

RECENT_S = 7 * 86_400
"""A stratum from which nothing was judged for so long is none any more."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A cell, and how much speaks for a loss there.

    Attributes:
        tier: Its tier.
        segment: `key=value` label; empty: all of the tier.
        stratum: `tail` or `common`; empty: either.
        evidence: Of the detector over judge and people.
        share: Of the next reviews that it deserves, in [0, 1].
        signal: What the judge measures.
    """

    tier: str
    segment: str
    stratum: Literal["tail", "common", ""]
    evidence: float
    share: float
    signal: str

    @property
    def is_suspect(self) -> bool:
        """Whether the evidence stands out."""
        return self.evidence >= SUSPICION


@dataclass(frozen=True, slots=True)
class _Cell:
    tier: str
    segment: Segment
    stratum: Literal["tail", "common", ""]
    evidence: float


def suspicions(cells: AuditCells, told: Collection[tuple[str, str]] = ()) -> tuple[Suspicion, ...]:
    """Cells that deserve reviews beside their plain share, most suspect first; none: nothing stands out.

    Args:
        cells: The log's sufficient statistics. Of several judges the one with most verdicts counts.
        told: Tiers and segments (`key=value`) of which an alarm has told long enough: more reviews there would only say it again.
    """
    first, buckets = bucket_range(cells)
    units = [unit for unit in signal_units(cells) if unit.shows_level]
    judge = next((unit for unit in units if unit.basis == "judge"), None)
    people = next((unit for unit in units if unit.basis == "human"), None)
    if judge is None:
        return ()

    def grid(unit: SignalUnit, code: int) -> LabelGrid:
        return label_grid(cells, unit, code, first_bucket=first, buckets=buckets, plain=True)

    found = [
        cell
        for code in watched_segments(cells)
        for cell in _cells(
            cells, code, judge, grid(judge, code), people, None if people is None else grid(people, code)
        )
    ]
    found = [cell for cell in found if (cell.tier, str(cell.segment)) not in told]
    # The key whose values stand out most; without keys the tier as a whole, which says no more than its segments do.
    keys: dict[str, list[_Cell]] = {}
    for cell in found:
        keys.setdefault(cell.segment.key, []).append(cell)
    by_key = {key: group for key, group in keys.items() if key} or keys
    if not by_key:
        return ()
    group = max(by_key.values(), key=lambda each: max(cell.evidence for cell in each))
    evidence = np.array([cell.evidence for cell in group])
    shares = steer_in_proportion(evidence, np.full(len(group), 1.0 / len(group)), 1.0).extra
    named = [
        Suspicion(
            cell.tier,
            "" if cell.segment.is_whole else str(cell.segment),
            cell.stratum,
            cell.evidence,
            float(share),
            judge.name,
        )
        for cell, share in zip(group, shares, strict=True)
        if share >= LEAST_SHARE
    ]
    return tuple(sorted(named, key=lambda each: (-each.evidence, each.tier, each.segment, each.stratum)))


def _cells(
    cells: AuditCells,
    code: int,
    judge: SignalUnit,
    judged: LabelGrid,
    people: SignalUnit | None,
    reviewed: LabelGrid | None,
) -> list[_Cell]:
    """Cells of one segment with labels enough, by tier and stratum."""
    warmup, earliest = (max(1, seconds // cells.bucket_s) for seconds in (WARMUP_S, EARLIEST_S))
    found = []
    for tier in range(len(cells.tiers) - 1):
        k, n = (array[:, tier].sum((1, 2)) for array in (judged.failures, judged.n))
        by_stratum = n.sum(0)
        is_in_use = n[-max(1, RECENT_S // cells.bucket_s) :].sum(0) > 0
        for place in np.flatnonzero((by_stratum >= LEAST_LABELS) & is_in_use):
            start = int((n[:, place] > 0).argmax())
            failures, labels = [k[:, place]], [n[:, place]]
            theirs = None if people is None else _same_stratum(judge, people, int(place))
            if reviewed is not None and theirs is not None and theirs < reviewed.strata:
                failures.append(reviewed.failures[:, tier].sum((1, 2))[:, theirs])
                labels.append(reviewed.n[:, tier].sum((1, 2))[:, theirs])
            evidence = run_self_calibrating(
                np.stack(failures, -1), np.stack(labels, -1), warmup, start + max(2, earliest)
            )
            stratum = _stratum(judge, int(place), is_alone=is_in_use.sum() == 1)
            found.append(_Cell(cells.tiers[tier], cells.segments[code], stratum, float(evidence[-1])))
    return found


def _stratum(judge: SignalUnit, place: int, *, is_alone: bool) -> Literal["tail", "common", ""]:
    """What rates call a stratum; empty where it is all of its cell."""
    if is_alone:
        return ""
    if not judge.strata:
        return "tail" if place == 0 else "common"
    name = _name(judge, place)
    return "tail" if name.startswith("tail") else "common" if name.startswith("common") else ""


def _same_stratum(judge: SignalUnit, people: SignalUnit, place: int) -> int | None:
    """Where people's labels of a judge's stratum stand: each signal numbers those that it names by itself."""
    if not judge.strata or not people.strata:
        return place
    name = _name(judge, place)
    return people.strata.index(name) if name in people.strata else None


def _name(judge: SignalUnit, place: int) -> str:
    """Of a judge's stratum; empty for those of labels that name none, which come after the named ones."""
    return judge.strata[place] if place < len(judge.strata) else ""
