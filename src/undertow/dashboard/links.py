"""Addresses of pages about one tier and segment, of decisions, and of one decision."""

from urllib.parse import quote, urlencode

from undertow.dashboard.pages import PREFIX


def place_link(tier: str | None, segment: object, day: str = "") -> str:
    """The page of a tier in a segment.

    Examples:
        >>> place_link("cheap", "intent=a&b")
        '/ui/segments/one?tier=cheap&segment=intent%3Da%26b'
    """
    return _link("/segments/one", {"tier": tier or "", "segment": str(segment), "as_of": day})


def decisions_link(day: str = "", **filters: object) -> str:
    """The decisions that are like that; what is empty or None is left open.

    Examples:
        >>> decisions_link(tier="cheap", segment=None, label="failed")
        '/ui/decisions?tier=cheap&label=failed'
    """
    known = {name: "" if value is None else str(value) for name, value in filters.items()}
    return _link("/decisions", known | {"as_of": day})


def decision_link(decision_id: str, day: object = "") -> str:
    """The page of one decision.

    Args:
        decision_id: Whatever a log calls it.
        day: Day of its request, by which it is found at once.

    Examples:
        >>> decision_link("a/b?c", "2026-03-01")
        '/ui/decisions/one?id=a%2Fb%3Fc&day=2026-03-01'
        >>> decision_link("d1")
        '/ui/decisions/d1'
    """
    is_simple = (
        decision_id.isascii() and decision_id.replace("-", "").replace("_", "").isalnum() and decision_id != "one"
    )
    if is_simple:
        return _link(f"/decisions/{quote(decision_id)}", {"day": str(day)})
    # Slashes and dots in a path mean something to what stands between browser and dashboard.
    return _link("/decisions/one", {"id": decision_id, "day": str(day)})


def _link(path: str, values: dict[str, str]) -> str:
    known = {name: value for name, value in values.items() if value}
    return f"{PREFIX}{path}?{urlencode(known, errors='replace')}" if known else f"{PREFIX}{path}"
