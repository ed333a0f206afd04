"""Where the judge suspects a loss: the cells that the next reviews should go to.

A judge may steer and warn, it proves nothing. A change detector over its verdicts and people's labels together runs in every cell (tier,
segment, stratum), and where that is high enough most of the next reviews are taken from that cell. Where they go depends on the past
alone, so what people then say is as good evidence as before; and where people find nothing, their labels take the suspicion away
again. Nothing is promised about how often a judge suspects wrongly: that costs reviews, not alarms.

Cells of one segment key only are suspected at a time, so that the requests that steering draws for one of them are no others'.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from undertow.detectors.quality_gap import EARLIEST_S, WARMUP_S
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.records.cells import AuditCells
from undertow.records.label_grid import label_grid, signal_units
from undertow.records.traffic_grid import bucket_range
from undertow.services.evidence import watched_segments

SUSPICION = 20.0
"""Evidence from which a cell is suspected (docs/concepts/statistics.md)."""

LEAST_LABELS = 30.0


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A cell that the judge suspects.

    Attributes:
        tier: Its tier.
        segment: `key=value` label; empty: all of the tier.
        stratum: `tail` or `common`; empty: either.
        evidence: Of the judge's detector, at least `SUSPICION`.
        signal: What the judge measures.
    """

    tier: str
    segment: str
    stratum: Literal["tail", "common", ""]
    evidence: float
    signal: str


def suspicions(cells: AuditCells, most: int = 1) -> tuple[Suspicion, ...]:
    """Cells that the judge suspects at the end of the log, most suspect first.

    Args:
        cells: The log's sufficient statistics.
        most: How many to name; all of one segment key.
    """
    first, buckets = bucket_range(cells)
    warmup, earliest = (max(1, seconds // cells.bucket_s) for seconds in (WARMUP_S, EARLIEST_S))
    found: list[tuple[Suspicion, str]] = []
    units = [unit for unit in signal_units(cells) if unit.shows_level]
    people = next((unit for unit in units if unit.basis == "human"), None)
    for unit in units:
        if unit.basis != "judge":
            continue
        for code in watched_segments(cells):
            grid, other = (
                None if each is None else label_grid(cells, each, code, first_bucket=first, buckets=buckets, plain=True)
                for each in (unit, people)
            )
            assert grid is not None, "of a unit"
            for tier in range(len(cells.tiers) - 1):
                k, n = (array[:, tier].sum((1, 2)) for array in (grid.failures, grid.n))
                by_stratum = n.sum(0)
                for place in np.flatnonzero(by_stratum >= LEAST_LABELS):
                    start = int((n[:, place] > 0).argmax())
                    failures, labels = [k[:, place]], [n[:, place]]
                    if other is not None and place < other.strata:
                        failures.append(other.failures[:, tier].sum((1, 2))[:, place])
                        labels.append(other.n[:, tier].sum((1, 2))[:, place])
                    evidence = run_self_calibrating(
                        np.stack(failures, -1), np.stack(labels, -1), warmup, start + max(2, earliest)
                    )
                    value = float(evidence[-1]) if len(evidence) else 0.0
                    if value >= SUSPICION:
                        stratum: Literal["tail", "common", ""] = (
                            "" if len(by_stratum) == 1 else "tail" if place == 0 else "common"
                        )
                        segment = cells.segments[code]
                        label = "" if segment.is_whole else str(segment)
                        found.append((Suspicion(cells.tiers[tier], label, stratum, value, unit.name), segment.key))
    # The narrowest cell that is as suspect: a whole tier is suspected with its worst segment.
    found.sort(key=lambda each: (each[0].segment == "", -each[0].evidence, each[0].segment))
    if not found:
        return ()
    key = found[0][1]
    return tuple(suspicion for suspicion, of in found if of == key)[:most]
