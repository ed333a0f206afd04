"""The keeper's guard: what it does is told, and what stands in its way is told loudly and stops nothing else."""

from datetime import UTC, datetime

import msgspec
import pytest

from undertow.adapters.guard.book import StoreGuardBook
from undertow.bootstrap.watching import Watched
from undertow.keeper.guarding import UNSERVED, Guarding, serving_fault
from undertow.records.guard import TRAIL, TrailEntry
from undertow.records.runtime_files import SUPERVISION
from undertow.records.serving import PolicyPlan, RolloutPlan, ServingPlan

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING_YET = Watched(None, (), None, is_changed=False)


def guarding(store, runtime_dir=True):
    policy = PolicyPlan(name="auto", version="v1", kind="cascade", tiers=("cheap", "capable"))
    plan = ServingPlan(tiers=(), policies=(policy,), rollout=RolloutPlan(enabled=True))
    return Guarding(store, plan, store.parent if runtime_dir else None, now=lambda: NOW)


def events(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "undertow.keeper"]


def test_what_is_done_is_logged_counted_and_handed_to_the_alerts(tmp_path, caplog):
    job = guarding(tmp_path / "s")
    with caplog.at_level("INFO", logger="undertow.keeper"):
        assert job.look(NOTHING_YET) == {"guard_actions": 1, "guard_suggestions": 0, "guard_failures": 0}
        assert job.look(NOTHING_YET)["guard_actions"] == 0
    assert events(caplog) == [("WARNING", "guard_action")]
    assert [entry.kind for entry in job.trail] == ["start"]


def test_beside_another_gateway_no_rollout_begins_of_what_the_settings_compile_to(tmp_path):
    """Who serves may have read other settings, and has served by them for long."""
    job = guarding(tmp_path / "s", runtime_dir=None)
    assert job.look(NOTHING_YET)["guard_actions"] == 0
    assert job.trail == ()


def test_another_guard_at_work_is_said(tmp_path, caplog):
    job = guarding(tmp_path / "s")
    with StoreGuardBook(tmp_path / "s").locked() as is_mine, caplog.at_level("INFO", logger="undertow.keeper"):
        assert is_mine
        assert job.look(NOTHING_YET)["guard_actions"] == 0
    assert events(caplog) == [("INFO", "guard_busy")]


def test_a_trail_that_cannot_be_read_is_an_error_and_no_exception(tmp_path, caplog):
    store = tmp_path / "s"
    (store / TRAIL).parent.mkdir(parents=True)
    entry = TrailEntry(id="a", at="2026-03-01T00:00:00Z", who="guard", kind="route_back")
    (store / TRAIL).write_bytes(b"no entry\n" + msgspec.json.encode(entry) + b"\n")
    with caplog.at_level("INFO", logger="undertow.keeper"):
        assert guarding(store).look(NOTHING_YET) == {"guard_failures": 1}
    assert events(caplog) == [("ERROR", "guard_failed")]


def test_a_store_that_cannot_be_written_is_an_error(tmp_path, caplog):
    (tmp_path / "s").write_text("no folder")
    (tmp_path / "s.guard").write_text("no folder")
    with caplog.at_level("INFO", logger="undertow.keeper"):
        assert guarding(tmp_path / "s").look(NOTHING_YET)["guard_failures"] == 1
    assert ("ERROR", "guard_failed") in events(caplog)


@pytest.mark.parametrize(
    ("written", "fault"),
    [(b'{"pins_unserved": 1, "workers": 2}', UNSERVED), (b'{"pins_unserved": 0}', ""), (b"half", ""), (None, "")],
)
def test_what_the_supervisor_cannot_serve_by(tmp_path, written, fault):
    if written is not None:
        (tmp_path / SUPERVISION).write_bytes(written)
    assert serving_fault(tmp_path) == fault
    assert serving_fault(None) == ""


def test_a_fault_of_our_own_is_an_error_and_no_exception(tmp_path, caplog, monkeypatch):
    def fails(*_args, **_more):
        raise AssertionError("words of users")

    monkeypatch.setattr("undertow.bootstrap.guarding.guard_store", fails)
    with caplog.at_level("INFO", logger="undertow.keeper"):
        assert guarding(tmp_path / "s").look(NOTHING_YET) == {"guard_failures": 1}
    assert events(caplog) == [("ERROR", "guard_failed")]


def test_the_name_of_a_topic_stays_out_of_the_log(tmp_path, caplog):
    entry = TrailEntry(id="a", at="", who="guard", kind="route_back", segment="topic=my parcel", after="topic=my parcel goes up", why="my parcel")  # fmt: skip
    with caplog.at_level("INFO", logger="undertow.keeper"):
        guarding(tmp_path / "s")._tell(entry)
    assert "parcel" not in str(vars(caplog.records[-1]))
