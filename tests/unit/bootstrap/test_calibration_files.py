"""A calibration is refused at start where it says nothing of what would be served under it."""

import json

import pytest

from classifier_factory import artefact, text_artefact
from sound_calibrations import calibration, prefix
from undertow.adapters.calibrations import write_calibration
from undertow.adapters.classifiers.loading import write_artefact
from undertow.bootstrap.calibration_files import (
    calibration_files,
    cascade_problems,
    trained_scores,
    with_certified_margin,
)
from undertow.config import Settings
from undertow.config.routing import CascadePolicy
from undertow.records.calibration import FeatureWeight, ScoreDistribution

TIERS = {
    "cheap": {"model": "small", "base_url": "http://h/v1", "rank": 0},
    "middle": {"model": "medium", "base_url": "http://h/v1", "rank": 1},
    "capable": {"model": "large", "base_url": "http://h/v1", "rank": 2},
}


def settings(policy=None, **sections):
    return Settings.model_validate_json(json.dumps({"tiers": TIERS, "policy": policy or {}, **sections}))


def problems(folder, used=("cheap", "capable"), **policy):
    given = settings(policy)
    return [problem.message for problem in cascade_problems(("policy",), given.policy, given, used, folder)]


def written(folder, name="c.json", **changes):
    write_calibration(calibration(**changes), folder / name)
    return name


def test_a_calibration_that_fits_is_accepted(tmp_path):
    assert problems(tmp_path, calibration=written(tmp_path, model="small")) == []
    assert problems(tmp_path, calibration=written(tmp_path), strict=True) == []
    assert problems(tmp_path) == []


def test_one_file_or_a_list():
    assert calibration_files(CascadePolicy(calibration="a.json")) == ("a.json",)
    assert calibration_files(settings({"calibration": ["a.json", "b.json"]}).policy) == ("a.json", "b.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tier": "other"}, "it is of the tier 'other'; the tiers that this policy judges are 'cheap'"),
        ({"model": "tiny"}, "it is of the model 'tiny', but tiers.cheap asks for 'small'"),
        ({"capable_tier": "middle"}, "it compares with the tier 'middle', but this policy's capable tier is 'capable'"),
        ({"delta": 0.2}, "with probability up to 0.2; delta allows 0.1"),
        ({"margin": 0.03}, "0.03 of marginal loss is certified where policy.margin accepts 0.02"),
        ({"features": (FeatureWeight(name="p_true"),)}, "it needs p_true of each answer; set self_check = true"),
        ({"features": (FeatureWeight(name="agreement"),)}, "it needs agreement of each answer; set samples = 3"),
        ({"features": (FeatureWeight(name="predicted"),)}, "set predictive to the classifier"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(tmp_path, changes, message):
    (found,) = problems(tmp_path, calibration=written(tmp_path, **changes))
    assert message in found
    assert found.startswith("policy.calibration: ")
    assert "\n" not in found


def test_questions_that_the_policy_asks_are_there(tmp_path):
    features = (FeatureWeight(name="p_true"), FeatureWeight(name="agreement", missing_weight=-1.0))
    assert problems(tmp_path, calibration=written(tmp_path, features=features), self_check=True) == []


def test_a_file_that_is_absent_or_edited_is_refused(tmp_path):
    (absent,) = problems(tmp_path, calibration="none.json")
    assert "cannot be read: No such file" in absent
    path = tmp_path / written(tmp_path)
    path.write_text(path.read_text().replace('"cheap"', '"other"'))
    (edited,) = problems(tmp_path, calibration="c.json")
    assert "cut or edited" in edited


def test_margins_of_several_add_up(tmp_path):
    names = [written(tmp_path, f"{tier}.json", tier=tier, margin=0.015) for tier in ("cheap", "middle")]
    used = ("cheap", "middle", "capable")
    (found,) = problems(tmp_path, used, calibration=names)
    assert "0.015 + 0.015 = 0.03 of marginal loss" in found
    assert problems(tmp_path, used, calibration=names, margin=0.03) == []


def test_a_tier_has_one_calibration(tmp_path):
    names = [written(tmp_path, f"{n}.json", margin=0.01) for n in range(2)]
    (found,) = problems(tmp_path, calibration=names)
    assert "two artefacts of the tier 'cheap'" in found


@pytest.mark.parametrize("mode", ["commit", "race"])
def test_streaming_needs_a_prefix(tmp_path, mode):
    (found,) = problems(tmp_path, streaming=mode)
    assert f"policy.streaming is '{mode}'" in found
    (found,) = problems(tmp_path, streaming=mode, calibration=written(tmp_path))
    assert "no calibration has a prefix" in found
    assert problems(tmp_path, streaming=mode, calibration=written(tmp_path, prefix=prefix())) == []


def test_strict_needs_a_calibration(tmp_path):
    (found,) = problems(tmp_path, strict=True)
    assert found.startswith("policy.strict serves nothing cheaply")


def test_the_classifier_of_predictive_must_be_one_of_words(tmp_path):
    write_artefact(text_artefact(), tmp_path / "words.json")
    write_artefact(artefact("embedding"), tmp_path / "meaning.json")
    assert problems(tmp_path, predictive="words.json") == []
    (found,) = problems(tmp_path, predictive="meaning.json")
    assert "'embedding'" in found
    (found,) = problems(tmp_path, predictive="none.json")
    assert found.startswith("policy.predictive: ")


def margin(folder, policy=None, **sections):
    return with_certified_margin(settings(policy, **sections), folder).monitors_margin


def test_the_monitors_margin_is_that_of_the_calibration_unless_it_is_set(tmp_path):
    name = written(tmp_path, monitors_margin=0.05)
    assert margin(tmp_path, {"calibration": name}) == 0.05
    assert margin(tmp_path, {"calibration": name}, monitors={"margin": 0.01}) == 0.01
    assert margin(tmp_path) == 0.02
    assert margin(tmp_path, {"calibration": written(tmp_path, "bare.json")}) == 0.02
    assert margin(tmp_path, {"calibration": "none.json"}) == 0.02
    assert margin(tmp_path, {"kind": "fixed", "tier": "cheap"}) == 0.02


def test_of_several_the_largest_monitors_margin_holds(tmp_path):
    names = [
        written(tmp_path, f"{tier}.json", tier=tier, monitors_margin=certified)
        for tier, certified in (("cheap", 0.04), ("middle", 7.0))
    ]
    assert margin(tmp_path, {"calibration": names[:1]}) == 0.04
    assert margin(tmp_path, {"calibration": names}) == 0.99


def test_the_scores_of_one_calibration_are_compared_with(tmp_path):
    edges = tuple(-1.0 + 0.1 * i for i in range(11))
    name = written(tmp_path, distribution=ScoreDistribution(edges=edges, mean=-0.5, sd=0.3, n=800))
    found = trained_scores(settings({"calibration": name}), tmp_path)
    assert (found.edges, found.labels, found.tier) == (edges, 800.0, "cheap")


def test_where_no_one_calibration_has_scores_there_is_nothing_to_compare_with(tmp_path):
    constant = written(tmp_path, "constant.json")
    edges = tuple(float(i) for i in range(11))
    many = [
        written(
            tmp_path, f"{tier}.json", tier=tier, distribution=ScoreDistribution(edges=edges, mean=5.0, sd=3.0, n=800)
        )
        for tier in ("cheap", "middle")
    ]
    for given in (constant, many, "none.json"):
        assert trained_scores(settings({"calibration": given}), tmp_path) is None
    assert trained_scores(settings({"kind": "fixed", "tier": "cheap"}), tmp_path) is None
