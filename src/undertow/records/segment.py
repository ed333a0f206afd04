"""A segment: one `key=value` label of a decision, or the whole tier.

`Segment("intent", "billing")` is a segment; `WHOLE` (empty key) stands for all decisions of a tier and is written `{}` in JSON.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One `key=value` label of a decision.

    Examples:
        >>> Segment("intent", "billing").as_dict()
        {'intent': 'billing'}
        >>> str(Segment("intent", "billing")), str(WHOLE)
        ('intent=billing', 'whole tier')
    """

    key: str = ""
    value: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether this stands for all decisions of a tier."""
        return self.key == ""

    def as_dict(self) -> dict[str, str]:
        """The form that the JSON contract uses: `{}` for the whole tier."""
        return {} if self.is_whole else {self.key: self.value}

    def __str__(self) -> str:
        return "whole tier" if self.is_whole else f"{self.key}={self.value}"


WHOLE = Segment()
