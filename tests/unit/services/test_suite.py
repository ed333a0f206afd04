import asyncio
from datetime import UTC, datetime

import pytest

from undertow.ports.suite import Grading, TargetAnswer
from undertow.records.suite import ROUTED, Check, Suite, SuiteCase
from undertow.services.suite import SuiteOptions, SuiteParts, answer_hash, run_suite, signal_name

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def case(name, **given):
    return SuiteCase(
        case_id=name, messages=({"role": "user", "content": name},), check=Check(kind="exact", expected=("x",)),
        digest="d", **given,
    )  # fmt: skip


class Targets:
    """Answers from a table, and notes how many requests are on their way."""

    def __init__(self, answers=None, cost=0.01):
        self.answers, self.cost = answers or {}, cost
        self.asked, self.under_way, self.most = [], 0, 0

    async def ask(self, case, target):
        self.asked.append((case.case_id, target))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        given = self.answers.get((case.case_id, target), ())
        if given:
            return given.pop(0)
        return TargetAnswer(
            status="ok", text="x", tier="cheap" if target == ROUTED else target, model="m", fingerprint="f",
            decision_id=f"{case.case_id}-{target}-{len(self.asked)}", cost_usd=self.cost, policy_version="p1",
        )  # fmt: skip


class Grader:
    async def grade(self, _case, answer):
        if answer == "odd":
            return Grading(score=None, grader="exact", source="exact:exact", why="cannot tell")
        return Grading(score=float(answer == "x"), grader="exact", source="exact:exact", cost_usd=0.002)


class Signals:
    def __init__(self):
        self.kept = []

    def add(self, signals):
        self.kept += signals
        return (True,) * len(signals)


def carry_out(targets, names=("a", "b", "c"), signals=None, **options):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    signals = signals or Signals()
    given = {"tiers": ("cheap", "capable"), "capable": "capable", "policy": "auto", **options}
    parts = SuiteParts(targets, Grader(), signals, lambda: NOW, sleep, "run-1")
    suite = Suite(name="my suite", cases=tuple(map(case, names)), digest="s")
    return asyncio.run(run_suite(suite, SuiteOptions(**given), parts)), signals, waits


def test_every_case_is_asked_as_routed_and_of_each_tier_and_results_are_in_the_order_of_the_suite():
    found, _, _ = carry_out(Targets())
    assert [(one.case_id, one.target) for one in found.results] == [
        (name, target) for name in "abc" for target in (ROUTED, "cheap", "capable")
    ]
    assert {one.status for one in found.results} == {"ok"}
    assert found.run.models == {ROUTED: ("m f",), "cheap": ("m f",), "capable": ("m f",)}
    assert (found.run.policy_version, found.run.cases, found.run.graders) == ("p1", 3, ("exact",))
    assert (round(found.run.cost_usd, 9), round(found.run.grading_usd, 9)) == (0.09, 0.018)


def test_scores_become_signals_of_the_decision_and_routed_ones_have_a_name_of_their_own():
    found, signals, _ = carry_out(Targets(), names=("a",))
    assert [(s.kind, s.name, s.value, s.inclusion_probability, s.source) for s in signals.kept] == [
        ("suite", "my_suite.routed", 1.0, 1.0, "exact:exact"),
        ("suite", "my_suite", 1.0, 1.0, "exact:exact"),
        ("suite", "my_suite", 1.0, 1.0, "exact:exact"),
    ]
    assert [s.decision_id for s in signals.kept] == [one.decision_id for one in found.results]


def failed(**given):
    return TargetAnswer(status="failed", decision_id="d", cost_usd=0.5, why="http_503", **given)


def test_what_may_pass_is_tried_again_with_longer_waits_and_all_attempts_cost():
    targets = Targets({("a", "cheap"): [failed(is_worth_a_retry=True), failed(is_worth_a_retry=True)]})
    found, _, waits = carry_out(targets, names=("a",))
    (one,) = [one for one in found.results if one.target == "cheap"]
    assert (one.status, one.retries, one.cost_usd) == ("ok", 2, 1.01)
    assert waits == [1.0, 2.0]


def test_what_will_not_pass_is_not_and_has_no_score():
    targets = Targets({("a", "cheap"): [failed()], ("a", "capable"): [failed(is_worth_a_retry=True)] * 9})
    found, signals, waits = carry_out(targets, names=("a",), retries=1)
    by_target = {one.target: one for one in found.results}
    assert [(by_target[t].status, by_target[t].score, by_target[t].why) for t in ("cheap", "capable")] == [
        ("failed", None, "http_503"), ("failed", None, "http_503"),
    ]  # fmt: skip
    assert len(waits) == 1
    assert len(signals.kept) == 1


def test_an_answer_that_cannot_be_graded_is_no_wrong_answer():
    odd = TargetAnswer(status="ok", text="odd", decision_id="d", tier="cheap")
    found, signals, _ = carry_out(Targets({("a", "cheap"): [odd]}), names=("a",), tiers=("cheap",))
    assert [(one.status, one.score, one.why) for one in found.results] == [
        ("ok", 1.0, None),
        ("ungraded", None, "cannot tell"),
    ]
    assert len(signals.kept) == 1


def test_no_more_requests_are_on_their_way_than_allowed():
    targets = Targets()
    carry_out(targets, names=[str(i) for i in range(30)], concurrency=3)
    assert 1 < targets.most <= 3


def test_the_budget_is_kept_and_what_it_leaves_out_is_counted():
    targets = Targets(cost=1.0)
    found, _, _ = carry_out(targets, names=[str(i) for i in range(30)], concurrency=8, budget_usd=10.0)
    spent = found.run.cost_usd + found.run.grading_usd
    assert 6.0 < spent <= 10.0
    assert found.run.skipped == 30 - found.run.cases


def test_a_limit_takes_the_first_cases():
    found, _, _ = carry_out(Targets(), limit=2)
    assert {one.case_id for one in found.results} == {"a", "b"}


def test_signals_of_what_was_done_are_kept_when_the_run_breaks():
    class Broken(Targets):
        async def ask(self, case, target):
            if case.case_id == "c":
                raise OSError("disk")
            return await super().ask(case, target)

    signals = Signals()
    with pytest.raises(OSError, match="disk"):
        carry_out(Broken(), signals=signals, concurrency=1)
    assert len(signals.kept) == 6


def test_names_of_signals_are_plain():
    assert signal_name("a b/é", "cheap") == "a_b"
    assert signal_name("!!!", ROUTED) == "suite.routed"


def test_a_hash_tells_answers_apart_and_not_their_white_space():
    assert answer_hash(" a\n b ") == answer_hash("a b") != answer_hash("ab")
    assert answer_hash("\ud800") == answer_hash("\ud800")
