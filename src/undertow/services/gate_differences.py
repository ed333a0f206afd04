"""What differs between what is live and a candidate, and whether logged traffic can say what follows from it."""

from collections.abc import Mapping

from undertow.records.gate import Difference, DifferenceKind

ROUTES = (
    "policy.kind", "policy.threshold", "policy.calibration", "policy.strict", "policy.tier", "policy.shares", "policy.cheap_segments",
    "constraints.never_cheap", "holdout.share",
)  # fmt: skip
"""Settings, or beginnings of their names, whose effect a log shows."""

DECIDES_NOTHING = ("policy.margin", "policy.delta", "policy.evidence", "policy.prefix_tokens", "policy.deadline_ms", "holdout.salt", "holdout.unit")  # fmt: skip

SECTIONS = ("policy.", "constraints.", "holdout.")

STRICTER_WHERE_FALSE = ("constraints.cheap_tools", "constraints.cheap_images")

OF_ANSWERS = ("model", "parameters", "base_url", "endpoints")
"""Settings of a tier by which it gives other answers, or may."""

ASK_SUITE = "logged answers are of the old one and tell nothing of it; a run of the suite does (`undertow suite run`, then --suite)"
ASK_ROLLOUT = "a log cannot answer for it; a run of the suite (--suite) or a staged rollout (`undertow rollout`) can"


def differences(
    before: Mapping[str, object], after: Mapping[str, object], lines: Mapping[str, int] | None = None
) -> tuple[Difference, ...]:
    """What differs in the settings that decide which answers are served.

    Args:
        before: Dotted name -> value, of what is live; a calibration as its hash.
        after: The same of the candidate.
        lines: Dotted name -> line of the candidate's file.

    Examples:
        >>> live = {"policy.threshold": 0.8, "tiers.cheap.model": "small", "gateway.workers": 1}
        >>> found = differences(live, {"policy.threshold": 0.7, "tiers.cheap.model": "tiny", "gateway.workers": 2})
        >>> [(one.name, one.kind) for one in found]
        [('policy.threshold', 'routing'), ('tiers.cheap.model', 'answers')]
    """
    found = []
    is_other_kind = before.get("policy.kind") != after.get("policy.kind")
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new or (
            is_other_kind and name.startswith("policy.") and (name not in after or not name.startswith(ROUTES))
        ):
            # Settings that only another kind of policy has follow from the kind.
            continue
        kind = _kind(name, old, new)
        if kind is None:
            continue
        why = {"answers": ASK_SUITE, "unseen": ASK_ROLLOUT}.get(kind, "")
        line = _line(name, lines or {})
        found.append(Difference(name, _written(old), _written(new), kind, why, line))
    return tuple(found)


def asks_for_suite(found: tuple[Difference, ...]) -> bool:
    """Whether something differs of which logged traffic tells nothing."""
    return any(one.kind in {"answers", "unseen"} for one in found)


def routes_otherwise(found: tuple[Difference, ...]) -> bool:
    """Whether something differs of which logged traffic tells."""
    return any(one.kind in {"routing", "stricter"} for one in found)


def _kind(name: str, old: object, new: object) -> DifferenceKind | None:
    """What follows from a difference; None: nothing that a reader must know."""
    if name.startswith("tiers."):
        part = name.split(".", 3)[2] if name.count(".") >= 2 else ""
        return "answers" if part in OF_ANSWERS else None
    if not name.startswith(SECTIONS):
        return None
    if name in DECIDES_NOTHING:
        return "none"
    if name == "constraints.never_cheap":
        return "routing" if set(_items(old)) <= set(_items(new)) else "unseen"
    if name in STRICTER_WHERE_FALSE:
        return "stricter" if new is False else "unseen"
    if name == "constraints.cheap_max_input_tokens":
        is_less = isinstance(new, int) and (old is None or (isinstance(old, int) and new < old))
        return "stricter" if is_less else "unseen"
    return "routing" if name.startswith(ROUTES) else "unseen"


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, tuple | list) else ()


def _line(name: str, lines: Mapping[str, int]) -> int | None:
    """The line of a setting, else that of the table that it stands in."""
    while name:
        if name in lines:
            return lines[name]
        name = name.rpartition(".")[0]
    return None


def _written(value: object) -> str:
    match value:
        case None:
            return "unset"
        case tuple() | list():
            return ", ".join(map(str, value)) or "none"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
