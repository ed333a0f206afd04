"""Runs of a suite for tests: scores by target and case."""

from undertow.records.suite import ROUTED, CaseResult, RunResults, SuiteRun


def result(
    case, target, score, *, tier=None, grader="exact", answer=None, weight=1.0, segment=None, model=None, digest="d"
):
    """One result; a score of None is an answer that could not be graded."""
    tier = tier or ("capable" if target == ROUTED else target)
    return CaseResult(
        case_id=str(case), digest=digest, target=target, status="ok" if score is not None else "ungraded", weight=weight,
        segment=segment or {}, score=score, grader=grader, answer_hash=answer, tier=tier, model=model or tier,
    )  # fmt: skip


def run(results, number=0, *, tiers=("cheap", "capable"), **given):
    """A run of these results."""
    head = SuiteRun(
        run_id=f"{number:03d}", suite="s", digest="d", began_at="", ended_at="", tiers=tiers, capable="capable", **given
    )
    return RunResults(run=head, results=tuple(results))


def run_of(scores, number=0, *, segment=lambda _: {}, served=lambda _: "capable", **given):
    """A run from target -> scores by case; what is routed is answered by the tier that `served` says."""
    results = [
        result(case, target, score, segment=segment(case), tier=served(case) if target == ROUTED else None, **given)
        for target, values in scores.items()
        for case, score in enumerate(values)
    ]
    return run(results, number)
