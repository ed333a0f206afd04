"""Which colour and dash a line has, the same in every chart of a page.

Blue and orange stay apart for colour-blind eyes and in grey print; dashes and labels say the same once more. The cheapest
tier is orange, the most capable one blue, the aggregate grey.
"""

from collections.abc import Sequence

from undertow.records.report import AuditReport, Series
from undertow.reports.names import clip, segment_name

_MIDDLE = ("c-mid0", "c-mid1", "c-mid2")
_SEGMENTS = ("c-seg0", "c-seg1", "c-seg2", "c-seg3", "c-seg4", "c-seg5")


def tier_class(tier: str | None, tiers: Sequence[str]) -> str:
    """Class name of a tier's colour; `tiers` in order of cost.

    Examples:
        >>> tier_class("cheap", ("cheap", "capable")), tier_class("capable", ("cheap", "capable")), tier_class(None, ())
        ('c-cheap', 'c-capable', 'c-all')
    """
    if tier is None or tier not in tiers:
        return "c-all"
    place = tiers.index(tier)
    if place == 0:
        return "c-cheap"
    return "c-capable" if place == len(tiers) - 1 else _MIDDLE[(place - 1) % len(_MIDDLE)]


def series_classes(series: Sequence[Series], report: AuditReport) -> list[str]:
    """Class names of the lines of one chart: tiers by tier, segments by their place in the whole report.

    A segment keeps its class from chart to chart; where two of one chart would share one, the later takes the next free.
    """
    tiers = [tier.tier for tier in report.tiers]
    known = (*report.quality_series, *report.evidence_series)
    places = list(dict.fromkeys((one.tier, one.segment) for one in known if not one.segment.is_whole))
    classes: list[str] = []
    for one in series:
        if one.segment.is_whole:
            classes.append(tier_class(one.tier, tiers))
            continue
        place = places.index((one.tier, one.segment)) if (one.tier, one.segment) in places else 0
        turn = [_SEGMENTS[(place + step) % len(_SEGMENTS)] for step in range(len(_SEGMENTS))]
        classes.append(next((cls for cls in turn if cls not in classes), turn[0]))
    return classes


def series_label(series: Series, limit: int) -> str:
    """What a line is called beside it: the tier, or its segment, which is what differs."""
    if series.tier is None:
        return "all tiers"
    return clip(series.tier, limit) if series.segment.is_whole else segment_name(series.segment, limit)
