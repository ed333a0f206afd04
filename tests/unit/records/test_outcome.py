"""What is known of outcomes on their way in."""

from undertow.records.outcome import UNJOINED, WAITING, OutcomeJoins


def test_what_waits_is_what_a_decision_to_come_can_still_join():
    joins = OutcomeJoins(
        source="outcomes:crm",
        name="ticket",
        outcomes=9,
        deleted=0,
        corrected=0,
        joined={"decision": 1, "conversation": 0, "user": 2},
        unjoined={"unknown_user": 3, "unknown_decision": 1, "outside_attribution_window": 2},
        ineligible=0,
        last_event=None,
        attribution_days=14.0,
        maturity_days=14.0,
        mature=0,
        is_priced=False,
    )
    assert joins.waiting == 4


def test_every_reason_that_waits_is_explained():
    assert set(WAITING) < set(UNJOINED)
