import json

import numpy as np
import pytest

from judge_factory import plan
from undertow.bootstrap.judge import JudgeRun
from undertow.detectors.judge_drift import judge_drift
from undertow.records.judged import AnchorResult, JudgeState
from undertow.reports.judge import CheckReport, RunReport, check_document, check_lines, run_document, run_lines
from undertow.services.judge_run import Ended, Tally


def run_report(counts, *, leans=(), own=(), waiting=0, stopped=None, unpriced=0, broken=0, cost=0.0, **more):
    tally = Tally(dict(counts), list(leans), cost, unpriced)
    return RunReport.of(
        JudgeRun(Ended(tally, (), stopped), waiting, broken, JudgeState(counts=dict(counts))), plan(**more), own
    )


def anchor(number, verdict="A", human="A", **more):
    return AnchorResult(
        anchor_id=str(number),
        at="2026-03-01T12:00:00.000Z",
        judge="judge-1",
        version="v",
        human=human,
        verdict=verdict,
        **more,
    )


def check_report(results, own=(), **more):
    return CheckReport.of(results, judge_drift(results), plan(**more), own)


def test_a_run_says_what_came_out_and_what_did_not():
    counts = {
        "wins": 3,
        "ties": 90,
        "losses": 7,
        "inconsistent": 4,
        "refused": 2,
        "unparsable": 1,
        "not_drawn": 40,
        "suspicious": 1,
    }
    text = "\n".join(run_lines(run_report(counts, leans=[0.0] * 100, cost=0.25, waiting=5)))
    assert "verdicts   100: the served answer is better in 3, as good in 90, worse in 7" in text
    assert "4 of the ties because the two orders disagree" in text
    assert "no verdict 3 of 103 (2.9%): 2 refused, 1 not a verdict" in text
    assert "not drawn  40" in text
    assert "waiting    5" in text
    assert "$0.2500" in text


def test_the_document_names_every_outcome():
    document = run_document(run_report({"wins": 1, "timeout": 1}))
    assert document["schema"] == "undertow.judge/1"
    assert set(document["outcomes"]) == {
        "wins", "ties", "losses", "refused", "unparsable", "timeout", "failed", "injected", "over_budget", "empty", "not_drawn", "inconsistent",
        "suspicious",
    }  # fmt: skip
    assert document["missing_share"] == document["total_missing_share"] == 0.5
    assert document["position_bias"] == {"n": 0, "mean": None, "interval": None, "shown": False}
    json.dumps(document, allow_nan=False)


def warned(report, *parts):
    assert len(report.warnings) == len(parts), report.warnings
    for warning, part in zip(report.warnings, parts, strict=True):
        assert part in warning


def test_a_sound_judge_is_not_warned_of():
    warned(run_report({"wins": 3, "ties": 90, "losses": 7, "refused": 1}, leans=[0.0] * 100))


def test_a_judge_that_always_says_a_is_warned_of():
    warned(
        run_report({"ties": 40, "inconsistent": 40}, leans=[1.0] * 40),
        "favours the first answer",
        "in 40 of 40 verdicts the two orders disagree",
    )
    warned(
        run_report({"ties": 40, "inconsistent": 40}, leans=[-1.0] * 40),
        "favours the second answer",
        "the two orders disagree",
    )


def test_missing_verdicts_budget_prices_and_broken_rows_are_warned_of():
    warned(run_report({"ties": 80, "unparsable": 20}), "20.0% of the pairs have no verdict")
    warned(run_report({"ties": 75, "over_budget": 25}), "no verdict", "judge.share = 0.75")
    warned(run_report({"over_budget": 5}), "no verdict", "raise it")
    warned(run_report({"ties": 1}, unpriced=2), "the cost of 2 calls is unknown")
    warned(run_report({"ties": 1}, broken=3), "3 lines of pairs/")


def test_a_tier_that_judges_itself_is_warned_of():
    warned(run_report({"ties": 1}, own=("cheap",)), "judge.model is the model of tiers.cheap as well")
    warned(check_report([anchor(1)], own=("cheap",)), "models favour their own answers")


def test_names_cannot_act_on_the_terminal():
    text = "\n".join(run_lines(run_report({"ties": 1}, model="evil\x1b[2J\nmodel")))
    assert "\x1b" not in text
    assert "\nmodel" not in text


def test_a_check_compares_with_people():
    report = check_report(
        [anchor(n, "A" if n % 5 else "B") for n in range(100)] + [anchor(200, None, outcome="timeout")]
    )
    assert report.agreement == pytest.approx(0.8)
    assert report.interval[0] < 0.8 < report.interval[1]
    text = "\n".join(check_lines(report))
    assert "80.0% with people" in text
    assert "on 100 anchors" in text
    assert "these are its first verdicts" in text
    warned(report, "no verdict on 1 of 101 anchors: 1 too late")
    document = check_document(report)
    assert (document["schema"], document["anchors"], document["missing"]) == (
        "undertow.judge-check/1",
        101,
        {"timeout": 1},
    )
    json.dumps(document, allow_nan=False)


def test_a_judge_that_always_says_a_is_found_by_the_check():
    humans = ["A", "B"] * 30
    # In both orders its verdicts are ties, whatever people say.
    both = [anchor(n, "tie", human, lean=1.0, inconsistent=True) for n, human in enumerate(humans)]
    warned(check_report(both), "favours the first answer", "the two orders disagree", "each of its 60 verdicts is tie", "agrees with people on 0%")  # fmt: skip
    one = [anchor(n, "A", human) for n, human in enumerate(humans)]
    warned(check_report(one), "each of its 60 verdicts is A")


def test_prose_in_place_of_verdicts_is_told_by_the_check():
    prose = [anchor(n, None, outcome="unparsable") for n in range(30)]
    warned(check_report(prose), "no verdict on 30 of 30 anchors: 30 not a verdict", "agrees with people on 0%")


def test_a_check_without_an_answer_knows_nothing():
    report = check_report([anchor(1, None, outcome="failed")])
    assert (report.agreement, report.interval) == (None, None)
    assert "unknown: none of 1 anchors has an answer" in "\n".join(check_lines(report))


def test_a_judge_that_changed_is_told_with_its_day():
    rows = [anchor(n) for n in range(50)]
    for day in range(1, 60):
        for n in range(20):
            wrong = day >= 40
            at = f"2026-{3 + (day // 30):02d}-{1 + day % 30:02d}T12:00:00.000Z"
            rows.append(AnchorResult(anchor_id=str(n), at=at, judge="judge-1", version="v", human="A", verdict="B" if wrong else "A"))  # fmt: skip
    report = CheckReport.of(rows[-20:], judge_drift(rows), plan(), ())
    assert report.drift.has_changed
    assert any(
        "the judge has changed" in warning and report.drift.detected_on in warning for warning in report.warnings
    )
    assert "change     shown: 100.0% at first" in "\n".join(check_lines(report))
    assert np.isfinite(check_document(report)["drift"]["evidence"])


def test_a_set_of_anchors_that_was_changed_is_told_with_its_day():
    rows = [anchor(n, anchors=name) for name in "ab" for n in range(10)]
    lines = check_lines(check_report(rows))
    assert "unknown until anchors were judged again" in "\n".join(lines)
    assert "on the anchors of 2026-03-01: the set has been changed" in lines[-1]
    assert check_document(check_report(rows))["drift"]["anchor_sets"] == 2
    assert not any("the set has been changed" in line for line in check_lines(check_report(rows[:10])))
