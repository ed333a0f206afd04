"""Rollouts and the guard under any sequence of looks, alarms, people, restarts and clocks."""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from guard_factory import MemoryBook, at, episode, text
from undertow.actions.at_alarm import AlarmLook
from undertow.actions.by_person import accept_risk, release
from undertow.actions.controls import policies_of
from undertow.actions.evidence import PlaceEvidence, TierEvidence
from undertow.actions.gates import LEAST_FRESH
from undertow.actions.standing import OFF, rollouts_of, since_of, stage_of
from undertow.errors import UsageError
from undertow.records.serving import GuardPlan, RolloutPlan
from undertow.services.guard import GuardLook, by_person, look_and_act

ROLLOUT = RolloutPlan(enabled=True, margin=0.02, risk_budget=0.02)
GUARD = GuardPlan(
    route_back="automatic", tighten="automatic", roll_back="off", stop_rollout="suggest", max_actions_per_day=2
)
SEGMENTS = ("intent=a", "intent=b", "intent=c")
losses = st.floats(-0.1, 0.2)
halves = st.floats(0.001, 0.3)


class Guarded(RuleBasedStateMachine):
    """A store's guard; between steps everything is what the book holds."""

    def __init__(self):
        super().__init__()
        self.book, self.day = MemoryBook(), 0.0
        self.episodes: dict[str, object] = {}
        self.look_of = GuardLook()

    @initialize()
    def begin(self):
        self.act(GuardLook(AlarmLook(serving={"auto": "v1"})))

    def act(self, look):
        self.look_of = look
        return look_and_act(self.book, look, GUARD, ROLLOUT, at(self.day))

    def seen(self, loss, half, fresh, segments):
        def evidence(state, _began):
            def of(name, share, loss, half, fresh):
                return PlaceEvidence(
                    name,
                    share,
                    1000,
                    loss,
                    loss - half,
                    loss + half,
                    since_of(state, name),
                    fresh,
                    fresh,
                    loss,
                    loss - 2 * half,
                )

            places = tuple(of(n, 1 / 3, *each, fresh) for n, each in zip(SEGMENTS, segments, strict=True))
            return (TierEvidence("cheap", of("", 1.0, loss, half, fresh), places),)

        alarms = AlarmLook(
            tuple(self.episodes.values()),
            frozenset(self.episodes),
            serving={"auto": "v1"},
            tightens=frozenset({"auto"}),
        )
        return GuardLook(alarms, evidence)

    def exposures(self):
        state = rollouts_of(self.book.lines)["auto"]
        return {name: stage_of(state, name) for name in ("", *SEGMENTS)}, state

    @rule(
        loss=losses,
        half=halves,
        fresh=st.sampled_from([0, 10, LEAST_FRESH, 500]),
        segments=st.lists(st.tuples(losses, halves), min_size=3, max_size=3),
    )
    def look(self, loss, half, fresh, segments):
        before, state = self.exposures()
        self.act(self.seen(loss, half, fresh, segments))
        after, _ = self.exposures()
        for name in before:
            assert after[name] <= before[name] + 1, "never more than one step a look"
            if after[name] > before[name]:
                assert loss + half < ROLLOUT.margin, "no exposure without evidence about the tier"
                assert fresh >= LEAST_FRESH, "nor without evidence at this exposure"
                assert before[name] != OFF
                assert state.status == "running"
        if state.status == "running" and before[""] > OFF and fresh >= LEAST_FRESH and loss - half > ROLLOUT.margin:
            assert after[""] == before[""] - 1, "harm that is shown always steps back"

    @rule(days=st.floats(0.01, 60))
    def wait(self, days):
        before, _ = self.exposures()
        self.day += days
        self.act(GuardLook(self.look_of.alarms))
        assert all(after <= before[name] for name, after in self.exposures()[0].items()), "a clock alone exposes nobody"

    @rule()
    def the_clock_is_set_back(self):
        lines, controls = self.book.lines, self.book.kept_controls
        now, self.day = self.day, max(self.day - 3, 0)
        look = self.look_of
        self.act(look)
        self.day = now
        again = [
            (e.kind, e.segment, e.episode)
            for e in self.book.lines[len(lines) :]
            if e.episode is not None and e.status == "done"
        ]
        done = {(e.kind, e.segment, e.episode) for e in lines if e.status == "done"}
        assert not done.intersection(again), "nothing is done twice"
        assert controls is None or self.book.kept_controls.version >= controls.version

    @rule(segment=st.sampled_from(["", *SEGMENTS]))
    def alarm(self, segment):
        name = f"e{len(self.episodes)}"
        self.episodes[name] = episode(name, segment, self.day, onset_interval=None, onset=None)

    @precondition(lambda self: self.episodes)
    @rule(data=st.data())
    def episode_ends(self, data):
        name = data.draw(st.sampled_from(sorted(self.episodes)))
        self.episodes[name] = msgspec.structs.replace(self.episodes[name], closed_at=text(self.day))

    @rule()
    def the_process_starts_anew(self):
        """All that a process knows is in the book; memory and controls may be lost, for they follow from the trail."""
        self.book.kept_memory = None

    @rule()
    def the_same_look_again(self):
        look = self.look_of
        before = self.exposures()[0]
        self.act(look)
        once = self.book.lines, self.book.kept_controls
        self.act(look)
        extra = [e for e in self.book.lines[len(once[0]) :] if e.kind != "hold"]
        evidence_moves = {"advance", "step_back", "finish"}
        assert all(e.kind in evidence_moves for e in extra), "what an alarm called for is done once"
        assert set(before) == set(self.exposures()[0])

    @rule(count=st.integers(1, 2), loss=losses, half=halves)
    def the_disk_is_full(self, count, loss, half):
        self.book.fails = count
        lines, controls = self.book.lines, self.book.kept_controls
        report = self.act(self.seen(loss, half, 500, [(loss, half)] * 3))
        self.book.fails = 0
        if report.outcome == "failed":
            assert self.book.kept_controls == controls
            assert all(e.status == "failed" for e in self.book.lines[len(lines) :])

    @rule(data=st.data())
    def a_person_releases(self, data):
        done = [e.id for e in self.book.lines if e.status == "done" and e.kind not in {"release", "hold"}]
        which = data.draw(st.sampled_from(done))
        try:
            by_person(self.book, lambda trail: release(trail, which, "ada", "", at(self.day)), GUARD, at(self.day))
        except UsageError:
            return
        held = policies_of(self.book.lines).get("auto")
        assert held is None or all(each.source != which for each in held.restrictions)

    @rule(segment=st.sampled_from(SEGMENTS))
    def a_person_accepts(self, segment):
        try:
            by_person(
                self.book,
                lambda trail: accept_risk(trail, "auto", segment, "ada", "yes", at(self.day)),
                GUARD,
                at(self.day),
            )
        except UsageError:
            return
        assert segment in self.exposures()[1].accepted

    @invariant()
    def what_is_in_force_is_what_the_trail_says(self):
        held = {} if self.book.kept_controls is None else self.book.kept_controls.policies
        said = policies_of(self.book.lines)
        assert {n: frozenset(c.restrictions) for n, c in held.items()} == {
            n: frozenset(c.restrictions) for n, c in said.items()
        }

    @invariant()
    def an_episode_is_answered_once_a_kind_and_place(self):
        done = [
            (e.kind, e.segment, e.episode)
            for e in self.book.lines
            if e.status == "done" and e.episode and e.kind != "release"
        ]
        assert len(done) == len(set(done))

    @invariant()
    def ids_are_unique(self):
        assert len({e.id for e in self.book.lines}) == len(self.book.lines)


Guarded.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestGuardUnderAnything = Guarded.TestCase
