"""Versions for people: which serves, which was rolled back, and what the last change was."""

import pytest

from undertow.dashboard.policy_versions import difference, version_rows
from undertow.errors import UsageError
from undertow.records.guard import Controls, Pin, PolicyControls, PolicyVersion
from undertow.records.serving import PolicyPlan


def version(name, policy="auto", at="2026-03-01T00:00:00Z", **values):
    plan = PolicyPlan(name=policy, version=name, kind="cascade", tiers=("cheap",), **values)
    return PolicyVersion(version=name, first_served_at=at, policy=plan, tiers={"cheap": {"model": "small"}})


KNOWN = (
    version("a1", threshold=0.5),
    version("b1", "other"),
    version("a2", threshold=0.6),
    version("a3", threshold=0.8),
)


def test_the_latest_comes_first_with_what_it_is_now():
    held = Controls(version=1, at="t", policies={"auto": PolicyControls(pin=Pin(bad="a3", good="a2", source="x"))})
    rows = version_rows(KNOWN, {"auto": "a2", "other": "b1"}, held)
    assert [(row.version, row.mark) for row in rows] == [
        ("a3", "rolled back"),
        ("a2", "serves"),
        ("b1", "serves"),
        ("a1", ""),
    ]
    assert rows[0].tiers == (("cheap", "small"),)
    assert version_rows(KNOWN[:1], {}, None)[0].mark == ""
    assert version_rows((version("x", at="once"),), {}, None)[0].since is None


def test_by_default_the_last_change_of_the_policy_that_changed_last():
    found = difference(KNOWN, "", "")
    assert (found.before, found.after) == ("a2", "a3")
    assert found.changes == (("policy.threshold", "0.6", "0.8"),)
    assert difference(KNOWN, "", "a2").before == "a1", "not the version of another policy between them"
    assert difference(KNOWN, "a1", "a3").changes == (("policy.threshold", "0.5", "0.8"),)
    assert difference(KNOWN, "a1", "a1").changes == ()


def test_nothing_to_compare_and_no_such_version():
    assert difference((), "", "") is None
    assert difference(KNOWN[:1], "", "") is None
    assert difference(KNOWN, "", "b1") is None
    with pytest.raises(UsageError, match="no version that has served"):
        difference(KNOWN, "a", "a3")
