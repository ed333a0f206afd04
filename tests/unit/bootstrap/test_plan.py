import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from classifier_factory import text_artefact
from sound_calibrations import calibration, prefix
from undertow.adapters.calibrations import write_calibration
from undertow.adapters.classifiers.loading import write_artefact
from undertow.bootstrap.plan import compile_plan, load_plan
from undertow.config import Settings
from undertow.errors import ConfigError
from undertow.records.serving import EndpointPlan, PolicyPlan, ServingPlan, decode_plan, encode_plan

DAY = date(2026, 11, 2)
TIERS = {
    "capable": {"model": "large", "base_url": "http://127.0.0.1:9002/v1", "api_key_env": "CAPABLE_API_KEY"},
    "cheap": {"model": "small", "base_url": "http://127.0.0.1:9001/v1"},
}


def plan(folder: Path = Path(), tiers: dict = TIERS, **sections) -> ServingPlan:
    settings = Settings.model_validate_json(json.dumps({"tiers": tiers, **sections}))
    return compile_plan(settings, folder, DAY)


def changed(**cheap) -> dict:
    return {**TIERS, "cheap": {**TIERS["cheap"], **cheap}}


def test_tiers_come_cheapest_first_and_auto_is_the_first_policy():
    made = plan(policies={"nightly": {"kind": "fixed", "tier": "cheap"}})
    assert [tier.name for tier in made.tiers] == ["cheap", "capable"]
    assert [policy.name for policy in made.policies] == ["auto", "nightly"]
    assert made.policies[0].tiers == ("cheap", "capable")
    assert made.policies[1].tier == "cheap"


def test_defaults_of_the_settings_are_those_of_the_plan():
    """So that a plan made by hand, in tests or by `undertow.Client`, behaves as one that was compiled."""
    made = plan()
    for section in (
        "constraints",
        "holdout",
        "keys",
        "limits",
        "store",
        "passthrough",
        "traces",
        "implicit",
        "telemetry",
    ):
        default = {field.name: field.default for field in msgspec.structs.fields(ServingPlan)}[section]
        assert getattr(made, section) == default, section
    auto = made.policies[0]
    assert auto == PolicyPlan(name="auto", version=auto.version, kind="cascade", tiers=("cheap", "capable"))


def test_every_setting_of_the_data_plane_arrives():
    made = plan(
        keys={
            "web": {"id": "Hx3k9Qab", "sha256": "0" * 64, "budget_usd_day": 5, "requests_per_minute": 60,
                    "tiers": ["cheap"], "labels": {"team": "web"}},
        },
        gateway={"max_body_mb": 1.5, "max_headers": 50, "drain_timeout_s": 5},
        upstream={"max_answer_mb": 2, "connections": 7, "retry_budget": 0.5, "breaker_failures": 3},
        store={"path": "x", "id_key_env": "ID_KEY", "segment_mb": 1, "segment_s": 10},
        retention={"text_days": 1, "redact": "a.b:c", "text_sketch": True},
        implicit={"window_minutes": 5, "human_words": ["agent"]},
        telemetry={"traces": True, "log_level": "error", "metrics": False},
        constraints={"never_cheap": ["intent=fraud"], "cheap_tools": False},
        holdout={"share": 0.1, "unit": "conversation", "salt": "s"},
    )  # fmt: skip
    (key,) = made.keys
    assert (key.name, key.key_id, key.budget_usd_day, key.requests_per_minute) == ("web", "Hx3k9Qab", 5, 60)
    assert (key.tiers, key.labels) == (("cheap",), {"team": "web"})
    limits = made.limits
    assert (limits.max_body_bytes, limits.max_headers, limits.drain_timeout_s) == (1_500_000, 50, 5)
    assert (limits.max_answer_bytes, limits.connections_per_upstream, limits.breaker_failures) == (2_000_000, 7, 3)
    assert limits.retry_budget == 0.5
    assert (made.store.path, made.store.id_key_env, made.store.segment_bytes) == ("x", "ID_KEY", 1_000_000)
    assert (made.store.keeps_text, made.store.redact, made.store.text_sketch) == (True, "a.b:c", True)
    assert (made.implicit.window_s, made.implicit.human_words) == (300, ("agent",))
    assert (made.traces, made.telemetry.traces) == (True, True)
    assert (made.telemetry.log_level, made.telemetry.metrics) == ("error", False)
    assert made.constraints.never_cheap == ("intent=fraud",)
    assert (made.holdout.share, made.holdout.unit, made.holdout.salt) == (0.1, "conversation", "s")
    assert decode_plan(encode_plan(made)) == made


def test_several_addresses_replace_the_one():
    endpoints = [
        {"base_url": "http://a/v1", "api_key_env": "A"},
        {"base_url": "http://b/v1", "kind": "anthropic"},
    ]
    made = plan(tiers={**TIERS, "cheap": {"model": "small", "endpoints": endpoints}})
    assert made.tiers[0].endpoints == (
        EndpointPlan(base_url="http://a/v1", api_key_env="A"),
        EndpointPlan(base_url="http://b/v1", kind="anthropic"),
    )


def test_prices_and_context_come_from_the_list_unless_the_settings_give_them():
    listed = plan(tiers=changed(model="gpt-4o-mini")).tiers[0]
    assert listed.prices[0].input_usd == pytest.approx(0.15e-6)
    assert listed.context_tokens == 128_000
    own = plan(
        tiers=changed(
            model="gpt-4o-mini", context_tokens=4096, prices={"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
        )
    ).tiers[0]
    assert own.prices[0].input_usd == own.prices[0].cached_usd == pytest.approx(1e-6)
    assert own.context_tokens == 4096
    assert plan().tiers[0].prices == ()


def test_paths_become_absolute_from_the_folder_of_the_settings(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "c.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    made = plan(Path("in"), policy={"kind": "classifier", "artefact": "c.json"})
    assert made.policies[0].artefact == str(tmp_path / "in" / "c.json")


CASCADE = {
    "threshold": 0.8, "strict": True, "streaming": "race", "race_below": 0.3, "self_check": True, "samples": 2,
    "skip_below": 0.2, "hysteresis": 0.05, "stay_turns": 1, "evidence": "tokens", "prefix_tokens": 8,
}  # fmt: skip


def test_every_setting_of_a_cascade_arrives_with_absolute_paths(tmp_path):
    write_calibration(calibration(prefix=prefix()), tmp_path / "c.json")
    write_artefact(text_artefact(), tmp_path / "words.json")
    made = plan(tmp_path, policy={**CASCADE, "calibration": "c.json", "predictive": "words.json"}).policies[0]
    assert made.calibrations == (str(tmp_path / "c.json"),)
    assert made.predictive == str(tmp_path / "words.json")
    assert {name: getattr(made, name) for name in CASCADE} == CASCADE


def version(folder: Path = Path(), **sections) -> str:
    return plan(folder, **sections).policies[0].version


@pytest.mark.parametrize(
    "sections",
    [
        {"policy": {"threshold": 0.8}},
        {"policy": {"mode": "observe"}},
        {"policy": {"kind": "fixed"}},
        {"tiers": changed(model="smaller")},
        {"tiers": changed(parameters={"temperature": 0.1})},
        {"tiers": changed(context_tokens=1000)},
        {"constraints": {"never_cheap": ["intent=fraud"]}},
        {"holdout": {"share": 0.1}},
        {"holdout": {"salt": "other"}},
    ],
)
def test_the_version_changes_with_whatever_decides(sections):
    assert version(**sections) != version()


@pytest.mark.parametrize(
    "sections",
    [
        {"tiers": changed(base_url="http://elsewhere/v1")},
        {"tiers": changed(prices={"input_usd_per_mtok": 1, "output_usd_per_mtok": 2})},
        {"store": {"path": "elsewhere"}},
        {"policies": {"other": {"threshold": 0.9}}},
        {"gateway": {"workers": 4}},
    ],
)
def test_the_version_stays_with_whatever_does_not_decide(sections):
    assert version(**sections) == version()


def test_the_version_changes_with_the_artefact_and_not_with_its_place(tmp_path):
    (tmp_path / "a.json").write_text("1")
    (tmp_path / "b.json").write_text("1")
    (tmp_path / "c.json").write_text("2")
    a, b, c = (version(tmp_path, policy={"kind": "classifier", "artefact": f"{name}.json"}) for name in "abc")
    assert a == b != c


def test_the_version_changes_with_calibrations_and_predictive_classifiers(tmp_path):
    write_calibration(calibration(), tmp_path / "a.json")
    write_calibration(calibration(), tmp_path / "b.json")
    write_calibration(calibration(seed=2), tmp_path / "c.json")
    write_artefact(text_artefact(), tmp_path / "words.json")
    a, b, c = (version(tmp_path, policy={"calibration": f"{name}.json"}) for name in "abc")
    assert a == b != c
    assert version(tmp_path, policy={"predictive": "words.json"}) not in {version(), a, c}


@pytest.mark.parametrize("name", [name for name in CASCADE if name not in {"strict", "streaming"}])
def test_the_version_changes_with_each_setting_of_a_cascade(name):
    assert version(policy={name: CASCADE[name]}) != version()


def test_settings_that_cannot_serve_are_refused_with_all_reasons():
    with pytest.raises(ConfigError) as refused:
        plan(tiers={"a": {}, "b": TIERS["cheap"]})
    assert len(str(refused.value).splitlines()) == 2


def test_a_plan_is_loaded_from_a_file_or_from_the_environment_alone(tmp_path, monkeypatch):
    file = tmp_path / "undertow.toml"
    file.write_text('[tiers.only]\nmodel = "m"\nbase_url = "http://h/v1"\n[policy]\nkind = "fixed"\ntier = "only"\n')
    assert load_plan(file, {}).tiers[0].model == "m"
    monkeypatch.chdir(tmp_path)
    assert load_plan(None, {"UNDERTOW_TIERS__ONLY__MODEL": "n"}).tiers[0].model == "n"


KEY = {"id": "Hx3k9Qab", "sha256": "0" * 64, "ui": "reviewer"}
PROXIED = {
    "user_header": "X-User",
    "trusted_proxies": ["10.0.0.5"],
    "public_hosts": ["u.example"],
    "roles": {"ada": "operator"},
}


def test_who_may_open_the_dashboard_is_in_the_plan():
    made = plan(keys={"web": KEY}, ui={**PROXIED, "session_hours": 2.0})
    assert made.keys[0].ui == "reviewer"
    assert (made.ui.user_header, made.ui.roles, made.ui.session_hours) == ("X-User", {"ada": "operator"}, 2.0)
    assert decode_plan(encode_plan(made)) == made


@pytest.mark.parametrize(
    ("sections", "is_open"),
    [
        ({}, True),
        ({"keys": {"web": KEY}}, False),
        ({"keys": {"web": {**KEY, "ui": None}}}, False),
        ({"ui": PROXIED}, False),
        ({"gateway": {"allow_public_without_keys": True}}, False),
    ],
)  # fmt: skip
def test_this_machine_alone_is_let_in_only_where_nobody_else_could_come_through_it(sections, is_open):
    assert plan(**sections).ui.is_open_here is is_open
    assert ServingPlan(tiers=(), policies=()).ui.is_open_here is False
