"""A certificate holds for what it was given for, and for nothing else."""

import math

import pytest

from sound_calibrations import SHA, calibration, changed, group, judge, prefix
from undertow.policies.novelty import pack_seen
from undertow.policies.scale import RING
from undertow.records.answer import AnswerFacts, Evidence, TokenEvidence
from undertow.records.calibration import ConfidenceMap, FeatureWeight, GroupState, PolicyState, ScoreDistribution
from undertow.records.request import RequestFacts

ASKED = RequestFacts("chat.completions", "auto", text="where is my card")
SURE = AnswerFacts(logprob_sum=4 * math.log(0.9), logprob_count=4, model="small-1")
UNSURE = AnswerFacts(logprob_sum=4 * math.log(0.5), logprob_count=4, model="small-1")
TOOLS = AnswerFacts(is_tool_calls_only=True, are_tool_calls_valid=True, model="small-1")
GROUPED = calibration(group_key="intent", groups=(group(threshold=0.6), group("faq", 0.95), group("fraud", None)))


def asked(intent):
    return changed(ASKED, segment={} if intent is None else {"intent": intent})


def state(*groups, version=3, sha=SHA):
    return PolicyState(calibration_version=sha, version=version, groups=groups)


def outcome(verdict):
    return verdict.is_released, verdict.reason


def test_the_confidence_is_the_groups_map_of_the_score():
    verdict = judge(calibration(groups=(group(map=ConfidenceMap(method="platt", slope=2.0)),))).judge(SURE, ASKED, {})
    judgement = verdict.judgement
    odds = (0.9 / 0.1) ** 2
    assert judgement.confidence == pytest.approx(odds / (1 + odds))
    assert judgement.score == pytest.approx(math.log(0.9))
    assert (judgement.threshold, judgement.confidence_kind) == (0.7, "calibrated")
    assert judgement.calibration_version == SHA[:12]
    assert judgement.features["mean_logprob"] == judgement.score
    assert outcome(verdict) == (True, "confident")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (SURE, (True, "confident")),
        (UNSURE, (False, "unsure")),
        (changed(SURE, is_empty=True), (False, "empty_answer")),
        (changed(SURE, are_tool_calls_valid=False), (False, "invalid_answer")),
        (changed(SURE, is_format_valid=False), (False, "invalid_answer")),
        (changed(SURE, is_refusal=True), (False, "unsure")),
        (changed(SURE, logprob_sum=None), (False, "no_confidence")),
        (changed(SURE, logprob_sum=math.nan), (False, "no_confidence")),
        (TOOLS, (True, "confident")),
        (changed(TOOLS, logprob_sum=-9.0, logprob_count=3), (False, "unsure")),
        (changed(TOOLS, are_tool_calls_valid=None), (False, "no_confidence")),
    ],
)
def test_what_becomes_of_an_answer(answer, expected):
    assert outcome(judge().judge(answer, ASKED, {})) == expected


@pytest.mark.parametrize("model", ["large-9", None])
def test_an_answer_of_another_model_has_no_confidence(model):
    verdict = judge(calibration(served_models=("small-1", "small-2"))).judge(changed(SURE, model=model), ASKED, {})
    assert outcome(verdict) == (False, "other_model")
    assert verdict.judgement.confidence is verdict.judgement.score is None
    assert verdict.judgement.features["mean_logprob"] < 0, "it is logged all the same, for the next calibration"
    assert (
        outcome(judge(calibration(served_models=("small-1",))).judge(changed(TOOLS, model=model), ASKED, {}))[0]
        is False
    )


@pytest.mark.parametrize(
    ("intent", "strict", "expected"),
    [
        ("faq", False, (False, "unsure")),
        ("fraud", False, (False, "uncertified")),
        ("fraud", True, (False, "uncertified")),
        ("new", False, (True, "confident")),
        ("new", True, (False, "uncertified")),
        (None, False, (True, "confident")),
        (None, True, (True, "confident")),
    ],
)
def test_each_request_is_judged_by_its_own_group(intent, strict, expected):
    assert outcome(judge(GROUPED, strict=strict).judge(SURE, asked(intent), {})) == expected


@pytest.mark.parametrize(
    ("intent", "strict", "expected"),
    [
        (None, False, (True, "confident")),
        (None, True, (False, "uncertified")),
        ("fraud", False, (False, "uncertified")),
    ],
)
def test_tool_calls_without_log_probabilities_rest_on_their_signature_unless_strict(intent, strict, expected):
    assert outcome(judge(GROUPED, strict=strict).judge(TOOLS, asked(intent), {})) == expected


def test_tuned_thresholds_are_put_in_force_and_taken_back():
    judged = judge(GROUPED)
    assert judged.apply(state(GroupState(threshold=0.95)))
    verdict = judged.judge(SURE, asked("new"), {})
    assert outcome(verdict) == (False, "unsure")
    assert verdict.judgement.calibration_version == f"{SHA[:12]}+3" == judged.version
    assert verdict.judgement.threshold == 0.95
    assert judged.apply(None)
    assert outcome(judged.judge(SURE, asked("new"), {})) == (True, "confident")
    assert judged.version == SHA[:12]


@pytest.mark.parametrize(
    ("sha", "is_ours"), [(SHA, True), (SHA[:12], True), ("f" * 64, False), ("", False), (SHA[:4], False)]
)
def test_thresholds_of_another_artefact_are_ignored(sha, is_ours):
    judged = judge()
    judged.apply(state(GroupState(threshold=None), version=1))
    assert judged.apply(state(GroupState(threshold=0.99), sha=sha)) is is_ours
    assert judged.judge(SURE, ASKED, {}).judgement.threshold == (0.99 if is_ours else 0.7)


@pytest.mark.parametrize(("strict", "expected"), [(True, (False, "calibration_void")), (False, (True, "confident"))])
def test_a_void_certificate_serves_nothing_under_strict(strict, expected):
    judged = judge(strict=strict)
    judged.apply(state(GroupState(threshold=0.7, is_void=True)))
    assert outcome(judged.judge(SURE, ASKED, {})) == expected
    assert outcome(judged.judge(TOOLS, ASKED, {}))[0] is not strict


SCALED = calibration(
    distribution=ScoreDistribution(edges=tuple(-1 + n / 10 for n in range(11)), mean=-0.5, sd=0.3, n=900)
)


def scored(score):
    return changed(SURE, logprob_sum=score, logprob_count=1)


@pytest.mark.parametrize("strict", [False, True])
def test_scores_on_another_scale_void_the_calibration_until_they_look_right_again(strict):
    judged = judge(SCALED, strict=strict)
    for _ in range(RING):
        judged.judge(scored(-0.01), ASKED, {})
    assert judged.is_suspect
    verdict = judged.judge(scored(-0.01), ASKED, {})
    assert outcome(verdict) == (False, "calibration_void")
    assert verdict.judgement.confidence == pytest.approx(0.99, abs=0.01), "it is measured all the same"
    assert outcome(judged.judge(TOOLS, ASKED, {}))[0] is False
    assert judged.acceptance({}) == 0.0
    for n in range(RING):
        judged.judge(scored(-(n % 100 + 0.5) / 100), ASKED, {})
    assert not judged.is_suspect
    assert outcome(judged.judge(scored(-0.01), ASKED, {})) == (True, "confident")


QUESTIONED = calibration(
    features=(FeatureWeight(name="mean_logprob"), FeatureWeight(name="agreement", weight=2.0, center=0.5)), link="logit"
)


def test_a_feature_that_may_not_be_missing():
    judged = judge(QUESTIONED)
    assert outcome(judged.judge(SURE, ASKED, {"agreement": 1.0})) == (True, "confident")
    assert outcome(judged.judge(SURE, ASKED, {})) == (False, "no_confidence")
    assert outcome(judged.judge(SURE, ASKED, {"agreement": math.nan})) == (False, "no_confidence")


def test_further_calls_are_made_only_where_they_can_serve_the_answer():
    judged = judge(QUESTIONED)
    # The best outcome adds 1 to the score: .5 of probability makes logit .31, below .7; .9 makes .89.
    hopeless, hopeful = UNSURE, SURE
    assert judged.is_within_reach(hopeful, ASKED, {})
    assert not judged.is_within_reach(hopeless, ASKED, {})
    assert not judged.is_within_reach(hopeful, ASKED, {}, raised_by=0.3)
    verdict = judged.judge(hopeless, ASKED, {})
    assert outcome(verdict) == (False, "unsure")
    assert verdict.judgement.confidence is None


@pytest.mark.parametrize(
    ("given", "answer", "intent"),
    [
        (GROUPED, SURE, "fraud"),
        (GROUPED, changed(SURE, is_empty=True), "faq"),
        (GROUPED, changed(SURE, logprob_sum=None), "faq"),
        (changed(GROUPED, served_models=("other",)), SURE, "faq"),
    ],
)
def test_nothing_more_is_asked_where_nothing_can_be_served(given, answer, intent):
    assert not judge(given).is_within_reach(answer, asked(intent), {})


def test_questions_that_enter_no_confidence_are_for_the_log():
    assert judge(GROUPED).is_within_reach(UNSURE, asked("faq"), {})


def test_hysteresis_raises_the_threshold():
    verdict = judge().judge(SURE, ASKED, {}, 0.25)
    assert outcome(verdict) == (False, "unsure")
    assert verdict.judgement.threshold == pytest.approx(0.95)


def test_novelty_is_measured_where_the_training_texts_are_known():
    seen = changed(calibration().distribution, seen_words=pack_seen(["where is my parcel"]))
    features = (FeatureWeight(name="mean_logprob"), FeatureWeight(name="novelty", weight=-1.0))
    judgement = judge(calibration(distribution=seen, features=features, link="logit")).judge(SURE, ASKED, {}).judgement
    assert judgement.novelty == pytest.approx(2 / 7)
    assert judgement.score == pytest.approx(math.log(0.9) - 2 / 7)
    assert judge().judge(SURE, ASKED, {}).judgement.novelty is None


COMMITTING = calibration(prefix=prefix(tokens=2, threshold=0.8))


def begun(probability, tokens=2, **changes):
    evidence = TokenEvidence((math.log(probability),) * tokens, (True,) * tokens)
    return AnswerFacts(**{"tokens": evidence, "model": "small-1", "chars": 9} | changes)


def test_a_confident_prefix_may_be_served_in_mode_commit_only():
    verdict = judge(COMMITTING, commits=True).judge_prefix(begun(0.85), ASKED, {})
    assert outcome(verdict) == (True, "confident")
    assert verdict.judgement.confidence == pytest.approx(0.85)
    assert verdict.judgement.threshold == 0.8
    assert verdict.judgement.features["prefix.tokens"] == 2.0
    assert "mean_logprob" not in verdict.judgement.features
    looked_at = judge(COMMITTING).judge_prefix(begun(0.85), ASKED, {})
    assert outcome(looked_at) == (False, "unsure")
    assert looked_at.judgement.confidence == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("given", "answer", "reason"),
    [
        (COMMITTING, begun(0.75), "unsure"),
        (COMMITTING, begun(0.85, tokens=1), "no_confidence"),
        (COMMITTING, begun(0.85, is_refusal=True), "unsure"),
        (changed(COMMITTING, served_models=("other",)), begun(0.85), "other_model"),
        (changed(COMMITTING, groups=(group(threshold=None),)), begun(0.85), "uncertified"),
        (calibration(), begun(0.85), "no_confidence"),
    ],
)
def test_what_keeps_a_prefix_from_being_served(given, answer, reason):
    assert outcome(judge(given, commits=True).judge_prefix(answer, ASKED, {})) == (False, reason)


def test_in_mode_commit_whole_answers_meet_the_threshold_of_the_prefix():
    whole = changed(SURE, logprob_sum=4 * math.log(0.75))
    assert outcome(judge(COMMITTING).judge(whole, ASKED, {})) == (True, "confident")
    assert outcome(judge(COMMITTING, commits=True).judge(whole, ASKED, {})) == (False, "unsure")


def test_hysteresis_raises_the_threshold_of_a_prefix_too():
    assert outcome(judge(COMMITTING, commits=True).judge_prefix(begun(0.85), ASKED, {}, 0.1)) == (False, "unsure")


def test_the_log_has_the_features_of_first_tokens_too():
    whole = changed(SURE, tokens=begun(0.85, tokens=3).tokens)
    assert "prefix.mean_logprob" in judge(COMMITTING).judge(whole, ASKED, {}).judgement.features
    assert "prefix.mean_logprob" in judge(logged_prefix=3).judge(whole, ASKED, {}).judgement.features
    assert "prefix.mean_logprob" not in judge().judge(whole, ASKED, {}).judgement.features


def test_it_asks_for_what_it_needs():
    assert judge().needs == Evidence(logprobs=True)
    assert judge(COMMITTING).needs == Evidence(logprobs=True, tokens=True)
    margins = changed(prefix(), features=(FeatureWeight(name="prefix.min_margin"),))
    assert judge(calibration(prefix=margins)).needs.alternatives == 5
    assert judge(QUESTIONED, needs=Evidence(tokens=True)).needs == Evidence(logprobs=True, tokens=True, text=True)
    assert (judge(COMMITTING).prefix_tokens, judge().prefix_tokens) == (2, 0)


def test_those_who_watch_see_every_group():
    judged = judge(GROUPED)
    judged.apply(state(GroupState(value="faq", threshold=0.99, is_void=True)))
    found = {each.value: (each.threshold, each.is_void) for each in judged.standings()}
    assert found == {None: (0.6, False), "faq": (0.99, True), "fraud": (None, False)}
    assert [judged.acceptance({"intent": value}) for value in ("faq", "fraud", "new")] == [None, 0.0, 0.4]
