import json
from pathlib import Path

import pytest

from undertow.bootstrap.serving_check import check_serving, serving_order, serving_problems
from undertow.config import Settings, load_settings
from undertow.errors import ConfigError

CHEAP = {"model": "small", "base_url": "http://127.0.0.1:9001/v1"}
CAPABLE = {"model": "large", "base_url": "http://127.0.0.1:9002/v1"}
TIERS = {"cheap": CHEAP, "capable": CAPABLE}


def settings(tiers: dict = TIERS, **sections) -> Settings:
    return Settings.model_validate_json(json.dumps({"tiers": tiers, **sections}))


def problems(folder: Path = Path(), **sections) -> list[str]:
    return [problem.message for problem in serving_problems(settings(**sections), folder)]


def test_two_tiers_with_model_and_address_are_enough():
    assert problems() == []
    check_serving(settings(), {})


def test_one_tier_is_enough_for_a_fixed_policy():
    tiers = {"only": CHEAP}
    assert problems(tiers=tiers, policy={"kind": "fixed", "tier": "only"}) == []
    assert serving_order(settings(tiers=tiers)) == ("only",)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"tiers": {}}, "no [tiers.NAME] is set"),
        ({"tiers": {"cheap": {}, "capable": CAPABLE}}, "tiers.cheap has no model and no base_url (or endpoints)"),
        ({"tiers": {"cheap": {"base_url": "http://h/v1"}, "capable": CAPABLE}}, "tiers.cheap has no model;"),
        ({"tiers": {"a": CHEAP, "b": CAPABLE}}, "give each a rank"),
        ({"tiers": {"only": CHEAP}}, 'set kind = "fixed" and tier = "only"'),
        ({"tiers": {"cheap": {**CHEAP, "parameters": {"stream": True}}, "capable": CAPABLE}}, "parameters.stream"),
        ({"tiers": {"cheap": {**CHEAP, "parameters": {"h": {"X-Api-Key": "sk-1"}}}, "capable": CAPABLE}}, "'X-Api-Key'"),
        ({"tiers": {"cheap": {**CHEAP, "ca_file": "absent.pem"}, "capable": CAPABLE}}, "tiers.cheap.ca_file: 'absent.pem'"),
        ({"tiers": {"auto": {**CHEAP, "rank": 0}, "b": {**CAPABLE, "rank": 1}}}, "tiers.auto"),
        ({"policies": {"auto": {}}}, "policies.auto"),
        ({"policies": {"cheap": {}}}, "policies.cheap is also the name of a tier;"),
        ({"policies": {"large": {}}}, "policies.large is also the name of a tier's model"),
        ({"policy": {"tiers": ["capable", "cheap"]}}, "from the cheapest up: cheap, capable"),
        ({"policy": {"tiers": ["cheap", "cheap"]}}, "names a tier twice"),
        ({"policy": {"tiers": ["cheap"]}}, "'cheap' is its only tier"),
        ({"policies": {"x": {"kind": "classifier", "method": "rules", "tiers": ["capable"]}}}, "policies.x is a classifier"),
        ({"policy": {"kind": "fixed", "tier": "capable", "tiers": ["cheap"]}}, "policy.tier is 'capable'"),
        ({"policy": {"kind": "split", "shares": {"cheap": 1.0, "capable": 0.0}}}, "a split with one share"),
        ({"policy": {"kind": "split", "shares": {"cheap": 0.5, "capable": 0.5}, "tiers": ["cheap"]}}, "names 'capable'"),
        ({"policy": {"kind": "classifier", "artefact": "absent.json"}}, "there is no file 'absent.json'"),
        ({"policy": {"calibration": "absent.json"}}, "policy.calibration: absent.json: cannot be read"),
        ({"policies": {"x": {"streaming": "race"}}}, "policies.x.streaming is 'race'"),
        ({"policy": {"strict": True}}, "policy.strict"),
    ],
)  # fmt: skip
def test_what_a_gateway_cannot_start_with_is_said_in_one_line(sections, message):
    (found,) = problems(**sections)
    assert message in found
    assert "sk-1" not in found
    assert "\n" not in found


def test_a_file_that_holds_no_certificates_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    (found,) = problems(tmp_path, passthrough={"base_url": "http://h/v1", "ca_file": "ca.pem"})
    assert "holds no certificates" in found


def test_relative_files_are_looked_for_beside_the_settings(tmp_path):
    (tmp_path / "classifier.json").write_text("{}")
    assert problems(tmp_path, policy={"kind": "classifier", "artefact": "classifier.json"}) == []


def test_all_problems_and_unset_variables_come_at_once():
    found = settings(
        tiers={"cheap": {**CHEAP, "api_key_env": "CHEAP_KEY"}, "capable": {"model": "large"}},
        alerts={"slack_url_env": "SLACK"},
    )
    with pytest.raises(ConfigError) as refused:
        check_serving(found, {"SLACK": ""})
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "tiers.capable has no base_url (or endpoints); a gateway needs both to reach it",
        "tiers.cheap.api_key_env",
        "alerts.slack_url_env",
    ]


def test_a_problem_is_said_with_its_line(tmp_path):
    file = tmp_path / "undertow.toml"
    file.write_text('[tiers.only]\nmodel = "m"\n[policy]\nkind = "fixed"\ntier = "only"\n')
    loaded = load_settings(file, {})
    with pytest.raises(ConfigError, match=r"^undertow\.toml:1: tiers\.only has no base_url"):
        check_serving(loaded.settings, {}, loaded.folder, loaded.located)
