"""What differs, and what a log can say of it."""

import pytest

from undertow.services.gate_differences import asks_for_suite, differences, routes_otherwise


@pytest.mark.parametrize(
    ("name", "before", "after", "kind"),
    [
        ("policy.threshold", 0.7, 0.8, "routing"),
        ("policy.calibration", ("cheap sha256 a",), ("cheap sha256 b",), "routing"),
        ("policy.shares.cheap", 0.1, 0.2, "routing"),
        ("holdout.share", 0.05, 0.1, "routing"),
        ("constraints.never_cheap", (), ("intent=fraud",), "routing"),
        ("constraints.never_cheap", ("intent=fraud",), (), "unseen"),
        ("constraints.cheap_tools", True, False, "stricter"),
        ("constraints.cheap_images", False, True, "unseen"),
        ("constraints.cheap_max_input_tokens", None, 8000, "stricter"),
        ("constraints.cheap_max_input_tokens", 8000, 16000, "unseen"),
        ("constraints.cheap_max_input_tokens", 8000, None, "unseen"),
        ("policy.samples", 0, 3, "unseen"),
        ("policy.margin", 0.02, 0.5, "none"),
        ("tiers.cheap.model", "a", "b", "answers"),
        ("tiers.cheap.parameters.temperature", 0.0, 1.0, "answers"),
    ],
)
def test_kinds(name, before, after, kind):
    [found] = differences({name: before}, {name: after})
    assert found.kind == kind
    assert bool(found.why) == (kind in {"answers", "unseen"})


@pytest.mark.parametrize("name", ["gateway.workers", "tiers.cheap.prices", "alerts.slack_url_env", "monitors.alpha"])
def test_what_decides_nothing_is_left_out(name):
    assert differences({name: 1}, {name: 2}) == ()


def test_another_kind_of_policy_takes_its_settings_with_it():
    before = {"policy.kind": "cascade", "policy.samples": 0, "policy.threshold": 0.7}
    found = differences(before, {"policy.kind": "fixed", "policy.tier": "cheap"})
    assert [one.name for one in found] == ["policy.kind", "policy.tier"]
    assert routes_otherwise(found)
    assert not asks_for_suite(found)


def test_lines_are_those_of_the_setting_or_of_its_table():
    given = {"policy": 3, "policy.threshold": 5}
    found = differences(
        {"policy.threshold": 1, "policy.samples": 0}, {"policy.threshold": 2, "policy.samples": 1}, given
    )
    assert {one.name: one.line for one in found} == {"policy.samples": 3, "policy.threshold": 5}
