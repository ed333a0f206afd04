"""The past, day by day, through the same decisions."""

import msgspec

from guard_factory import at, episode, text, tier
from undertow.actions.at_alarm import AlarmLook
from undertow.records.serving import GuardPlan, RolloutPlan
from undertow.services.guard import GuardLook
from undertow.services.guard_dry_run import dry_run

GUARD = GuardPlan(route_back="automatic", tighten="suggest", stop_rollout="off", max_actions_per_day=1)
DAYS = [at(day) for day in range(18, 24)]


def past(moment):
    """Nothing to audit on the first day; an alarm from day 20 on, another from day 22 on, the first over on day 23."""
    if moment < at(19):
        return None
    found = [
        each for each in (episode(), episode("e2", "intent=faq", 22)) if each.detected_at <= text((moment - at(0)).days)
    ]
    found = [msgspec.structs.replace(e, closed_at=text(23)) if moment >= at(23) and e.id == "e1" else e for e in found]
    return GuardLook(
        AlarmLook(tuple(found), frozenset(e.id for e in found), serving={"auto": "v1"}), lambda state, _: (tier(state),)
    )


def test_actions_come_on_their_days_once_and_nothing_counts_as_done():
    found = dry_run(DAYS, past, GUARD, RolloutPlan())
    assert [(e.kind, e.status, e.segment, e.at) for e in found.entries] == [
        ("route_back", "dry", "intent=billing", text(20)),
        ("route_back", "dry", "intent=faq", text(22)),
    ]
    assert found.skipped == 1
    assert {each.segment for each in found.in_force["auto"].restrictions} == {"intent=billing", "intent=faq"}


def test_a_rollout_would_have_gone_on_by_a_stage_a_day():
    found = dry_run(DAYS, past, GuardPlan(route_back="off"), RolloutPlan(enabled=True, margin=0.02))
    advances = [e for e in found.entries if e.kind == "advance" and not e.segment]
    assert [(e.status, e.evidence["to"]) for e in advances] == [("dry", stage) for stage in range(1, len(advances) + 1)]
    assert advances
    assert any(e.kind == "step_back" and e.segment == "intent=billing" for e in found.entries)
