from suite_runs import result, run, run_of
from undertow.records.suite import ROUTED
from undertow.suites.verdict import report_on

GOOD = [1.0] * 100


def told(*runs):
    return report_on(runs, alpha=0.05, margin=0.02, level=0.95)


def even(scores, number=0, **given):
    return run_of({ROUTED: scores, "cheap": scores, "capable": scores}, number, **given)


def test_one_run_alone_says_nothing_but_of_the_capable_tier():
    report = told(even(GOOD))
    assert (report.verdict, report.runs) == ("inconclusive", 1)
    assert report.notes[0].startswith("the first run")
    beaten = told(
        run_of({ROUTED: [0.0] * 50 + [1.0] * 50, "cheap": [0.0] * 100, "capable": GOOD}, served=lambda _: "cheap")
    )
    assert beaten.verdict == "loss"
    assert [(each.kind, each.target, each.cause) for each in beaten.findings] == [("level", ROUTED, "routing")]


def test_runs_alike_show_no_loss_and_say_what_would_have_been_shown():
    report = told(*[even(GOOD, i) for i in range(3)])
    assert (report.verdict, report.findings) == ("no_loss", ())
    assert any(note.endswith("of the whole suite would have been shown") for note in report.notes)


def test_a_suite_too_small_to_show_anything_is_inconclusive():
    assert told(even([1.0] * 8), even([1.0] * 8, 1)).verdict == "inconclusive"


def test_a_cheap_tier_that_is_worse_than_the_capable_one_is_no_loss_by_itself():
    one = [run_of({ROUTED: GOOD, "cheap": [0.0] * 100, "capable": GOOD}, i) for i in range(2)]
    report = told(*one)
    assert report.verdict == "no_loss"
    (cell,) = [cell for cell in report.cells if cell.target == "cheap"]
    assert (cell.loss, cell.is_beyond) == (1.0, False)


def test_a_fault_of_the_grader_is_no_loss():
    def graded(score, i):
        return run(
            [result(c, t, score(c), answer=f"{t}{c}") for c in range(100) for t in (ROUTED, "cheap", "capable")], i
        )

    report = told(graded(lambda _: 1.0, 0), graded(lambda c: float(c > 40), 1))
    assert (report.verdict, {each.cause for each in report.findings}) == ("inconclusive", {"grader"})


def test_a_swapped_judge_is_not_compared_and_said():
    report = told(even(GOOD, grader="judge:a"), even([0.0] * 100, 1, grader="judge:b"))
    assert (report.verdict, report.findings) == ("inconclusive", ())
    assert (
        "100 cases are graded by something else than in the run before, so they are not compared with it"
        in report.notes
    )


def test_a_segment_whose_whole_is_the_graders_fault_is_so_too():
    def graded(score, i):
        rows = [
            result(c, "cheap", score(c), answer="same" if c % 4 else f"new {i}", segment={"intent": "ab"[c % 4 == 0]})
            for c in range(200)
        ]
        return run(rows, i)

    report = told(graded(lambda _: 1.0, 0), graded(lambda _: 0.0, 1))
    assert {(each.segment, each.cause) for each in report.findings} == {
        ("", "grader"),
        ("intent=a", "grader"),
        ("intent=b", "grader"),
    }


def test_items_that_nobody_ever_gets_right_are_named():
    one = [even([1.0] * 99 + [0.0], i) for i in range(2)]
    assert "no tier ever answered these right; check what they expect: 99" in told(*one).notes


def test_what_else_changed_is_listed():
    before = run(
        [result(c, ROUTED, 1.0) for c in range(20)],
        0,
        policy_version="p1",
        models={"capable": ("m fp1",)},
        graders=("exact",),
    )
    now = run(
        [result(c, ROUTED, 1.0, tier="cheap" if c < 10 else "capable") for c in range(20)], 1,
        policy_version="p2", models={"capable": ("m fp2",)}, graders=("exact", "judge:x"),
    )  # fmt: skip
    assert told(before, now).changed == (
        "policy version was p1, is p2",
        "graders was exact, is exact, judge:x",
        "capable was m fp1, is m fp2",
        "0 % of the cases were routed below the capable tier, now 50 %",
    )


def test_answers_without_a_score_and_a_budget_that_ran_out_are_said():
    rows = [result(c, "cheap", None if c < 5 else 1.0) for c in range(20)]
    report = told(run(rows, 0, skipped=7))
    (cell,) = report.cells
    assert (cell.n, cell.unscored) == (15, 5)
    assert "the budget left out 7 cases" in report.notes
    assert any(note.startswith("5 of 20 answers have no score") for note in report.notes)
