"""Draws of a store are counted as they are in memory, and draws that are not what was said are noted by the audit."""

from pathlib import Path

import pytest

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.draw_counts import draw_counts
from undertow.adapters.store.log import StoreDecisionLog
from undertow.bootstrap.audit import AuditRequest, run_audit
from undertow.records.sampling import Drawn
from undertow.records.serving import StorePlan
from undertow.sampling.audit import count_draws
from unit.adapters.store.rows import record

ROWS = 1500


def store(path: Path, chosen_every: int) -> list[Drawn]:
    """Decisions drawn with probability .1, of which one in `chosen_every` was chosen."""
    log, draws = StoreDecisionLog(StorePlan(path=str(path)), "w0"), []
    for i in range(ROWS):
        chosen = i % chosen_every == 0
        draws.append(Drawn("review", "tail+intent=billing" if i % 50 == 1 and chosen else "tail", 0.1, chosen))
        log.finish(record(i, draws=(draws[-1],), tier="cheap" if i % 2 else "capable"))
    log.close()
    compact(path)
    return draws


def test_counts_are_those_of_the_draws(tmp_path):
    draws = store(tmp_path, 10)
    (found,) = draw_counts(tmp_path)
    (expected,) = count_draws(draws)
    assert (found.purpose, found.stratum, found.decisions, found.chosen) == ("review", "tail", ROWS, 150)
    assert found.expected == pytest.approx(expected.expected)


@pytest.mark.parametrize(("chosen_every", "is_noted"), [(10, False), (3, True)])
def test_the_audit_says_so_where_more_were_chosen_than_was_said(tmp_path, chosen_every, is_noted):
    store(tmp_path, chosen_every)
    notes = run_audit(AuditRequest((str(tmp_path),))).coverage.notes
    assert any("do not match what was drawn" in note for note in notes) is is_noted
