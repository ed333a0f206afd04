"""The closed lists of the contract in plain words: verdicts, states, causes, bases, monitors, references.

Every face (terminal, HTML, Markdown) takes its words and symbols from here, so that they agree. A state is always a word and a
symbol, never a colour alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from undertow.records.report import Alarm, Basis, Cause, LossParts, Verdict
from undertow.records.segment import Segment
from undertow.reports import figures
from undertow.reports.names import clip

Tone = Literal["good", "bad", "unsure"]


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """How a verdict is said.

    Attributes:
        title: Its name in capitals of a heading.
        symbol, ascii_symbol: Beside the name, with and without Unicode.
        tone: What colour it may have.
        sentence: What it means, for a reader who has never seen the word.
    """

    title: str
    symbol: str
    ascii_symbol: str
    tone: Tone
    sentence: str


VERDICTS: dict[Verdict, VerdictWords] = {
    "healthy": VerdictWords(
        "Healthy", "✓", "[ok]", "good", "Every tier was shown to lose no more quality than the margin allows."
    ),
    "quality_loss": VerdictWords(
        "Quality loss", "▲", "[!]", "bad", "Routing made answers worse in at least one tier and segment."
    ),
    "pareto_trap": VerdictWords(
        "Pareto trap", "▼", "[!!]", "bad", "Routing made answers worse, and the damage costs more than routing saves."
    ),
    "inconclusive": VerdictWords(
        "Inconclusive", "?", "[?]", "unsure", "The log neither shows a loss nor rules one out."
    ),
}


@dataclass(frozen=True, slots=True)
class StateWords:
    """How the state of a segment is said."""

    word: str
    symbol: str
    ascii_symbol: str
    tone: Tone
    sentence: str


STATES: dict[str, StateWords] = {
    "beyond": StateWords("beyond margin", "▲", "!", "bad", "shown to lose more than the margin"),
    "open": StateWords("open", "?", "?", "unsure", "the interval includes the margin: more labels are needed"),
    "suspect": StateWords("labels suspect", "~", "~", "unsure", "the labels look broken, so it is kept out"),
    "no_data": StateWords("no labels", "·", "-", "unsure", "nothing to judge it by"),
    "inside": StateWords("inside margin", "✓", "=", "good", "shown to lose less than the margin"),
}
"""Worst first."""

CAUSES: dict[Cause, str] = {
    "routing": "routing: like requests are answered worse by this tier than by the reference",
    "provider": "provider: the model changed for everyone who uses it, not only for routed traffic",
    "mix": "mix: traffic moved to requests on which the tiers do not differ",
    "unknown": "unknown: this log cannot tell routing, provider and mix apart",
}

BASES: dict[Basis, str] = {
    "human": "labels given by people",
    "exact": "checks with a right answer",
    "anchored": "judge scores corrected by human labels",
    "judge": "judge scores alone, which prove no harm",
    "behaviour": "what users did next",
}

MONITORS: dict[str, str] = {
    "quality": "answer quality",
    "shadow": "pairs: both tiers answered the same request",
    "confidence": "routing confidence drifted",
    "input": "requests drifted",
    "share": "share of traffic per tier drifted",
    "answer": "answers changed in length, refusals or hedging",
    "calibration": "confidence no longer means what it says",
    "judge": "judge scores fell",
    "outcome": "business outcome moved",
}


@dataclass(frozen=True, slots=True)
class ComparisonWords:
    """How an amount of money is known: a word and a sign, never a colour alone."""

    word: str
    symbol: str
    sentence: str


COMPARISONS: dict[bool, ComparisonWords] = {
    True: ComparisonWords("causal", "◆", "told by the randomised holdout"),
    False: ComparisonWords("observed", "◇", "told by a comparison over time, or by an estimate: no proof"),
}
"""By whether an amount is causal."""

REFERENCES: dict[str, str] = {
    "holdout": "concurrent randomised holdout",
    "pairs": "human-anchored pairs",
    "pre_routing": "the period before routing",
    "own_first_period": "each tier's own first period",
    "none": "nothing to compare with",
}

CHANGES: dict[str, str] = {
    "model": "model",
    "model_fingerprint": "model fingerprint",
    "policy": "policy",
    "policy_version": "policy version",
    "calibration_version": "calibration",
    "prompt_hash": "prompt",
}


def monitor_words(monitor: str) -> str:
    """A monitor in words; one that this version does not know keeps its own name."""
    return MONITORS.get(monitor, monitor)


def sentence(text: str) -> str:
    """The text with a capital at its start, for notes that stand alone.

    Examples:
        >>> sentence("the holdout did not move")
        'The holdout did not move'
    """
    return text[:1].upper() + text[1:]


def alarm_kind(alarm: Alarm) -> str:
    """What the alarm was tested against, and whether the loss is already beyond the margin."""
    match alarm.kind:
        case "level":
            against = "loss beyond the margin, against the reference"
        case "drift":
            return "drift of what the router sees; no proof of harm"
        case _:
            against = "worse than its own earlier period"
    match alarm.beyond_margin:
        case True if alarm.kind == "change":
            return f"{against}, and already beyond the margin"
        case False:
            return f"{against}; not yet shown beyond the margin"
        case _:
            return against


def parts(divided: LossParts, name: Callable[[Segment], str], most: int = 3) -> str:
    """How a tier's rise of failures divides, in points.

    Args:
        divided: The parts.
        name: How a segment is written.
        most: Segments that are named.

    Examples:
        >>> some = LossParts(0.05, 0.01, (0.0, 0.02), 0.04, (0.02, 0.06), "intent")
        >>> parts(some, str)
        '4.0 points (2.0 to 6.0 points) inside segments of intent; 1.0 points (0.0 to 2.0 points) traffic that moved between them'
    """
    told = [
        f"{figures.points(part.value)} in {'segments with few labels' if part.segment is None else name(part.segment)}"
        for part in divided.segments[:most]
        if part.value > 0
    ]
    inside = f", of that {', '.join(told)}" if told else ""
    return (
        f"{figures.points(divided.within)} ({figures.points_interval(divided.within_interval)}) inside segments of "
        f"{clip(divided.key, 24)}{inside}; {figures.points(divided.mix)} ({figures.points_interval(divided.mix_interval)}) "
        "traffic that moved between them"
    )


GLOSSARY: tuple[tuple[str, str], ...] = (
    ("Tier", "A price class of model, ordered by cost. The cheap tier answers what the policy thinks is easy."),
    ("Segment", "A label of a request, such as intent=billing. Losses hide in segments while the average looks fine."),
    (
        "Signal",
        "One observation of quality: a review, a rating, a check, a thumb. Named kind.name, such as review.accuracy.",
    ),
    (
        "Loss",
        "Quality of the capable tier minus quality of the cheap tier on the same kind of request, in points. Positive is bad.",
    ),
    ("Margin", "The largest loss that you accept. It is your choice, not a result."),
    ("Reference", "What a tier is compared with: best, a randomised holdout that the capable tier keeps answering."),
    ("Holdout", "A few per cent of requests kept on the capable tier by chance, so that the comparison is causal."),
    (
        "Interval",
        "Where the true value lies at the stated level. It holds however often you look, so it is wider than a textbook one.",
    ),
    (
        "Alarm",
        "Evidence of harm strong enough for the false-alarm rate that you chose, over all tiers and segments together.",
    ),
    ("Warning", "Something moved that often comes before harm, or only a judge saw it. It proves no harm by itself."),
    ("Onset", "When the change is estimated to have begun. It lies before the day it was detected."),
    (
        "Evidence",
        "How strongly the data speak against 'nothing changed', on a log scale. At the alarm line an alarm is raised.",
    ),
    ("Confidence", "The router's own estimate that the cheap answer is as good. A router can be confident and wrong."),
    ("Net value", "Savings minus the cost of watching and of what the quality loss causes downstream, in USD a month."),
    ("Pareto trap", "A setting that looks better on cost and average quality, and is worse on what nobody plotted."),
)
