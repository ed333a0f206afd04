"""The next decision's date: about when an interval that is followed really passes."""

from datetime import timedelta

import numpy as np
import pytest

from guard_factory import at
from undertow.actions.forecast import LONGEST_DAYS, date_of, labels_until
from undertow.stats.confidence import gaussian_mixture_radius


def high(loss, sd, n, level=0.975):
    return loss + sd * float(gaussian_mixture_radius(n, level)) / np.sqrt(n)


@pytest.mark.parametrize("n", [100, 400, 2000])
def test_it_is_when_the_same_interval_passes(n):
    needed = labels_until(0.005, high(0.005, 0.3, n), n, 0.02, 0.975)
    assert high(0.005, 0.3, needed) < 0.02
    assert high(0.005, 0.3, needed * 0.95) > 0.02


def test_nothing_is_missing_where_it_passes_already():
    assert labels_until(0.0, 0.01, 500, 0.02, 0.975) == 500


@pytest.mark.parametrize(("loss", "n"), [(0.02, 500), (0.05, 500), (0.0, 0)])
def test_no_number_of_labels_brings_an_estimate_beyond_the_bound_below_it(loss, n):
    assert labels_until(loss, 0.09, n, 0.02, 0.975) is None


def test_dates():
    assert date_of(0, 10.0, at(1)) == at(1)
    assert date_of(25, 10.0, at(1)) == at(1) + timedelta(days=2.5)
    assert date_of(25, 0.0, at(1)) is None
    assert date_of(int(10 * LONGEST_DAYS) + 1, 10.0, at(1)) is None
