"""A pinned version takes the place of the one that was rolled back."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from undertow.adapters.guard.controls import controls_files, guard_folder, write_controls
from undertow.adapters.guard.versions import read_version
from undertow.bootstrap.versions import Pins, keep_versions, with_pins
from undertow.policies.version import artefact_paths, policy_version
from undertow.records.guard import POLICY_VERSIONS, Controls, Pin, PolicyControls
from undertow.records.serving import ConstraintsPlan, EndpointPlan, HoldoutPlan, StorePlan, TokenPrices
from unit.adapters.guard.test_versions import AT, plan_of

PRICES = (
    TokenPrices(input_usd=1, cached_usd=1, cache_write_usd=1, audio_input_usd=1, output_usd=1, audio_output_usd=1),
)


@pytest.fixture
def good(tmp_path):
    calibration = tmp_path / "c.json"
    calibration.write_bytes(b'{"a": 1}')
    return stored(tmp_path, plan_of(calibration, model="old-small"))


@pytest.fixture
def bad(tmp_path):
    return stored(tmp_path, plan_of(threshold=0.2))


def stored(tmp_path, plan):
    return replace(plan, store=StorePlan(path=str(tmp_path / "store")))


def version(plan):
    return plan.policies[0].version


def pin(bad, good):
    return {"auto": Pin(bad=version(bad), good=version(good), source="a1")}


def pinned(bad, good, **more):
    return with_pins(bad, pin(bad, good) | more, lambda _: True)


def computed(plan, place=0):
    policy = plan.policies[place]
    contents = [Path(path).read_bytes() for path in artefact_paths(policy)]
    return policy_version(policy, {tier.name: tier for tier in plan.tiers}, plan.constraints, plan.holdout, contents)


def test_what_is_served_is_the_good_version_to_the_hash(good, bad, tmp_path):
    assert keep_versions(good, AT) == ()
    (tmp_path / "c.json").unlink()
    found = pinned(bad, good)
    assert found.unserved == {}
    assert version(found.plan) == version(good) == computed(found.plan)
    assert found.plan.tiers == good.tiers
    assert found.plan.policies[0].name == "auto"


def test_it_is_not_the_constraints_that_are_rolled_back(good, tmp_path):
    keep_versions(good, AT)
    stricter = ConstraintsPlan(never_cheap=("intent=fraud",), cheap_max_input_tokens=100, cheap_tools=False)
    bad = stored(tmp_path, plan_of(threshold=0.2, constraints=stricter))
    found = pinned(bad, good).plan
    assert version(found) == version(good)
    assert found.constraints == stricter


def test_the_holdout_is_that_of_the_good_version(good, tmp_path):
    keep_versions(good, AT)
    bad = stored(tmp_path, plan_of(threshold=0.2, holdout=HoldoutPlan(share=0.5)))
    found = pinned(bad, good).plan
    assert found.holdout == good.holdout
    assert computed(found) == version(good)


def test_addresses_and_prices_of_now_stay_where_the_model_is_the_same(good, bad):
    keep_versions(good, AT)
    both = (EndpointPlan(base_url="http://127.0.0.1:2/v1"), *good.tiers[0].endpoints)
    bad = replace(bad, tiers=tuple(replace(tier, endpoints=both, prices=PRICES) for tier in bad.tiers))
    cheap, capable = pinned(bad, good).plan.tiers
    assert (cheap.endpoints, cheap.prices) == (good.tiers[0].endpoints, ())
    assert (capable.endpoints, capable.prices) == (both, PRICES)


@pytest.mark.parametrize("moved", [{"base_url": "http://127.0.0.1:2/v1"}, {"api_key_env": "OTHER_KEY"}])
def test_no_request_goes_to_an_address_or_with_a_key_that_the_settings_do_not_name(good, bad, moved):
    keep_versions(good, AT)
    elsewhere = tuple(replace(endpoint, **moved) for endpoint in bad.tiers[0].endpoints)
    bad = replace(bad, tiers=tuple(replace(tier, endpoints=elsewhere) for tier in bad.tiers))
    found = pinned(bad, good)
    assert "no tier of the settings names" in found.unserved["auto"]
    assert found.plan is bad


def test_a_third_version_an_observer_and_another_policy_are_served_as_they_are(good, bad, tmp_path):
    keep_versions(good, AT)
    third = stored(tmp_path, plan_of(threshold=0.3))
    assert with_pins(third, pin(bad, good), lambda _: True).plan is third
    observing = replace(bad, policies=(replace(bad.policies[0], mode="observe"),))
    assert pinned(observing, good).plan is observing
    assert with_pins(bad, {"other": pin(bad, good)["auto"]}, lambda _: True).plan is bad


def test_a_version_that_cannot_be_served_is_said_and_the_plan_stays(good, bad):
    assert "cannot be read" in pinned(bad, good).unserved["auto"]
    keep_versions(good, AT)
    assert "KEY" in with_pins(bad, pin(bad, good), lambda name: name != "KEY").unserved["auto"]
    renamed = replace(bad, tiers=(replace(bad.tiers[0], name="mini"), bad.tiers[1]))
    assert "mini" not in pinned(renamed, good).unserved["auto"]
    turned = replace(bad, tiers=bad.tiers[::-1])
    assert "order" in pinned(turned, good).unserved["auto"]
    (guard_folder(bad.store.path) / POLICY_VERSIONS / f"{version(good)}.json").write_text("{}")
    found = pinned(bad, good)
    assert found.plan is bad
    assert found.unserved


def test_another_policy_on_the_same_tiers_says_by_its_version_that_they_changed(good, bad):
    keep_versions(good, AT)
    other = replace(bad.policies[0], name="other", threshold=0.5)
    both = replace(bad, policies=(bad.policies[0], replace(other, version="before")))
    found = pinned(both, good).plan
    assert found.policies[1].version == computed(found, 1) != "before"


def test_two_good_versions_that_do_not_go_together_are_not_both_served(good, bad, tmp_path):
    another = stored(tmp_path, plan_of(model="third-small"))
    keep_versions(good, AT)
    keep_versions(another, AT)
    both = replace(bad, policies=(bad.policies[0], replace(bad.policies[0], name="other")))
    found = pinned(both, good, other=Pin(bad=version(bad), good=version(another), source="a2"))
    assert list(found.unserved) == ["other"]
    assert version(found.plan) == version(good)


def test_pins_follow_the_controls_and_outlive_them(good, bad):
    keep_versions(good, AT)
    pins = Pins({"KEY": "x"})
    assert pins.pinned(bad).plan is bad
    first, second = controls_files(bad.store.path)
    for number, given in enumerate((pin(bad, good)["auto"], None), 1):
        first.parent.mkdir(parents=True, exist_ok=True)
        write_controls(first, Controls(version=number, at=AT, policies={"auto": PolicyControls(pin=given)}))
        found = pins.pinned(bad)
        assert version(found.plan) == version(good if given else bad)
        assert pins.pinned(bad) is found, "nothing is read again for nothing"
    write_controls(second, Controls(version=3, at=AT, policies={"auto": PolicyControls(pin=pin(bad, good)["auto"])}))
    assert version(pins.pinned(bad).plan) == version(good)
    first.write_text("{")
    second.unlink()
    assert version(pins.pinned(bad).plan) == version(good)


def test_a_version_that_cannot_be_served_is_read_again_only_once_its_files_change_or_a_minute_has_passed(
    good, bad, monkeypatch
):
    read, seconds = [], [0.0]

    def counted(folder, name):
        read.append(name)
        return read_version(folder, name)

    monkeypatch.setattr("undertow.bootstrap.versions.read_version", counted)
    path = controls_files(bad.store.path)[0]
    path.parent.mkdir(parents=True)
    write_controls(path, Controls(version=1, at=AT, policies={"auto": PolicyControls(pin=pin(bad, good)["auto"])}))
    pins = Pins({"KEY": "x"}, lambda: seconds[0])
    for seconds[0] in range(0, 60, 2):
        assert pins.pinned(bad).unserved
    assert len(read) == 1
    seconds[0] = 60.0
    assert pins.pinned(bad).unserved
    assert len(read) == 2
    seconds[0] = 62.0
    keep_versions(good, AT)
    assert pins.pinned(bad).unserved == {}
    for seconds[0] in range(64, 200, 2):
        assert version(pins.pinned(bad).plan) == version(good)
    assert len(read) == 3


def test_what_cannot_be_kept_is_said(bad, tmp_path):
    guard_folder(bad.store.path).write_text("")
    (said,) = keep_versions(bad, AT)
    assert "cannot be kept" in said
