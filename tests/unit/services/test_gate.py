"""The report of a check: verdict, headline and what comes next."""

import numpy as np
import pytest

from gate_factory import THRESHOLD, nothing, place, report, rows
from undertow.actions.gate import GateRules, no_rows
from undertow.records.gate import Difference, OffPolicyLog, PlaceCounts, SuiteCheck
from undertow.records.labelled_answers import LabelledAnswers
from undertow.services.gate import Evidence, gate_report, off_policy_evidence, off_policy_problem, replay_evidence
from undertow.services.gate_choices import Side

MODEL = Difference("tiers.cheap.model", "a", "b", "answers", "ask the suite")
TIERS = ("cheap", "capable")


def counts(**more):
    return PlaceCounts(
        **(
            {"n": 1000.0, "before": 400.0, "after": 600.0, "changed": 200.0, "newly": 200.0, "without_overlap": 0.0}
            | more
        )
    )


def log(**more):
    given = {
        "rows": rows(1_000, 0.01),
        "segments": tuple({"intent": "a" if number % 2 else "b"} for number in range(1_000)),
        "counts": {"": counts(), "intent=a": counts(n=500.0), "intent=b": counts(n=500.0, without_overlap=200.0)},
        "source": "review.accuracy",
        "unknown": 0,
        "by_tier": {"cheap": 1.0, "capable": 1.1},
        "saved_usd": 70.0,
        "period": ("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"),
    }
    return OffPolicyLog(**(given | more))


def test_a_loss_is_named_with_its_place():
    found = report(0.3)
    assert found.verdict == "loss"
    assert found.headline.startswith("Fails: cheap")
    assert "and in 1 more" in found.headline
    assert report(0.0).verdict == "pass"


def test_a_hole_says_what_to_do():
    found = report(0.0, n=40)
    assert found.verdict == "hole"
    assert any("more labels" in step for step in found.next)


def test_another_model_takes_a_suite():
    evidence = Evidence("none", "nothing to replay")
    asked = gate_report(evidence, (MODEL,), GateRules(), candidate="c")
    assert asked.verdict == "hole"
    assert "suite" in asked.next[0]
    for state, verdict in (("pass", "pass"), ("loss", "loss"), ("hole", "hole")):
        check = SuiteCheck("support", state, 100, "run", "why")
        assert gate_report(evidence, (MODEL,), GateRules(), candidate="c", suite=check).verdict == verdict


def test_a_suite_that_shows_a_loss_fails_what_the_log_lets_pass():
    check = SuiteCheck("support", "loss", 100, "run", "why")
    assert report(0.0, suite=check).verdict == "loss"


def test_a_judge_alone_is_not_enough():
    assert report(0.3, basis="judge").verdict == "hole"
    assert report(0.3, basis="judge", trust_judge=True).verdict == "loss"


def test_nothing_that_differs_passes():
    assert nothing().verdict == "pass"
    assert "nothing differs" in nothing().headline


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"counts": {"": counts(n=0.0)}}, "no decision"),
        ({"unknown": 100}, "is not known"),
        ({"counts": {"": counts(without_overlap=100.0)}}, "no overlap"),
        ({"source": ""}, "no label"),
        ({"by_tier": {"capable": 0.1, "cheap": 1.0}}, "stand for 10%"),
        ({}, None),
    ],
)
def test_when_propensities_cannot_answer(more, said):
    problem = off_policy_problem(log(**more))
    assert problem is None if said is None else said in problem


def test_places_without_overlap_are_holes():
    found = off_policy_evidence(log(), "cheap")
    assert found.savings_usd_month == pytest.approx(10 * 30.4375)
    blocked = {str(one.segment): one.blocked for one in found.places}
    assert blocked["intent=a"] == ""
    assert "no overlap" in blocked["intent=b"]
    assert len(next(one for one in found.places if str(one.segment) == "intent=a").rows) == 500


def test_answers_are_sorted_anew_and_priced():
    n = 300
    confidence = np.linspace(0.5, 1.0, n)
    answers = LabelledAnswers(
        {"mean_logprob": np.log(confidence)}, confidence > 0.55, np.full(n, 10.0), segments=tuple({"t": "x"} for _ in range(n)),
        capable_cost_usd=np.full(n, 0.01), from_at="2026-03-01T00:00:00Z", to_at="2026-03-11T00:00:00Z", source="shadow pairs",
    )  # fmt: skip
    live, lower = Side("cascade", TIERS, threshold=0.9), Side("cascade", TIERS, threshold=0.6)
    found = replay_evidence({"cheap": answers}, live, lower, None, "why")
    whole = found.places[0]
    newly = ((confidence >= 0.6) & (confidence < 0.9)).mean()
    assert whole.new_share == pytest.approx(newly)
    assert found.savings_usd_month == pytest.approx(newly * n * 10 * 0.01 / 10 * 30.4375)
    assert [str(one.segment) for one in found.places] == ["whole tier", "t=x"]


def test_a_log_without_labels_is_a_hole_with_the_reason():
    empty = LabelledAnswers({}, np.zeros(0, dtype=bool), np.zeros(0), reasons={"no_features": 12})
    evidence = replay_evidence({"cheap": empty}, Side("cascade", TIERS), Side("cascade", TIERS), None, "why")
    found = gate_report(evidence, (THRESHOLD,), GateRules(), candidate="c")
    assert found.verdict == "hole"
    assert "no_features 12" in found.headline


def test_blind_requests_are_told_apart_from_missing_labels():
    evidence = Evidence("replay", "why", (place(rows(500, 0.0, blind=0.9)),), "shadow pairs", "human")
    found = gate_report(evidence, (THRESHOLD,), GateRules(), candidate="c")
    assert "has no label" in found.next[0]
    assert no_rows().where(np.zeros(0, dtype=bool)).weight.size == 0
