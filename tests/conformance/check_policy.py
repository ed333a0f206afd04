"""What every policy keeps, whatever happens to it: a list of checks that authors of policies run on theirs.

    for check in CHECKS:
        check(policy, facts, setting, world)

A `World` is what would happen: the answer of each tier (None: it fails), what a stream of it shows first, what the classifier says, and
what further questions would find. Nothing in it is random, so the same request can be decided in both arms and by every draw.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import strategies as st
from msgspec.structs import replace

from undertow.policies.base import (
    Ask,
    Begun,
    Checked,
    Classified,
    ClassifierFailed,
    Classify,
    Command,
    Commit,
    Event,
    Failed,
    Held,
    Policy,
    Race,
    Release,
    Sample,
    Sampled,
    SelfCheck,
    Served,
    Setting,
    Wait,
)
from undertow.policies.exposure import OPEN, compiled, decided, restricted
from undertow.records.answer import AnswerFacts, TokenEvidence
from undertow.records.guard import Restriction
from undertow.records.reasons import REASONS
from undertow.records.request import RequestFacts

MOST_COMMANDS = 20
DRAWS = 250
ABSENT = ClassifierFailed("classifier_absent")
ANSWERING = (Ask, Release, Commit)
"""Commands that say who answers, and why."""


@dataclass(frozen=True)
class World:
    """What would happen if it were asked."""

    answers: dict[str, AnswerFacts | None] = field(default_factory=dict)
    classifier: Classified | ClassifierFailed = ABSENT
    beginnings: dict[str, AnswerFacts] = field(default_factory=dict)
    p_true: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Trace:
    """What a policy did."""

    steps: tuple[tuple[Command, Event], ...]

    @property
    def asks(self) -> list[Ask]:
        return [command for command, _ in self.steps if isinstance(command, Ask)]

    @property
    def served(self) -> Ask | Release | Commit | None:
        last, event = self.steps[-1]
        return last if isinstance(event, Served) and isinstance(last, ANSWERING) else None

    @property
    def commits(self) -> list[Commit]:
        return [command for command, _ in self.steps if isinstance(command, Commit)]


def drive(policy: Policy, facts: RequestFacts, setting: Setting, world: World) -> Trace:
    """Carry a policy's commands out in a world; an error if it does not come to an end, or goes on after one."""
    steps, done = decided(policy, facts, setting), []
    try:
        command = next(steps)
        while True:
            assert len(done) < MOST_COMMANDS, "the policy comes to no end"
            assert not done or not isinstance(done[-1][1], Served), "the policy goes on after the answer was served"
            event = _event(command, world, done)
            done.append((command, event))
            command = steps.send(event)
    except StopIteration:
        return Trace(tuple(done))


def _event(command: Command, world: World, done: list[tuple[Command, Event]]) -> Event:
    last, before = done[-1] if done else (None, None)
    match command:
        case Classify():
            assert command.deadline_ms > 0
            assert last is None, "classifies after it has asked"
            return world.classifier
        case Release():
            assert _holds(done) == command.tier, "released what it does not hold"
            return Served()
        case SelfCheck() | Sample():
            assert _holds(done) == command.tier, "asks about an answer that it does not hold"
            if isinstance(command, SelfCheck):
                return Checked(world.p_true)
            assert command.samples > 0
            return Sampled(world.agreement)
        case Commit() | Wait() | Race():
            assert isinstance(last, Ask)
            assert isinstance(before, Begun), "there is no beginning to decide on"
            assert command.tier == last.tier
            return Served() if isinstance(command, Commit) else _end_of(command.tier, world)
        case Ask():
            assert not isinstance(before, Begun), "leaves a stream that has begun"
            if command.hold and command.begun_tokens > 0 and command.tier in world.beginnings:
                return Begun(world.beginnings[command.tier])
            if command.hold:
                return _end_of(command.tier, world)
            return Failed("timeout") if world.answers.get(command.tier) is None else Served()


def _end_of(tier: str, world: World) -> Event:
    answer = world.answers.get(tier)
    return Failed("timeout") if answer is None else Held(answer)


def _holds(done: list[tuple[Command, Event]]) -> str | None:
    """The tier whose whole answer is held."""
    for command, event in reversed(done):
        if isinstance(event, Held):
            return command.tier
        if isinstance(command, Ask):
            return None
    return None


def check_comes_to_an_end(policy, facts, setting, world):
    trace = drive(policy, facts, setting, world)
    assert trace.steps, "a policy that does nothing serves nobody"
    if trace.served is None:
        last, event = trace.steps[-1]
        assert isinstance(event, Failed)
        assert last.tier == setting.tiers[-1], "gave up before the dearest tier had failed"


def check_asks_upwards_only(policy, facts, setting, world):
    places = [setting.tiers.index(ask.tier) for ask in drive(policy, facts, setting, world).asks]
    assert places == sorted(set(places))


def check_goes_to_the_next_dearer_after_a_failure(policy, facts, setting, world):
    steps = drive(policy, facts, setting, world).steps
    for (command, event), (following, _) in pairwise(steps):
        if isinstance(event, Failed):
            assert isinstance(following, Ask)
            assert setting.tiers.index(following.tier) == setting.tiers.index(command.tier) + 1
            assert following.reason == "upstream_error"
            assert following.propensity is None


def check_releases_no_unmeasured_confidence(policy, facts, setting, world):
    served = drive(policy, facts, setting, world).served
    if isinstance(served, Commit):
        assert served.judgement.confidence is not None
        assert served.judgement.confidence >= served.judgement.threshold
    if not isinstance(served, Release):
        return
    answer, judgement = world.answers[served.tier], served.judgement
    assert not answer.is_empty
    assert answer.are_tool_calls_valid is not False
    assert answer.is_format_valid is not False
    assert not answer.is_refusal
    if judgement.confidence is None:
        assert answer.is_tool_calls_only
        assert answer.are_tool_calls_valid
    else:
        assert answer.logprob_sum is not None
        assert 0 <= judgement.confidence <= 1
        assert judgement.confidence >= judgement.threshold


def check_reasons_and_numbers_are_as_the_log_wants_them(policy, facts, setting, world):
    for command, _ in drive(policy, facts, setting, world).steps:
        if not isinstance(command, ANSWERING):
            continue
        assert command.reason in REASONS
        assert command.propensity is None or 0 < command.propensity <= 1
        judgement = command.judgement
        assert judgement.confidence is None or 0 <= judgement.confidence <= 1
        assert judgement.threshold is None or 0 <= judgement.threshold <= 1
        assert (judgement.confidence is None) == (judgement.confidence_kind is None)
        assert judgement.confidence_kind in {None, "calibrated", "uncalibrated"}
        assert all(map(math.isfinite, (judgement.features or {}).values()))


def check_marks_escalation_exactly_when_an_answer_was_withheld(policy, facts, setting, world):
    held = False
    for command, event in drive(policy, facts, setting, world).steps:
        if isinstance(command, ANSWERING):
            withheld = held if isinstance(command, Ask) else command.escalated
            assert command.escalated == withheld
        held = held or isinstance(event, Held)


def check_decides_nothing_for_the_ineligible(policy, facts, setting, world):
    trace = drive(policy, facts, replace(setting, eligible=False), world)
    assert all(isinstance(command, Ask) and not command.hold for command, _ in trace.steps)
    assert trace.asks[0].reason in {"constraint", "fixed"}
    assert trace.asks[0].propensity == 1.0


def check_keeps_the_holdout_on_the_capable_tier(policy, facts, setting, world):
    held_out = replace(setting, eligible=True, is_holdout=True, treatment_probability=0.9)
    asks = drive(policy, facts, held_out, world).asks
    assert [ask.tier for ask in asks] == [setting.tiers[-1]]
    assert asks[0].reason == "holdout"
    assert not asks[0].hold


def check_propensity_is_the_frequency_over_arms_and_draws(policy, facts, setting, world):
    """In worlds without failures: nobody knows beforehand how often a tier will fail."""
    if not setting.eligible or setting.treatment_probability == 1.0 or None in world.answers.values():
        return
    frequency: dict[str, float] = {}
    claims: list[tuple[str, float]] = []
    for is_holdout, weight in ((False, setting.treatment_probability), (True, 1 - setting.treatment_probability)):
        for place in range(DRAWS):
            placed = replace(setting, is_holdout=is_holdout, draw=(place + 0.5) / DRAWS)
            served = drive(policy, facts, placed, world).served
            if served is not None:
                frequency[served.tier] = frequency.get(served.tier, 0) + weight / DRAWS
                if served.propensity is not None:
                    claims.append((served.tier, served.propensity))
    for tier, claimed in claims:
        assert abs(frequency[tier] - claimed) <= 2 / DRAWS, (tier, claimed, frequency)


def check_commits_nothing_that_must_be_checked_whole(policy, facts, setting, world):
    for demand in ("has_tools", "has_media", "has_format"):
        assert not drive(policy, replace(facts, **{demand: True}), setting, world).commits
    assert not drive(policy, replace(facts, wants_stream=False), setting, world).commits


def check_races_the_next_dearer_tier_only(policy, facts, setting, world):
    for command, _ in drive(policy, facts, setting, world).steps:
        if isinstance(command, Race):
            assert setting.tiers.index(command.rival) == setting.tiers.index(command.tier) + 1


def check_is_the_same_every_time(policy, facts, setting, world):
    assert drive(policy, facts, setting, world) == drive(policy, facts, setting, world)


def check_restrictions_only_move_traffic_up_and_leave_nothing_behind(policy, facts, setting, world):
    """Whatever the guard restricts, and for whichever unit; without it everything is as it was."""
    before = drive(policy, facts, setting, world)
    for exposure, number in ((0.0, 0.0), (0.25, 0.2), (0.25, 0.3), (1.0, 0.99)):
        for raised_by in (0.0, 0.15, 1.0):
            rules = compiled([Restriction(exposure=exposure, raised_by=raised_by, source="a1")])
            held = restricted(setting, rules.holds(facts.segment, number))
            held = replace(held, raised_by=max(held.raised_by, setting.raised_by))
            after = drive(policy, facts, held, world)
            assert (held.eligible, held.is_holdout) == (setting.eligible, setting.is_holdout)
            if before.served is None:
                assert after.served is None, "what fails without a restriction fails with it"
            elif after.served is not None:
                assert setting.tiers.index(after.served.tier) >= setting.tiers.index(before.served.tier)
            if setting.eligible and not setting.is_holdout and number >= exposure:
                assert [ask.tier for ask in after.asks] == [setting.tiers[-1]]
                assert after.asks[0].reason == "routed_back"
            check_propensity_is_none_or_a_probability(after)
    assert drive(policy, facts, restricted(setting, OPEN), world) == drive(
        policy, facts, replace(setting, raised_by=0.0), world
    )
    assert drive(policy, facts, setting, world) == before


def check_propensity_is_none_or_a_probability(trace):
    assert all(c.propensity is None or 0 < c.propensity <= 1 for c, _ in trace.steps if isinstance(c, ANSWERING))


def check_propensity_is_the_frequency_over_units_of_a_rollout(policy, facts, setting, world):
    """Of a request that was served cheaply: over arms, draws and exposures together."""
    setting = replace(setting, raised_by=0.0)
    if not setting.eligible or None in world.answers.values():
        return
    frequency: dict[str, float] = {}
    claims: list[tuple[str, float]] = []
    treated, exposure = setting.treatment_probability, 0.25
    rules = compiled([Restriction(exposure=exposure, source="rollout")])
    for is_holdout, weight in ((False, treated), (True, 1 - treated)):
        for number, share in ((0.1, exposure), (0.9, 1 - exposure)):
            for place in range(DRAWS):
                placed = replace(setting, is_holdout=is_holdout, draw=(place + 0.5) / DRAWS)
                placed = restricted(placed, rules.holds(facts.segment, number))
                served = drive(policy, facts, placed, world).served
                if served is not None and weight:
                    frequency[served.tier] = frequency.get(served.tier, 0) + weight * share / DRAWS
                    if served.propensity is not None:
                        claims.append((served.tier, served.propensity))
    for tier, claimed in claims:
        assert abs(frequency[tier] - claimed) <= 2 / DRAWS, (tier, claimed, frequency)


CHECKS = (
    check_restrictions_only_move_traffic_up_and_leave_nothing_behind,
    check_propensity_is_the_frequency_over_units_of_a_rollout,
    check_comes_to_an_end,
    check_asks_upwards_only,
    check_goes_to_the_next_dearer_after_a_failure,
    check_releases_no_unmeasured_confidence,
    check_reasons_and_numbers_are_as_the_log_wants_them,
    check_marks_escalation_exactly_when_an_answer_was_withheld,
    check_decides_nothing_for_the_ineligible,
    check_keeps_the_holdout_on_the_capable_tier,
    check_propensity_is_the_frequency_over_arms_and_draws,
    check_commits_nothing_that_must_be_checked_whole,
    check_races_the_next_dearer_tier_only,
    check_is_the_same_every_time,
)


def check_a_higher_threshold_only_moves_traffic_up(low: Policy, high: Policy, facts, setting, world):
    """For two policies that differ in their threshold alone."""
    served_low, served_high = (drive(policy, facts, setting, world).served for policy in (low, high))
    if served_low is not None and served_high is not None:
        assert setting.tiers.index(served_high.tier) >= setting.tiers.index(served_low.tier)
    elif served_low is None:
        assert served_high is None, "what fails with a low threshold fails with a high one"


# -- what Hypothesis draws

numbers = st.one_of(
    st.none(),
    st.floats(-30, 0),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1e-7, 3.0]),
)
log_probabilities = st.one_of(st.floats(-5, 0), st.sampled_from([0.0, 1e-7, 3.0, float("nan"), float("-inf")]))
tokens = st.one_of(
    st.none(),
    st.lists(st.tuples(log_probabilities, st.booleans(), st.floats(0, 1)), max_size=8).map(
        lambda rows: TokenEvidence(*(tuple(column) for column in zip(*rows, strict=True))) if rows else TokenEvidence()
    ),
)
answers = st.builds(
    AnswerFacts,
    logprob_sum=numbers,
    logprob_count=st.integers(0, 20),
    is_empty=st.booleans(),
    is_tool_calls_only=st.booleans(),
    are_tool_calls_valid=st.sampled_from([None, True, False]),
    is_refusal=st.booleans(),
    finish_reason=st.sampled_from([None, "stop", "length"]),
    model=st.sampled_from([None, "small-1", "other"]),
    chars=st.integers(0, 100),
    text=st.one_of(st.none(), st.sampled_from(["", "(B).", "It might be red.", "I cannot say."]), st.text(max_size=20)),
    tokens=tokens,
    is_format_valid=st.sampled_from([None, True, False]),
)
shares = st.one_of(st.none(), st.floats(0, 1), st.just(float("nan")))
classified = st.one_of(
    st.builds(Classified, st.floats(0, 1)),
    st.builds(Classified, st.floats(allow_nan=True)),
    st.builds(ClassifierFailed, st.sampled_from(["classifier_absent", "classifier_late", "classifier_error", "odd"])),
)
TIERS = ("small", "medium", "large")
settings_drawn = st.builds(
    Setting,
    tiers=st.sampled_from(
        [TIERS, ("small", "large"), ("medium", "large"), ("small", "medium"), ("large",), ("small",)]
    ),
    eligible=st.booleans(),
    is_holdout=st.booleans(),
    raised_by=st.sampled_from([0.0, 0.1, 1.0]),
    treatment_probability=st.sampled_from([1.0, 0.95, 0.5]),
    draw=st.floats(0, 1, exclude_max=True),
    last_tier=st.sampled_from([None, *TIERS]),
    stays=st.booleans(),
)
worlds = st.builds(
    World,
    st.fixed_dictionaries({tier: st.one_of(st.none(), answers) for tier in TIERS}),
    classified,
    st.dictionaries(st.sampled_from(TIERS), answers),
    shares,
    shares,
)
requests = st.builds(
    RequestFacts,
    endpoint=st.just("chat.completions"),
    requested_model=st.just("auto"),
    segment=st.dictionaries(st.sampled_from(["intent", "plan"]), st.sampled_from(["faq", "fraud", "new"])),
    wants_stream=st.booleans(),
    has_tools=st.booleans(),
    has_format=st.booleans(),
    text=st.sampled_from(["", "where is my card"]),
)
