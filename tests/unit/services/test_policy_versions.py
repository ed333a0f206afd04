"""Versions of a policy are compared by what decides, and shown on one line."""

from undertow.records.guard import PolicyVersion
from undertow.records.serving import ConstraintsPlan, PolicyPlan
from undertow.services.policy_versions import LONGEST, differences, fields_of, in_words


def version(name="v1", tiers=None, constraints=None, **policy):
    plan = PolicyPlan(**{"name": "auto", "version": name, "kind": "cascade", "tiers": ("cheap", "capable"), **policy})
    return PolicyVersion(
        version=name, first_served_at="2026-03-01T00:00:00Z", policy=plan, constraints=constraints or ConstraintsPlan(),
        tiers=tiers or {"cheap": {"model": "small", "parameters": {}, "context_tokens": 8}, "capable": {"model": "large"}},
    )  # fmt: skip


def test_a_version_differs_from_itself_in_nothing_whatever_it_is_called():
    assert differences(version("v1"), version("v2")) == []


def test_models_thresholds_and_constraints_are_told():
    other = version(
        tiers={"cheap": {"model": "tiny"}, "local": {"model": "own"}},
        constraints=ConstraintsPlan(never_cheap=("intent=fraud",)), threshold=0.8,
    )  # fmt: skip
    found = {name: (before, after) for name, before, after in differences(version(threshold=0.7), other)}
    assert found["policy.threshold"] == (0.7, 0.8)
    assert found["tiers.cheap.model"] == ("small", "tiny")
    assert found["tiers.local.model"] == (None, "own")
    assert found["tiers.capable.model"] == ("large", None)
    assert tuple(map(in_words, found["constraints.never_cheap"])) == ("none", "intent=fraud")


def test_files_are_named_by_their_hash_wherever_they_lie():
    one, other = (version(artefact=f"{where}/0123456789abcdef.json") for where in ("/a", "C:\\b"))
    assert fields_of(one)["policy.artefact"] == "sha256 0123456789ab"
    assert differences(one, other) == []


def test_values_are_shown_whole_and_on_one_line():
    assert in_words({"temperature": 0.5}) == '{"temperature": 0.5}', "parameters are not nothing"
    assert in_words({}) == "none"
    assert in_words(["a\nb", None]) == "a?b, none"
    assert len(in_words("x" * 1000)) == LONGEST
