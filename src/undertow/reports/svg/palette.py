"""Which colour and dash a line has, the same in every chart of a page.

Blue and orange stay apart for colour-blind eyes and in grey print; dashes and labels say the same once more. The cheapest
tier is orange, the most capable one blue, the aggregate grey.
"""

from collections.abc import Sequence

from undertow.records.report import Series
from undertow.reports.names import clip, segment_name

_MIDDLE = ("c-mid0", "c-mid1", "c-mid2")
_SEGMENTS = ("c-seg0", "c-seg1", "c-seg2")


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


def series_classes(series: Sequence[Series], tiers: Sequence[str]) -> list[str]:
    """Class names of the lines of one chart: tiers by tier, segments one by one."""
    classes = []
    segments = 0
    for one in series:
        if one.segment.is_whole:
            classes.append(tier_class(one.tier, tiers))
        else:
            classes.append(_SEGMENTS[segments % len(_SEGMENTS)])
            segments += 1
    return classes


def series_label(series: Series, limit: int) -> str:
    """What a line is called beside it: the tier, or its segment, which is what differs."""
    if series.tier is None:
        return "all tiers"
    return clip(series.tier, limit) if series.segment.is_whole else segment_name(series.segment, limit)
