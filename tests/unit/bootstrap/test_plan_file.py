import subprocess
import sys

import msgspec
import pytest

from undertow.bootstrap.plan_file import alert_variables, plan_variables, portable, read_plan
from undertow.errors import ConfigError
from undertow.records.serving import AlertsPlan, EndpointPlan, PolicyPlan, ServingPlan, StorePlan, TierPlan

TOML = '[tiers.only]\nmodel = "m"\nbase_url = "http://h/v1"\napi_key_env = "KEY"\n[policy]\nkind = "fixed"\ntier = "only"\n'


def some_plan(artefact: str | None = None, ca_file: str | None = None) -> ServingPlan:
    endpoint = EndpointPlan(base_url="http://h/v1", api_key_env="KEY", ca_file=ca_file)
    return ServingPlan(
        tiers=(TierPlan(name="only", model="m", endpoints=(endpoint,)),),
        policies=(PolicyPlan(name="auto", version="1", kind="fixed", tiers=("only",), tier="only", artefact=artefact),),
    )


def test_settings_and_the_plan_compiled_from_them_are_one(tmp_path):
    (tmp_path / "undertow.toml").write_text(TOML)
    made = read_plan(tmp_path / "undertow.toml", {"KEY": "x"})
    (tmp_path / "plan.json").write_bytes(portable(made, str(tmp_path)))
    assert read_plan(tmp_path / "plan.json", {"KEY": "x"}) == made


def test_files_below_the_plan_move_with_it_and_others_stay(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    made = some_plan(artefact=str(old / "models" / "c.json"), ca_file="/etc/ca.pem")
    cascade = msgspec.structs.replace(
        made.policies[0], calibrations=(str(old / "a.json"), "/etc/b.json"), predictive=str(old / "words.json")
    )
    made = msgspec.structs.replace(made, policies=(cascade,))
    document = portable(made, str(old))
    new.mkdir()
    (new / "plan.json").write_bytes(document)
    read = read_plan(str(new / "plan.json"), {"KEY": "x"})
    assert read.policies[0].artefact == str(new / "models" / "c.json")
    assert read.policies[0].calibrations == (str(new / "a.json"), "/etc/b.json")
    assert read.policies[0].predictive == str(new / "words.json")
    assert read.tiers[0].endpoints[0].ca_file == "/etc/ca.pem"


@pytest.mark.parametrize("name", ["undertow.toml", "plan.json"])
def test_an_unset_variable_is_named(tmp_path, name):
    (tmp_path / "undertow.toml").write_text(TOML)
    (tmp_path / "plan.json").write_bytes(portable(some_plan(), str(tmp_path)))
    with pytest.raises(ConfigError, match="environment variable KEY is not set"):
        read_plan(tmp_path / name, {"KEY": ""})


def test_variables_of_the_data_plane_are_listed_once():
    made = msgspec.structs.replace(
        some_plan(),
        store=StorePlan(id_key_env="ID"),
        passthrough=EndpointPlan(base_url="http://p/v1", api_key_env="KEY"),
    )
    assert plan_variables(made) == ("KEY", "ID")


def test_variables_of_alerts_are_listed_once():
    names = {
        "slack_url_env": "A",
        "pagerduty_key_env": "B",
        "webhook_secret_env": "A",
        "smtp_url_env": "C",
        "dead_man_url_env": "D",
    }
    plan = AlertsPlan(**names)
    assert alert_variables(plan) == ("A", "B", "C", "D")
    assert alert_variables(AlertsPlan()) == ()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "is no compiled plan"),
        (b"[]", "is no compiled plan"),
        (b"\xff\xfe", "is no compiled plan"),
        (b'{"schema": "undertow.plan/9", "tiers": [], "policies": []}', "reads 'undertow.plan/1'"),
        (b'{"tiers": [], "policies": []}', "no tiers or no policies"),
        (b" " * 10_000_001, "larger than"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path, document, message):
    (tmp_path / "plan.json").write_bytes(document)
    with pytest.raises(ConfigError, match=message) as refused:
        read_plan(tmp_path / "plan.json", {})
    assert "\n" not in str(refused.value)


def test_an_absent_plan_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path / "absent.json", {})


def test_a_compiled_plan_needs_no_heavy_library(tmp_path):
    (tmp_path / "plan.json").write_bytes(portable(some_plan(), str(tmp_path)))
    code = (
        "import sys; from undertow.bootstrap.plan_file import read_plan; "
        f"read_plan({str(tmp_path / 'plan.json')!r}, {{'KEY': 'x'}}); "
        "print({'pydantic', 'genai_prices', 'numpy', 'duckdb', 'pathlib', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "set()"
