"""Versions of policies, kept for good."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from undertow.adapters.guard.versions import ARTEFACTS, keep_version, read_version, read_versions, tiers_of
from undertow.errors import ConfigError
from undertow.policies.version import artefact_paths, policy_version
from undertow.records.guard import POLICY_VERSIONS, PolicyVersion
from undertow.records.sealed import seal
from undertow.records.serving import ConstraintsPlan, EndpointPlan, HoldoutPlan, PolicyPlan, ServingPlan, TierPlan

AT = "2026-03-01T00:00:00.000Z"
HERE = (EndpointPlan(base_url="http://127.0.0.1:1/v1", api_key_env="KEY"),)


def plan_of(*calibrations, threshold=0.7, model="small", **more):
    policy = PolicyPlan(
        name="auto", version="", kind="cascade", tiers=("cheap", "capable"), threshold=threshold,
        calibrations=tuple(map(str, calibrations)),
    )  # fmt: skip
    tiers = (
        TierPlan(name="cheap", model=model, endpoints=HERE, parameters={"temperature": 0.5}),
        TierPlan(name="capable", model="large", endpoints=HERE),
    )
    plan = ServingPlan(tiers=tiers, policies=(policy,), **more)
    contents = [path.read_bytes() for path in calibrations]
    by_name = {tier.name: tier for tier in tiers}
    version = policy_version(policy, by_name, plan.constraints, plan.holdout, contents)
    return replace(plan, policies=(replace(policy, version=version),))


def keep(guard, plan, at=AT):
    return keep_version(guard, plan, plan.policies[0], at)


@pytest.fixture
def artefact(tmp_path):
    path = tmp_path / "calibration.json"
    path.write_bytes(b'{"a": 1}')
    return path


@pytest.fixture
def guard(tmp_path):
    return tmp_path / "store.guard"


def test_a_version_is_kept_whole_with_its_files(guard, artefact):
    plan = plan_of(artefact, constraints=ConstraintsPlan(never_cheap=("a=b",)), holdout=HoldoutPlan(share=0.2))
    assert keep(guard, plan)
    artefact.unlink()
    found = read_version(guard, plan.policies[0].version)
    assert found.first_served_at == AT
    assert tiers_of(found) == {tier.name: tier for tier in plan.tiers}
    assert (found.constraints, found.holdout) == (plan.constraints, plan.holdout)
    (copy,) = artefact_paths(found.policy)
    contents = [Path(copy).read_bytes()]
    assert contents == [b'{"a": 1}']
    assert policy_version(found.policy, tiers_of(found), found.constraints, found.holdout, contents) == found.version


def test_it_is_never_written_again(guard, artefact):
    plan = plan_of(artefact)
    keep(guard, plan)
    assert not keep(guard, plan, at="2027-01-01T00:00:00.000Z")
    assert read_version(guard, plan.policies[0].version).first_served_at == AT


@pytest.mark.parametrize("harm", ["version", "artefact", "gone", "renamed"])
def test_what_is_not_what_its_hash_says_is_no_version_and_is_kept_anew_when_it_serves(guard, artefact, harm):
    plan = plan_of(artefact)
    keep(guard, plan)
    version = plan.policies[0].version
    file = guard / POLICY_VERSIONS / f"{version}.json"
    (copy,) = (guard / POLICY_VERSIONS / ARTEFACTS).iterdir()
    match harm:
        case "version":
            file.write_text(file.read_text().replace("0.7", "0.1"))
        case "artefact":
            copy.write_bytes(b'{"a": 2}')
        case "gone":
            copy.unlink()
        case "renamed":
            other = plan_of(artefact, threshold=0.1)
            keep(guard, other)
            file.write_bytes((guard / POLICY_VERSIONS / f"{other.policies[0].version}.json").read_bytes())
    with pytest.raises(ConfigError):
        read_version(guard, version)
    found, problems = read_versions(guard)
    assert version not in {one.version for one in found}
    assert len(problems) == 1
    assert keep(guard, plan)
    assert read_version(guard, version).version == version


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65, "a.b", "ä"])
def test_what_is_no_version_leads_to_no_file(guard, name):
    with pytest.raises(ConfigError, match="no version"):
        read_version(guard, name)


def test_a_path_out_of_the_folder_is_refused(guard, artefact):
    plan = plan_of(artefact)
    keep(guard, plan)
    version = plan.policies[0].version
    found = read_version(guard, version)
    for path in ("../../etc/passwd", "/etc/passwd"):
        forged = replace(found, policy=replace(found.policy, calibrations=(path,)))
        (guard / POLICY_VERSIONS / f"{version}.json").write_bytes(seal(forged))
        with pytest.raises(ConfigError, match="no name of a copy"):
            read_version(guard, version)


def test_tiers_that_are_none_are_refused(guard, artefact):
    plan = plan_of(artefact)
    keep(guard, plan)
    found = read_version(guard, plan.policies[0].version)
    for tiers in ({"cheap": {"name": 1}}, {"cheap": msgspec.to_builtins(plan.tiers[0])}):
        with pytest.raises(ConfigError, match="tiers"):
            tiers_of(replace(found, tiers=tiers))


def test_a_file_that_changed_after_the_settings_were_read_is_not_kept_under_their_version(guard, artefact):
    plan = plan_of(artefact)
    artefact.write_bytes(b'{"a": 2}')
    with pytest.raises(ConfigError, match="has changed"):
        keep(guard, plan)
    artefact.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        keep(guard, plan)
    assert read_versions(guard) == ((), ())


def test_versions_are_listed_oldest_first(guard, artefact):
    for day, threshold in ((2, 0.1), (1, 0.2), (3, 0.3)):
        keep(guard, plan_of(artefact, threshold=threshold), at=f"2026-03-0{day}T00:00:00.000Z")
    assert [one.policy.threshold for one in read_versions(guard)[0]] == [0.2, 0.1, 0.3]
    assert len(list((guard / POLICY_VERSIONS / ARTEFACTS).iterdir())) == 1


def test_what_was_edited_and_sealed_again_is_no_version(guard, artefact):
    plan = plan_of(artefact, constraints=ConstraintsPlan(never_cheap=("a=b",)))
    keep(guard, plan)
    version = plan.policies[0].version
    file = guard / POLICY_VERSIONS / f"{version}.json"
    kept = msgspec.json.decode(file.read_bytes(), type=PolicyVersion)
    for forged in (
        replace(kept, policy=replace(kept.policy, threshold=0.1)),
        replace(kept, constraints=ConstraintsPlan()),
        replace(kept, tiers={**kept.tiers, "cheap": kept.tiers["cheap"] | {"model": "tiny"}}),
    ):
        file.write_bytes(seal(forged))
        with pytest.raises(ConfigError, match="edited"):
            read_version(guard, version)
