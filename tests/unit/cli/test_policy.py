"""`undertow policy`."""

import json
import os

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from undertow.adapters.guard.book import StoreGuardBook
from undertow.adapters.guard.versions import keep_version
from undertow.bootstrap.plan import load_plan
from undertow.cli.main import main
from undertow.records.guard import POLICY_VERSIONS, Controls, GuardMemory, Pin, PolicyControls, Restriction
from undertow.records.sealed import seal

SETTINGS = """
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:1/v1"
[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:1/v1"
[policy]
kind = "cascade"
threshold = 0.7
[store]
path = "store"
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "undertow.toml").write_text(SETTINGS)
    return lambda *arguments: CliRunner().invoke(main, ["policy", *arguments])


@pytest.fixture
def versions(run, tmp_path):
    """Two that have served; the second is that of the settings."""
    found = []
    for day, text in enumerate((SETTINGS.replace("0.7", "0.9").replace("small", "tiny"), SETTINGS), 1):
        (tmp_path / "undertow.toml").write_text(text)
        plan = load_plan(tmp_path / "undertow.toml", os.environ)
        keep_version(tmp_path / "store.guard", plan, plan.policies[0], f"2026-03-0{day}T00:00:00.000Z")
        found.append(plan.policies[0].version)
    return found


def put(tmp_path, *restrictions, pin=None):
    book = StoreGuardBook(tmp_path / "store")
    given = PolicyControls(restrictions=restrictions, pin=pin)
    with book.locked():
        book.write(Controls(version=1, at="t", policies={"auto": given}), GuardMemory(at="t"), [])


def test_versions_are_listed_with_what_is_in_force_and_what_restricts_it(run, versions, tmp_path):
    first, second = versions
    put(tmp_path, Restriction(segment="intent=billing", exposure=0.0, source="a1"), Restriction(exposure=0.25, raised_by=0.05, source="r1"))  # fmt: skip
    done = run("list")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"{first}  2026-03-01T00:00:00.000Z  cascade over cheap (tiny), capable (large)",
        f"{second}  2026-03-02T00:00:00.000Z  cascade over cheap (small), capable (large)  in force: auto",
        "restricted: auto, intent=billing: 0% of users exposed (a1)",
        "restricted: auto, all requests: 25% of users exposed, threshold raised by 0.05 (r1)",
    ]


def test_a_roll_back_shows_the_good_version_as_the_one_in_force(run, versions, tmp_path):
    first, second = versions
    put(tmp_path, pin=Pin(bad=second, good=first, source="a1"))
    document = json.loads(run("list", "--json").stdout)
    assert (document["schema"], document["in_force"], document["unserved"]) == (
        "undertow.policy/1",
        {"auto": first},
        {},
    )
    assert [one["in_force_for"] for one in document["versions"]] == [["auto"], []]
    assert f"rolled back: auto: {first} serves instead of {second} (a1)" in run("list").stdout
    (tmp_path / "store.guard" / POLICY_VERSIONS / f"{first}.json").unlink()
    assert "the capable tier answers for auto" in run("list").stdout


def test_a_difference_is_said_field_by_field(run, versions):
    first, second = versions
    done = run("diff", first[:8], "auto")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["policy.threshold: 0.9 -> 0.7", "tiers.cheap.model: tiny -> small"]
    document = json.loads(run("diff", second, first, "--json").stdout)
    assert document["changes"][0] == {"field": "policy.threshold", "before": 0.7, "after": 0.9}
    assert run("diff", first, first).stdout == "they do not differ in anything that decides\n"


def test_a_version_is_shown_whole(run, versions):
    done = run("show", versions[0])
    for line in (
        "  policy.threshold = 0.9",
        "  tiers.cheap.model = tiny",
        "  holdout.share = 0.05",
        "  policy.artefact = none",
    ):
        assert line in done.stdout.splitlines()
    assert json.loads(run("show", "auto", "--json").stdout)["version"]["version"] == versions[1]


@pytest.mark.parametrize("asked", ["nonsense", "", "../x"])
def test_what_is_no_version_is_refused(run, versions, asked):
    assert versions
    done = run("show", asked)
    assert done.exit_code == 2
    assert "undertow policy list" in done.stderr


def test_nothing_kept_yet_and_no_store_are_said(run, tmp_path):
    assert "no version is kept yet" in run("list").stdout
    (tmp_path / "store").rmdir()
    done = run("list")
    assert (done.exit_code, "no store here" in done.stderr) == (2, True)


def test_settings_that_cannot_serve_still_show_what_has_served(run, versions, tmp_path):
    (tmp_path / "undertow.toml").write_text('[store]\npath = "store"\n')
    done = run("list")
    assert done.exit_code == 0
    assert versions[1] in done.stdout
    assert "which is in force is not known" in done.stdout


def test_no_control_character_of_a_file_reaches_the_terminal(run, versions, tmp_path):
    file = tmp_path / "store.guard" / POLICY_VERSIONS / f"{versions[1]}.json"
    from undertow.adapters.guard.versions import read_version

    found = read_version(tmp_path / "store.guard", versions[1])
    tiers = found.tiers | {"cheap": found.tiers["cheap"] | {"model": "a\x1b[31mb\n"}}
    file.write_bytes(seal(replace(found, tiers=tiers)))
    put(tmp_path, Restriction(segment="intent=\x1b[2J", exposure=0.0, source="a\x07"))
    for done in (run("list"), run("show", versions[1]), run("diff", *versions)):
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout
