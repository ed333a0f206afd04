"""The order in which segments are shown: what needs a decision first."""

from collections.abc import Iterable

from undertow.records.report import SegmentReport

_RANK = {"beyond": 0, "open": 1, "suspect": 2, "no_data": 3, "inside": 4}


def worst_first(segments: Iterable[SegmentReport]) -> tuple[SegmentReport, ...]:
    """Shown beyond the margin first, by loss; then the open ones by what they are known to lose at least, so that
    one of which little is known does not come before one that is known to lose; then the rest.

    Ties keep a stable order by tier and segment, so that two runs on one log print the same page.
    """
    return tuple(sorted(segments, key=_key))


def _key(segment: SegmentReport) -> tuple[float, float, float, str, str]:
    least = segment.interval[0] if segment.interval is not None else float("-inf")
    loss = segment.loss if segment.loss is not None else float("-inf")
    leading = least if segment.state == "open" else loss
    return (_RANK[segment.state], -leading, -loss, segment.tier, str(segment.segment))
