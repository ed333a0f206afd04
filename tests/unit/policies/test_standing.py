"""Which threshold is in force for whom, and why none is."""

import pytest

from sound_calibrations import calibration, certificate, group, prefix
from undertow.policies.standing import standings_of
from undertow.records.calibration import GroupState, PolicyState

GROUPED = calibration(group_key="intent", groups=(group(threshold=0.6), group("faq", 0.9), group("fraud", None)))


def standings(given=GROUPED, states=(), *, strict=False, commits=False):
    state = PolicyState(calibration_version="x", version=1, groups=tuple(states)) if states else None
    return standings_of(given, state, strict=strict, commits=commits)


def test_each_group_has_its_own():
    found = standings()
    assert {value: (each.threshold, each.blocked) for value, each in found.items()} == {
        None: (0.6, None),
        "faq": (0.9, None),
        "fraud": (None, "uncertified"),
    }
    assert [found[value].acceptance for value in (None, "fraud")] == [0.4, 0.0]


@pytest.mark.parametrize(
    ("state", "strict", "threshold", "blocked"),
    [
        (GroupState(value="faq", threshold=0.95), True, 0.95, None),
        (GroupState(value="faq", threshold=0.8), False, 0.8, None),
        (GroupState(value="faq", threshold=None), False, None, "uncertified"),
        (GroupState(value="faq", threshold=0.8, is_void=True), False, 0.8, None),
        (GroupState(value="faq", threshold=0.95, is_void=True), True, 0.95, "calibration_void"),
        (GroupState(value="faq", threshold=None, is_void=True), False, None, "calibration_void"),
    ],
)
def test_a_state_replaces_the_threshold_of_its_group_alone(state, strict, threshold, blocked):
    found = standings(states=[state], strict=strict)
    assert (found["faq"].threshold, found["faq"].blocked, found["faq"].is_void) == (threshold, blocked, state.is_void)
    assert found[None].threshold == 0.6


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("certified", [False, True])
def test_no_number_in_a_file_opens_a_group_that_was_never_certified(strict, certified):
    found = standings(states=[GroupState(value="fraud", threshold=0.3, certified=certified)], strict=strict)["fraud"]
    assert (found.threshold, found.blocked, found.acceptance) == (None, "uncertified", 0.0)


def test_strict_takes_a_number_below_the_certified_one_only_from_labels_that_certified_it():
    by_hand, by_labels = GroupState(threshold=0.01), GroupState(threshold=0.5, certified=True)
    assert standings(states=[by_hand])[None].threshold == 0.01
    assert standings(states=[by_hand], strict=True)[None].threshold == 0.6
    assert standings(states=[by_labels], strict=True)[None].threshold == 0.5


@pytest.mark.parametrize(
    ("state", "strict", "acceptance"),
    [
        (GroupState(threshold=0.01), True, 0.4),
        (GroupState(threshold=0.01), False, None),
        (GroupState(threshold=0.5, certified=True), True, None),
        (GroupState(threshold=0.7), False, None),
        (GroupState(threshold=0.6), False, 0.4),
        (GroupState(threshold=None), False, 0.0),
    ],
)
def test_the_certified_acceptance_is_that_of_the_certified_threshold_alone(state, strict, acceptance):
    assert standings(states=[state], strict=strict)[None].acceptance == acceptance


def test_a_state_of_a_value_without_a_group_takes_it_out_of_the_rest():
    state = GroupState(value="new", threshold=0.95, is_void=True)
    found = standings(states=[state])["new"]
    assert (found.threshold, found.blocked, found.is_void, found.map) == (0.95, None, True, GROUPED.groups[0].map)
    assert standings(states=[state], strict=True)["new"].blocked == "calibration_void"
    mended = GroupState(value="new", threshold=0.95)
    assert standings(states=[mended], strict=True)["new"].blocked == "uncertified", "it has no certificate of its own"


def test_strict_needs_a_certificate():
    bare = calibration(groups=(group(certificate=None),))
    assert standings(bare)[None].blocked is None
    assert standings(bare)[None].acceptance is None
    assert standings(bare, strict=True)[None].blocked == "uncertified"


COMMITTING = calibration(
    group_key="intent",
    groups=(group(threshold=0.6), group("faq", 0.9), group("fraud", None)),
    prefix=prefix(groups=(group(threshold=0.8), group("faq", None), group("fraud", 0.5))),
)


def test_in_mode_commit_the_threshold_of_the_prefix_holds_for_both():
    found = standings(COMMITTING, commits=True)
    assert (found[None].threshold, found[None].prefix_threshold) == (0.8, 0.8)
    assert (found["faq"].threshold, found["faq"].prefix_threshold) == (0.9, None)
    assert (found["fraud"].threshold, found["fraud"].prefix_threshold) == (None, None)


def test_elsewhere_the_prefix_is_looked_at_and_never_served():
    found = standings(COMMITTING)
    assert (found[None].threshold, found[None].prefix_threshold) == (0.6, None)
    assert found[None].prefix_map is not None


@pytest.mark.parametrize(("tuned", "threshold"), [(0.95, 0.95), (0.5, 0.8), (None, None)])
def test_tuning_raises_the_threshold_of_first_tokens_and_never_lowers_it(tuned, threshold):
    found = standings(COMMITTING, [GroupState(threshold=tuned)], commits=True)[None]
    assert (found.threshold, found.prefix_threshold) == (threshold, threshold)


def test_what_labels_of_both_ways_certified_holds_for_both_and_what_was_tuned_for_whole_answers_does_not():
    for of_both, in_mode_commit, elsewhere in ((True, 0.55, 0.55), (False, 0.8, 0.55)):
        state = GroupState(threshold=0.55, certified=True, commits=of_both)
        committing = standings(COMMITTING, [state], strict=True, commits=True)[None]
        assert (committing.threshold, committing.prefix_threshold) == (in_mode_commit, in_mode_commit)
        assert standings(COMMITTING, [state], strict=True)[None].threshold == elsewhere


def test_in_mode_commit_acceptance_is_that_of_both_ways():
    ahead = prefix(groups=(group(threshold=0.8, certificate=certificate(acceptance=0.7)),))
    given = calibration(prefix=ahead)
    assert standings(given, commits=True)[None].acceptance == 0.7
    assert standings(given)[None].acceptance == 0.4


def test_acceptance_is_the_certificates():
    assert standings(calibration(groups=(group(certificate=certificate(acceptance=0.25)),)))[None].acceptance == 0.25
