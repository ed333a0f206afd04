import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from undertow.cli.main import main
from undertow.config import load_settings
from undertow.config.keys import KeySettings, key_id_of, new_key, sha256_of

FILE = '# mine\n[tiers.cheap]\nmodel = "small"\n[tiers.capable]\n'


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("undertow.toml").write_text(FILE)
    return lambda *arguments, **options: CliRunner().invoke(main, ["key", *arguments], **options)


def keys() -> dict[str, KeySettings]:
    return load_settings(Path("undertow.toml"), {}).settings.keys


def test_a_new_key_is_printed_once_and_its_section_beside_it(run):
    done = run("new", "web")
    key = done.stdout.strip()
    assert done.exit_code == 0
    assert key_id_of(key)
    assert f'[keys.web]\nid = "{key_id_of(key)}"\nsha256 = "{sha256_of(key)}"\n' in done.stderr
    assert key not in done.stderr
    assert Path("undertow.toml").read_text() == FILE


def test_append_writes_the_section_and_keeps_what_was_there(run):
    key = run("new", "web", "--append").stdout.strip()
    done = run("new", "b a", "--append", "--budget-usd-day", "5", "--requests-per-minute", "60", "--tier", "cheap",
               "--label", 'team="a=b"')  # fmt: skip
    assert done.exit_code == 0, done.stderr
    text = Path("undertow.toml").read_text()
    assert text.startswith(FILE)
    assert key not in text
    assert keys()["web"].sha256 == sha256_of(key)
    second = keys()["b a"]
    assert (second.budget_usd_day, second.requests_per_minute) == (5, 60)
    assert (second.tiers, second.labels) == (("cheap",), {"team": '"a=b"'})
    assert [path.name for path in Path.cwd().iterdir()] == ["undertow.toml"]


@pytest.mark.parametrize("before", ["", "[store]", "[store]\r\npath = 'x'\r\n", "\ufeff[store]\n"])
def test_append_to_whatever_the_file_ends_with(run, before):
    Path("undertow.toml").write_bytes(before.encode())
    assert run("new", "web", "--append").exit_code == 0
    assert set(keys()) == {"web"}
    assert Path("undertow.toml").read_bytes().startswith(before.encode())


def test_json_is_one_document(run):
    done = run("new", "web", "--json")
    document = json.loads(done.stdout)
    assert document["schema"] == "undertow.key/1"
    assert document["sha256"] == sha256_of(document["key"])
    assert document["id"] == key_id_of(document["key"])
    assert document["written"] is None
    assert done.stderr == ""
    Path("undertow.toml").write_text(FILE + document["toml"])
    assert set(keys()) == {"web"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["web"], "keys.web exists already"),
        (["b", "--tier", "gold"], "names the tier 'gold'"),
        (["b", "--tier", "gold", "--append"], "names the tier 'gold'"),
        (["b", "--label", "team"], "is no KEY=VALUE"),
        (["a\nb"], "printable characters only"),
        ([""], "printable characters only"),
        (["b", "--append", "--config", "absent.toml"], "cannot be read"),
        (["b", "--budget-usd-day", "-1"], "budget-usd-day"),
    ],
)
def test_what_the_settings_would_refuse_is_refused_before_a_key_is_given_away(run, arguments, message):
    run("new", "web", "--append")
    before = Path("undertow.toml").read_bytes()
    done = run("new", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert Path("undertow.toml").read_bytes() == before


def test_append_needs_a_file(run):
    Path("undertow.toml").unlink()
    done = run("new", "web", "--append")
    assert done.exit_code == 2
    assert "undertow init" in done.stderr
    assert run("new", "web").exit_code == 0


def test_check_tells_which_key_it_is_and_never_repeats_it(run):
    key = run("new", "web", "--append").stdout
    run("new", "other", "--append")
    done = run("check", input=f"  {key}")
    assert (done.exit_code, done.stdout) == (0, f"web (id {key_id_of(key.strip())})\n")
    document = json.loads(run("check", "--json", input=key).stdout)
    assert (document["name"], document["sha256"]) == ("web", sha256_of(key.strip()))
    assert key.strip() not in done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "", "no key on standard input"),
        (lambda _: "sk-1234", "has not the form of one"),
        (lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), "is that of keys.web, but the hash is another"),
        (lambda _: new_key().key, "no [keys.NAME] has its id"),
        (lambda key: key * 1000, "has not the form of one"),
    ],
)
def test_a_key_that_is_none_of_ours_is_refused_with_the_reason(run, change, message):
    key = run("new", "web", "--append").stdout.strip()
    given = change(key)
    done = run("check", input=given)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not given or given not in done.output


def test_a_wrong_id_in_the_settings_is_pointed_out(run):
    made = new_key()
    Path("undertow.toml").write_text(f'[keys.web]\nid = "Hx3k9Qab"\nsha256 = "{made.sha256}"\n')
    done = run("check", input=made.key)
    assert done.exit_code == 0
    assert "cannot find it" in done.stderr


def test_a_key_is_no_argument(run):
    done = run("check", new_key().key)
    assert done.exit_code == 2


def test_the_file_stays_readable_to_those_who_could_read_it(run):
    Path("undertow.toml").chmod(0o600)
    run("new", "web", "--append")
    assert os.stat("undertow.toml").st_mode & 0o777 == 0o600  # noqa: PTH116
