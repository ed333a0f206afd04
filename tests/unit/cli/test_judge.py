import json

import pytest
from click.testing import CliRunner

from judge_factory import A, judge_server, pair, says_good, settings, write_pairs
from undertow.cli.main import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["judge", *arguments])


def store(tmp_path, url, pairs=(), **more):
    (tmp_path / "undertow.toml").write_text(settings(url, **more))
    write_pairs(tmp_path / "undertow-data", pairs or [pair(1), pair(2, "good", "bad"), pair(3, "good", "good too")])


def anchors(tmp_path, count=20):
    rows = [{"request": f"r{n}", "answer_a": "good" if n % 2 else "bad", "answer_b": "bad" if n % 2 else "good", "human": "A" if n % 2 else "B"} for n in range(count)]  # fmt: skip
    (tmp_path / "anchors.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


def test_pairs_that_wait_are_judged(run, tmp_path):
    with judge_server(says_good) as (url, _):
        store(tmp_path, url, judge="both_orders = true")
        done = run("run")
    assert done.exit_code == 0, done.output
    assert "verdicts   3: the served answer is better in 1, as good in 1, worse in 1" in done.stdout
    assert "cost       $0.0060" in done.stdout


def test_json_is_the_only_thing_on_standard_output(run, tmp_path):
    with judge_server(says_good) as (url, _):
        store(tmp_path, url)
        document = json.loads(run("run", "undertow-data", "--json", "--limit", "2").stdout)
    assert (document["schema"], document["labels"], document["waiting"]) == ("undertow.judge/1", 2, 1)
    assert document["warnings"] == []


def test_a_judge_that_is_a_tier_itself_is_warned_of_by_run_and_by_config_check(run, tmp_path):
    with judge_server(says_good) as (url, _):
        store(tmp_path, url)
        text = (tmp_path / "undertow.toml").read_text().replace('model = "judge-1"', 'model = "small"')
        (tmp_path / "undertow.toml").write_text(text)
        assert "judge.model is the model of tiers.cheap as well" in run("run").stdout
    checked = CliRunner().invoke(main, ["config", "check"])
    assert "models favour their own answers" in checked.output


def test_a_judge_that_cannot_be_reached_ends_in_an_error_and_loses_no_pair(run, tmp_path):
    store(tmp_path, "http://127.0.0.1:9/v1")
    done = run("run")
    assert done.exit_code == 2
    assert "cannot be reached" in done.stderr
    assert "pairs that wait for it: 3" in done.stderr


def test_without_a_judge_or_a_store_it_says_so(run, tmp_path):
    (tmp_path / "undertow.toml").write_text('[tiers.cheap]\nmodel = "small"\n')
    assert "there is no judge" in run("run").stderr
    (tmp_path / "undertow.toml").write_text(settings("http://127.0.0.1:9/v1"))
    assert "this is no store" in run("run").stderr


def test_a_function_judges(run, tmp_path, monkeypatch):
    (tmp_path / "my_judging.py").write_text(
        "def judge(request, answer, other, rubric):\n"
        "    if 'boom' in answer + other:\n"
        "        raise ValueError('the text was ' + answer)\n"
        "    return 'A' if 'good' in answer else 'B'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    store(tmp_path, "http://127.0.0.1:9/v1", [pair(1), pair(2, "boom secret")])
    text = (tmp_path / "undertow.toml").read_text().replace('model = "judge-1"', 'function = "my_judging:judge"')
    (tmp_path / "undertow.toml").write_text(text)
    done = run("run", "--json")
    assert done.exit_code == 0, done.output
    outcomes = json.loads(done.stdout)["outcomes"]
    assert (outcomes["losses"], outcomes["failed"]) == (1, 1)
    assert "secret" not in done.output
    (call,) = [line for path in (tmp_path / "undertow-data" / "calls").iterdir() for line in path.read_text().splitlines() if "ValueError" in line]  # fmt: skip
    assert "secret" not in call


def test_a_sound_judge_passes_the_check(run, tmp_path):
    anchors(tmp_path)
    with judge_server(says_good) as (url, _):
        store(tmp_path, url, judge='anchors = "anchors.jsonl"')
        done = run("check")
        again = run("check", "--json", "--limit", "5")
    assert done.exit_code == 0, done.output
    assert "agreement  100.0% with people" in done.stdout
    document = json.loads(again.stdout)
    assert (document["anchors"], document["agreement"], document["drift"]["verdicts"]) == (5, 1.0, 5)


def test_a_judge_that_always_says_a_fails_the_check(run, tmp_path):
    anchors(tmp_path)
    with judge_server(lambda _: A) as (url, _):
        store(tmp_path, url, judge='anchors = "anchors.jsonl"\nboth_orders = true')
        done = run("check")
        judged = run("run")
    assert done.exit_code == 1
    assert "favours the first answer" in done.stdout
    assert "agrees with people on 0% of the anchors" in done.stdout
    assert "as good in 3" in judged.stdout
    assert "3 of the ties because the two orders disagree" in judged.stdout


def test_a_judge_that_cannot_be_asked_is_not_called_a_bad_one(run, tmp_path):
    anchors(tmp_path)
    store(tmp_path, "http://127.0.0.1:9/v1", judge='anchors = "anchors.jsonl"')
    done = run("check")
    assert done.exit_code == 2
    assert "the judge answered nothing" in done.stderr
    asked = run("check", "--json")
    assert json.loads(asked.stdout)["agreement"] is None
    assert asked.exit_code == 2


def test_a_check_without_anchors_says_what_to_set(run, tmp_path):
    store(tmp_path, "http://127.0.0.1:9/v1")
    done = run("check")
    assert done.exit_code == 2
    assert "judge.anchors is unset" in done.stderr
