"""A finding of `undertow doctor`: something that a verdict would need and that is not there."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocks", "weakens", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is missing.

    Attributes:
        check: Its name: what scripts look for, and its heading in docs/how-to/doctor.md.
        severity: blocks: no verdict but `inconclusive` can come out; weakens: some verdicts cannot, or the comparison
            is not causal; note: worth knowing.
        seen: What is there, with counts.
        why: Why it matters.
        todo: What to do about it.
    """

    check: str
    severity: Severity
    seen: str
    why: str
    todo: str
