"""The last good version: earlier, and nothing was alarmed about under it."""

from guard_factory import episode, text
from undertow.actions.versions import KnownVersion, last_good


def known(*days):
    return [KnownVersion("auto", f"v{i}", text(day)) for i, day in enumerate(days, 1)]


def test_a_version_that_began_before_the_onset_is_not_the_cause():
    trouble = episode()  # onset within days 14 to 18
    assert last_good(known(0, 13.9), trouble, [trouble], "v2") is None
    assert last_good(known(0, 16), trouble, [trouble], "v2") == "v1"
    assert last_good(known(0, 18.1), trouble, [trouble], "v2") is None


def test_versions_with_an_alarm_of_their_own_or_rolled_back_are_passed_over():
    trouble, older = episode(), episode("e0", day=11, closed_at=text(12))  # onset until day 9: under v2
    versions = known(0, 8, 16)
    assert last_good(versions, trouble, [trouble], "v3") == "v2"
    assert last_good(versions, trouble, [older, trouble], "v3") == "v1"
    assert last_good(versions, trouble, [older, trouble], "v3", frozenset({"v1"})) is None
    assert last_good(versions, trouble, [episode("w", day=11, kind="warning"), trouble], "v3") == "v2"


def test_without_an_onset_or_a_known_version_there_is_none():
    assert last_good(known(0, 16), episode(onset_interval=None), [], "v2") is None
    assert last_good(known(0, 16), episode(), [], "v9") is None
    assert last_good([KnownVersion("other", "v1", text(0)), *known(16)], episode(), [], "v1") is None
