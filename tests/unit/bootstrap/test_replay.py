import pytest

from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.replay import dotted_settings, run_replay
from undertow.config.settings import Settings
from undertow.errors import UsageError


def settings(**changed):
    return Settings.model_validate(changed)


def test_settings_are_named_by_their_dots():
    names = dotted_settings(settings(outcomes={"ticket": {"usd": 3.0}}))
    assert names["outcomes.ticket.usd"] == 3.0
    assert names["constraints.never_cheap"] == ()


def test_the_same_settings_are_nothing_to_replay():
    request = AuditRequest(("nowhere",))
    with pytest.raises(UsageError, match="--set"):
        run_replay(request, request)


def test_what_cannot_be_replayed_alone_is_refused_with_its_reason():
    first, second = AuditRequest(("nowhere",)), AuditRequest(("nowhere",), settings=settings(holdout={"share": 0.2}))
    with pytest.raises(UsageError, match=r"holdout\.share: who is held out"):
        run_replay(first, second)
