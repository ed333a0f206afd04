"""The added loss: estimate, interval, evidence, and how many labels are missing."""

import numpy as np
import pytest

from gate_factory import rows
from undertow.actions.added_loss import added_loss, effective_labels, labels_missing, log_e_above, log_e_below
from undertow.records.gate import ComparedRows


def test_the_interval_holds_the_estimate_and_narrows_with_labels():
    widths = []
    for n in (200, 2_000, 20_000):
        found = added_loss(rows(n, 0.05), 0.025, 0.05)
        assert found.low <= found.loss <= found.high
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)


def test_nothing_is_lost_where_nothing_is_served():
    compared = rows(50, 0.2)
    none = ComparedRows(
        *(0.0 * getattr(compared, name) for name in ("low", "high", "least", "most", "cheap")),
        compared.weight,
        compared.labelled,
    )
    assert added_loss(none, 0.025, 0.05).high == 0.0


def test_what_is_taken_off_makes_the_loss_negative():
    n = 400
    taken = -(np.arange(n) < 40).astype(float)
    compared = ComparedRows(
        taken,
        taken,
        -(np.arange(n) < 100).astype(float),
        np.zeros(n),
        (np.arange(n) >= 100).astype(float),
        np.ones(n),
        np.ones(n, dtype=bool),
    )
    found = added_loss(compared, 0.025, 0.05)
    assert found.loss == pytest.approx(-40 / 300)
    assert found.low < found.loss < found.high < 0.0


def test_requests_without_a_label_are_neither_shown_to_lose_nor_ruled_out():
    blind = rows(2_000, 0.0, blind=1.0)
    found = added_loss(blind, 0.025, 0.05)
    assert found.loss is None
    assert found.low <= 0.0
    assert found.high > 0.9
    half = added_loss(rows(2_000, 0.0, blind=0.5), 0.025, 0.05)
    assert half.high > 0.5


def test_a_common_factor_of_the_weights_changes_nothing():
    light, heavy = (rows(500, 0.1, newly=0.4, weight=np.linspace(1, 3, 500) * factor) for factor in (1.0, 1e6))
    one, other = added_loss(light, 0.025, 0.05), added_loss(heavy, 0.025, 0.05)
    assert (one.loss, one.low, one.high) == pytest.approx((other.loss, other.low, other.high))


def test_evidence_speaks_for_one_side_only():
    losing, fine = rows(1_000, 0.1), rows(1_000, 0.0)
    assert log_e_above(losing, 0.02) > np.log(1e6)
    assert log_e_below(losing, 0.02) < 0.0
    assert log_e_below(fine, 0.02) > np.log(1e3)
    assert log_e_above(fine, 0.02) < 0.0


def test_so_many_labels_more_do_settle_it():
    few = rows(100, 0.0)
    missing = labels_missing(few, 0.02, 0.05)
    assert added_loss(few, 0.025, 0.05).high > 0.02
    assert added_loss(rows(100 + missing, 0.0), 0.025, 0.05).high <= 0.02 + 1e-9
    assert added_loss(rows(100 + missing // 2, 0.0), 0.025, 0.05).high > 0.02
    none = rows(0, 0.1)
    assert labels_missing(none, 0.02, 0.05) == pytest.approx(100 + missing, rel=0.05)


def test_labels_that_lean_to_a_loss_are_counted_as_if_there_were_none():
    assert labels_missing(rows(40, 0.3), 0.02, 0.05) >= labels_missing(rows(40, 0.0), 0.02, 0.05)


def test_labels_of_unequal_weight_are_worth_less():
    assert effective_labels(rows(100, 0.1)) == pytest.approx(100)
    weight = np.where(np.arange(100) < 5, 100.0, 1.0)
    assert effective_labels(rows(100, 0.1, weight=weight)) < 10
