"""Foreign scores and feedback -> the value, kind and selection of a canonical signal.

Other tools leave scale, direction and who gave a score open. What can be told from the row is told; the rest is said in the
mapping file, `[signals.NAME]`. A value outside [0, 1] with no scale is set aside, never squeezed.
"""

import math
from collections.abc import Mapping
from typing import Any

from undertow.adapters.importers.fields import Fields
from undertow.adapters.importers.mapping import SignalRule
from undertow.adapters.importers.rows import Rejected, Signal

GOOD_WORDS = frozenset({
    "good", "pass", "passed", "correct", "yes", "true", "positive", "up", "thumbs_up", "thumbs-up", "like", "liked", "helpful",
    "relevant", "factual", "faithful", "grounded", "accurate", "success", "successful", "satisfied", "resolved", "accept", "accepted",
})  # fmt: skip
BAD_WORDS = frozenset({
    "bad", "fail", "failed", "incorrect", "no", "false", "negative", "down", "thumbs_down", "thumbs-down", "dislike", "disliked",
    "unhelpful", "irrelevant", "hallucinated", "hallucination", "unfaithful", "ungrounded", "inaccurate", "failure", "unsuccessful",
    "unsatisfied", "dissatisfied", "unresolved", "reject", "rejected",
})  # fmt: skip


def quality(value: Any, rule: SignalRule | None, fields: Fields) -> float | str:
    """A value in [0, 1], 1 best, or the reason why there is none.

    Examples:
        >>> quality(4, SignalRule("stars", scale=(1.0, 5.0)), Fields())
        0.75
        >>> quality("thumbs_down", None, Fields()), quality(4, None, Fields())
        (0.0, 'score_out_of_scale')
    """
    if value is None or value == "":
        return "score_missing"
    number: float | None = None
    if isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        word = value.strip().lower()
        if rule is not None and word in rule.values:
            return rule.values[word]
        if word in GOOD_WORDS or word in BAD_WORDS:
            number = float(word in GOOD_WORDS)
            return 1.0 - number if rule is not None and rule.direction == "down" else number
    if number is None:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return "score_not_a_number"
    if not math.isfinite(number):
        fields.issues["not_finite:score"] += 1
        return "score_not_a_number"
    if rule is not None and rule.values and str(value).strip().lower() in rule.values:
        return rule.values[str(value).strip().lower()]
    if rule is not None and rule.scale is not None:
        worst, best = rule.scale
        number = (number - worst) / (best - worst)
    if rule is not None and rule.direction == "down":
        number = 1.0 - number
    if not -1e-9 <= number <= 1 + 1e-9:
        return "score_out_of_scale"
    return min(max(number, 0.0), 1.0)


def signal(
    base: Mapping[str, Any],
    *,
    name: str,
    kind: str,
    value: Any,
    fields: Fields,
    rules: Mapping[str, SignalRule],
    selection: str | None = None,
    refs: tuple[str, ...] = (),
    context: tuple[str, ...] = (),
    version: float = 0.0,
) -> Signal | Rejected:
    """A signal from a foreign score; `rules` may change its kind, name, scale and selection.

    `base` holds the columns that are already known: signal_id, event_time, ids, source.
    """
    rule = rules.get(name)
    kind = (rule.kind if rule else None) or kind
    if kind == "outcome":
        number = fields.number(value, "outcome")
        if number is None:
            return Rejected("score_not_a_number")
    else:
        scaled = quality(value, rule, fields)
        if isinstance(scaled, str):
            return Rejected(scaled)
        number = scaled
    row = dict(base)
    row |= {"kind": kind, "name": (rule.name if rule else name)[:128], "value": number}
    probability = rule.inclusion_probability if rule else None
    if isinstance(probability, (int, float)):
        row["inclusion_probability"] = float(probability)
    chosen = (rule.selection if rule else None) or selection
    if chosen is None and kind in {"judge", "review", "shadow", "suite"} and row.get("inclusion_probability") is None:
        # Without its inclusion probability a sampled label can show change, never a level.
        chosen = "unknown"
    if chosen is not None:
        row["selection"] = chosen
    if rule and rule.source:
        row["source"] = rule.source
    return Signal(row, refs=refs, context=context, version=version)


def purpose_of(name: str) -> str:
    """Kind of a score whose source the log does not name, by the words in its name: feedback is volunteered, the rest is a judge's.

    Examples:
        >>> purpose_of("user-feedback"), purpose_of("csat"), purpose_of("faithfulness")
        ('thumb', 'rating', 'judge')
    """
    lowered = name.lower()
    if any(word in lowered for word in ("thumb", "feedback", "upvote", "like")):
        return "thumb"
    if any(word in lowered for word in ("rating", "csat", "nps", "stars", "satisfaction", "user")):
        return "rating"
    return "judge"
