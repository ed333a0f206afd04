"""The week of a real (simulated) log and of what stands beside it in a store."""

import pytest

from undertow.adapters.guard.book import StoreGuardBook
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.weekly import WEEK, run_week
from undertow.cli.audit import parse_date
from undertow.records.guard import GuardMemory, TrailEntry
from week_factory import simulate_weeks


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("week") / "log"
    simulate_weeks(folder)
    return folder


def test_the_week_ends_with_the_log_and_the_guards_trail_is_read(log):
    end = parse_date("2026-02-09")
    entry = TrailEntry(
        id="e1",
        at="2026-02-05T00:00:00Z",
        who="anna",
        kind="route_back",
        segment="intent=billing",
        why="seen in tickets",
    )
    book = StoreGuardBook(log)
    with book.locked():
        book.write(None, GuardMemory(at="2026-02-05T00:00:00Z", suggested=("e2",)), (entry,))
    found = run_week(AuditRequest((str(log),)))
    assert found.week == (end - WEEK, end)
    assert found.before is not None
    assert [one.id for one in found.actions] == ["e1"]
    assert "suggestion" in found.next[0]
    assert sum(one.now for one in found.traffic) > 3_000


def test_another_end_and_a_log_that_began_in_the_week(log):
    found = run_week(AuditRequest((str(log),), until=parse_date("2026-01-10")))
    assert found.week[1] == parse_date("2026-01-10")
    assert found.before is None
