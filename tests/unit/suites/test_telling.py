from suite_runs import result, run
from undertow.records.suite import ROUTED
from undertow.suites.comparing import Cell, IndexedRun, change_evidence, level_evidence
from undertow.suites.telling import tell_change, tell_level

N = 60
TIERS = ("cheap", "capable")


def runs(now, *, cheap_serves=lambda _: False, before=lambda *_: 1.0, **given):
    """Two runs: all right, then as `now(target, case)` says; routed answers come from the tier that serves the case then."""

    def results(score, serves, answer, model):
        found = []
        for case in range(N):
            found += [
                result(case, tier, score(tier, case), answer=answer(tier, case), model=f"{tier}-{model}")
                for tier in TIERS
            ]
            served = "cheap" if serves(case) else "capable"
            found.append(
                result(
                    case,
                    ROUTED,
                    score(served, case),
                    tier=served,
                    answer=answer(served, case),
                    model=f"{served}-{model}",
                )
            )
        return found

    answers = given.get("answers", lambda tier, case: f"{tier} {case} now")
    models = given.get("models", ("1", "1"))
    old = run(
        results(before, given.get("served_before", cheap_serves), lambda tier, case: f"{tier} {case}", models[0]), 0
    )
    new = run(results(now, cheap_serves, answers, models[1]), 1)
    return [IndexedRun(old), IndexedRun(new)]


def told(found, target, segment=""):
    return tell_change(target, segment, change_evidence(found, Cell(target, segment, 1.0)), TIERS)


def test_a_tier_that_answers_its_fixed_cases_worse_is_the_providers_affair():
    found = runs(lambda tier, case: float(tier == "cheap" or case >= 20), models=("1", "2"))
    assert told(found, "capable").cause == "provider"
    assert told(found, "capable").why == "capable alone answers the same cases worse; its model became capable-2"
    assert told(found, ROUTED).cause == "provider", "the tier that serves fell, and the policy is as it was"


def test_cases_that_went_to_a_weaker_tier_are_the_routings_affair():
    weak = {"before": lambda tier, case: float(tier == "capable" or case >= 30)}
    found = runs(weak["before"], cheap_serves=lambda case: case < 30, served_before=lambda _: False, **weak)
    assert told(found, ROUTED).cause == "routing"
    assert "30 cases that went to another tier" in told(found, ROUTED).why


def test_the_larger_part_of_a_loss_is_named():
    def now(tier, case):
        return float(case >= 5 if tier == "capable" else case >= 30)

    found = runs(now, cheap_serves=lambda case: case < 30, served_before=lambda _: False)
    assert told(found, ROUTED).cause == "routing"


def test_answers_that_stayed_word_for_word_are_the_graders_affair():
    found = runs(lambda _, case: float(case >= 20), answers=lambda tier, case: f"{tier} {case}")
    for target in (*TIERS, ROUTED):
        assert told(found, target).cause == "grader"
    assert told(found, "cheap").why == "20 answers that are word for word what they were now count as worse"


def test_all_tiers_that_lose_the_same_cases_at_once_point_to_the_grader():
    found = runs(lambda _, case: float(case >= 20))
    assert {told(found, target).cause for target in (*TIERS, ROUTED)} == {"grader"}


def test_all_tiers_that_lose_the_same_cases_with_new_models_leave_it_open():
    found = runs(lambda _, case: float(case >= 20), models=("1", "2"))
    assert told(found, "cheap").cause == "unknown"
    assert "look at the grader first" in told(found, "cheap").why


def test_tiers_that_lose_cases_of_their_own_are_their_providers_affair():
    found = runs(lambda tier, case: float(not (case < 20 if tier == "cheap" else 20 <= case < 40)))
    assert {told(found, tier).cause for tier in TIERS} == {"provider"}


def test_without_direct_answers_the_cause_is_unknown():
    old, new = (
        IndexedRun(run([result(case, ROUTED, score, tier=tier) for case in range(N)], tiers=()))
        for score, tier in ((1.0, "capable"), (0.0, "cheap"))
    )
    found = tell_change(ROUTED, "", change_evidence([old, new], Cell(ROUTED, "", 1.0)), ())
    assert found.cause == "unknown"
    assert "run with all tiers" in found.why


def level(found, fallen=()):
    return tell_level(level_evidence(found, Cell(ROUTED, "", 1.0), "capable", 0.02), fallen)


def test_a_routed_answer_that_is_worse_than_the_capable_tiers_is_the_routings_affair():
    found = runs(lambda tier, _: float(tier == "capable"), cheap_serves=lambda _: True)
    assert level(found).cause == "routing"
    assert level(found, {"cheap"}).cause == "provider", "the cheap tier fell: its provider comes before the policy"


def test_the_capable_tier_that_disagrees_with_itself_is_nobodys_fault():
    rows = [result(case, "capable", 1.0) for case in range(N)]
    rows += [result(case, ROUTED, 0.0, tier="capable") for case in range(N)]
    assert level([IndexedRun(run(rows))]).cause == "unknown"
