"""Labels that look broken: a segment in which the reference fails nearly always while the cheaper tier does not.

A capable model that gets 3 % of a subject right and 80 % of all others has met a broken grader or parser, not a hard
subject. Such a segment is shown as suspect and kept out of the comparison; it is never a win for the cheaper tier.
"""

from undertow.estimators.loss import LossEstimate

MIN_LABELS = 20
IMPLAUSIBLE = 0.25
"""A reference quality below this fraction of the reference's overall quality ..."""
GAP = 0.15
"""... and below the cheaper tier's by more than this."""
SOUND = 0.4
"""The rule asks for an overall reference quality of at least this: where everything fails, nothing stands out."""


def is_suspect(found: LossEstimate, overall_reference_quality: float | None) -> bool:
    """Whether a segment's labels look broken.

    Examples:
        >>> found = LossEstimate(-0.4, -0.6, -0.2, 0.001, 200, 0.43, 0.03, 150)
        >>> is_suspect(found, 0.82), is_suspect(found, None)
        (True, False)
    """
    if overall_reference_quality is None or found.quality is None or found.reference_quality is None:
        return False
    return (
        found.reference_n >= MIN_LABELS
        and overall_reference_quality >= SOUND
        and found.reference_quality < IMPLAUSIBLE * overall_reference_quality
        and found.quality - found.reference_quality > GAP
    )
