"""What a reviewer may answer, as words and keys, and which quality it means."""

from dataclasses import dataclass
from math import isfinite

from undertow.reviewing.cases import Case, is_served_first

GRADES = {
    "1": 0.0, "2": 0.25, "3": 0.5, "4": 0.75, "5": 1.0,
    "y": 1.0, "yes": 1.0, "good": 1.0, "n": 0.0, "no": 0.0, "bad": 0.0,
}  # fmt: skip
"""Words for one answer, and its quality."""

CHOICES = {
    "a": (1.0, 0.0), "b": (0.0, 1.0), "t": (1.0, 1.0), "tie": (1.0, 1.0), "both": (1.0, 1.0), "x": (0.0, 0.0), "neither": (0.0, 0.0),
}  # fmt: skip
"""Words for two answers, and the qualities of the first and the second one shown."""

KEYS_FOR_ONE = "y n 1 2 3 4 5"
KEYS_FOR_TWO = "a b t x"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Qualities that an answer of a reviewer means.

    Attributes:
        value: Of the answer that was served, in [0, 1].
        reference_value: Of the other one; None: it was not judged.
    """

    value: float
    reference_value: float | None = None


def read_verdict(said: str | float, case: Case, reference_value: float | None = None) -> Verdict | None:
    """The verdict, or None: it is none for this case.

    Args:
        said: A word of `GRADES` or `CHOICES` in any case, or a number in [0, 1], which is the served answer's quality.
        case: What it was said of. Words for two answers need two.
        reference_value: With a number: the other answer's quality.

    Examples:
        >>> case = Case("d-2", 0.0, "cheap", {}, "tail", 0.1, "?", "served", "other")
        >>> read_verdict("tie", case), read_verdict(0.5, case), read_verdict(7.0, case)
        (Verdict(value=1.0, reference_value=1.0), Verdict(value=0.5, reference_value=None), None)
        >>> is_served_first("d-2"), read_verdict("A", case)
        (False, Verdict(value=0.0, reference_value=1.0))
    """
    if isinstance(said, str):
        word = said.strip().lower()
        if word in CHOICES and case.reference_answer is not None:
            first, second = CHOICES[word]
            return Verdict(first, second) if is_served_first(case.decision_id) else Verdict(second, first)
        grade = GRADES.get(word)
        return None if grade is None else Verdict(grade)
    numbers = (said,) if reference_value is None else (said, reference_value)
    if not all(isfinite(number) and 0.0 <= number <= 1.0 for number in numbers):
        return None
    return Verdict(float(said), reference_value)
