import tomllib

import pytest

from undertow.config.routing import ClassifierPolicy, SplitPolicy
from undertow.config.settings import Settings
from undertow.config.shape import all_settings, as_toml, choices, field_at
from undertow.config.tiers import PricesPerMtok

SETTINGS = [setting for _, _, group in all_settings() for setting in group]


def test_every_section_of_the_model_is_listed_once():
    headers = [header.split(".")[0] for header, _, _ in all_settings()]
    assert headers == list(Settings.model_fields)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: f"{setting.path}-{setting.policy_kind}")
def test_every_setting_says_what_it_does_and_has_an_example_that_is_toml(setting):
    assert setting.description.endswith(".")
    assert len(setting.description) > 15
    tomllib.loads(f"x = {setting.example}")
    if setting.default is not None:
        tomllib.loads(f"x = {setting.default}")


def test_the_kind_decides_what_a_policy_may_have():
    raw = {"policy": {"kind": "split"}, "policies": {"x": {"kind": "classifier"}}}
    assert set(field_at(("policy",), raw)[1]) == set(SplitPolicy.model_fields)
    assert set(field_at(("policies", "x"), raw)[1]) == set(ClassifierPolicy.model_fields)
    assert "streaming" in field_at(("policy",), {})[1]


def test_fields_are_found_through_names_unions_and_lists():
    assert set(field_at(("tiers", "any", "prices"), {})[1]) == set(PricesPerMtok.model_fields)
    assert "base_url" in field_at(("tiers", "any", "endpoints", 0), {})[1]
    assert field_at(("nothing",), {}) == (None, {})
    assert choices(field_at(("monitors", "bucket"), {})[0]) == ("1d", "1h")


@pytest.mark.parametrize("value", [True, 3, 0.5, 'a "b" \\ c', (1, "x"), {"a": 1.5, "b": ["c"]}])
def test_toml_round_trip(value):
    read = tomllib.loads(f"x = {as_toml(value)}")["x"]
    assert read == (list(value) if isinstance(value, tuple) else value)


def test_what_is_no_value_of_a_setting_is_refused():
    with pytest.raises(TypeError):
        as_toml(object())
