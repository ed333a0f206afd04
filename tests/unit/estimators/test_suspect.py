from dataclasses import replace

import pytest

from undertow.estimators.loss import LossEstimate
from undertow.estimators.suspect import is_suspect

BROKEN = LossEstimate(-0.4, -0.6, -0.2, 0.001, 200, quality=0.43, reference_quality=0.03, reference_n=150)


def test_a_reference_that_fails_nearly_always_in_one_place_is_suspect():
    assert is_suspect(BROKEN, 0.82)


@pytest.mark.parametrize(
    ("found", "overall"),
    [
        (BROKEN, None),
        (BROKEN, 0.3),
        (replace(BROKEN, reference_n=10), 0.82),
        (replace(BROKEN, quality=0.1), 0.82),
        (replace(BROKEN, reference_quality=0.3), 0.82),
        (replace(BROKEN, quality=None), 0.82),
        (replace(BROKEN, reference_quality=None), 0.82),
    ],
    ids=[
        "no overall quality",
        "everything fails",
        "few labels",
        "both fail",
        "merely hard",
        "no labels",
        "no reference",
    ],
)
def test_anything_less_is_not(found, overall):
    assert not is_suspect(found, overall)


def test_a_segment_that_the_cheap_tier_loses_is_never_suspect():
    assert not is_suspect(LossEstimate(0.6, 0.5, 0.7, 0.001, 200, 0.1, 0.7, 150), 0.82)
