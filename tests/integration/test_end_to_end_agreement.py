"""Drawn sufficient statistics and the rows that have them, read back from files, give the same audit.

The null study of 500 seeds rests on that (benchmarks/healthy_audits.py); there 20 whole half-years are compared.
"""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from undertow.services.audit import audit


@pytest.fixture(scope="module")
def agreement():
    """The benchmark's own comparison, imported from where it stands."""
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module("detection_end_to_end")
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def both_ways(agreement):
    """Ten weeks of the story at 300 decisions a day."""
    plan = agreement.small(agreement.plans()["story"], 300, weeks=10)
    return agreement.through_files(plan, 1)


def test_cells_evidence_alarms_and_verdict_agree(agreement, both_ways):
    assert agreement.differences(*both_ways) == []


def test_the_log_compared_raises_an_alarm_and_holds_both_signals(agreement, both_ways):
    _, found = both_ways
    assert audit(found, agreement.SETTINGS).alarms
    assert found.signals == ("review.accuracy", "thumb.helpful")
    assert found.coverage.joined == found.coverage.signals > 5_000


def test_one_label_more_is_noticed(agreement, both_ways):
    drawn, found = both_ways
    failures = found.labels.failures.copy()
    failures[np.flatnonzero(found.labels.segment == 0)[0]] += 1.0
    other = replace(found, labels=replace(found.labels, failures=failures))
    assert any("labels.failures" in problem for problem in agreement.differences(drawn, other))
