"""The version of a policy."""

from msgspec.structs import replace

from undertow.policies.version import artefact_paths, policy_version
from undertow.records.serving import ConstraintsPlan, EndpointPlan, HoldoutPlan, PolicyPlan, TierPlan, TokenPrices

POLICY = PolicyPlan(name="auto", version="", kind="cascade", tiers=("cheap", "capable"), calibrations=("/a.json",))
TIERS = {
    name: TierPlan(name=name, model=f"{name}-model", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),))
    for name in ("cheap", "capable")
}


def version(policy=POLICY, tiers=TIERS, constraints=None, holdout=None, artefacts=(b"a",)):
    return policy_version(policy, tiers, constraints or ConstraintsPlan(), holdout or HoldoutPlan(), artefacts)


def test_it_changes_with_whatever_a_decision_depends_on():
    others = [
        version(replace(POLICY, threshold=0.8)),
        version(tiers=TIERS | {"cheap": replace(TIERS["cheap"], model="other")}),
        version(tiers=TIERS | {"cheap": replace(TIERS["cheap"], parameters={"temperature": 0})}),
        version(constraints=ConstraintsPlan(never_cheap=("a=b",))),
        version(holdout=HoldoutPlan(share=0.5)),
        version(artefacts=(b"b",)),
    ]
    assert len({version(), *others}) == 7


def test_names_paths_addresses_and_prices_decide_nothing():
    prices = (
        TokenPrices(input_usd=1, cached_usd=1, cache_write_usd=1, audio_input_usd=1, output_usd=1, audio_output_usd=1),
    )
    moved = replace(TIERS["cheap"], endpoints=(), prices=prices)
    assert version(replace(POLICY, name="x", version="old", calibrations=("/b.json",))) == version()
    assert version(tiers=TIERS | {"cheap": moved}) == version()


def test_all_files_of_a_policy_are_named_in_order():
    policy = replace(POLICY, artefact="/x", calibrations=("/a", "/b"), predictive="/y")
    assert artefact_paths(policy) == ("/x", "/a", "/b", "/y")


def test_a_field_that_is_as_by_default_is_not_in_the_hash():
    class Wider(PolicyPlan, frozen=True, kw_only=True):
        novel: int = 3

    plain = PolicyPlan(name="auto", version="", kind="cascade", tiers=("only",))
    wider = Wider(name="auto", version="", kind="cascade", tiers=("only",))
    used = Wider(name="auto", version="", kind="cascade", tiers=("only",), novel=4)
    tiers = {"only": TierPlan(name="only", model="m", endpoints=())}
    versions = [policy_version(each, tiers, ConstraintsPlan(), HoldoutPlan(), []) for each in (plain, wider, used)]
    assert versions[0] == versions[1] != versions[2]
