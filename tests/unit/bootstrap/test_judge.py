import json
from datetime import timedelta

import msgspec
import pytest

from judge_factory import NOON, A, judge_server, pair, plan, says_good, write_pairs
from undertow.adapters.judges.book import JudgeBook
from undertow.adapters.store.row_log import CALLS, read_rows
from undertow.bootstrap.judge import JudgeSetUp, build_judge, check_anchors, judge_store
from undertow.errors import ConfigError, DataError
from undertow.records.serving import EndpointPlan, StorePlan
from undertow.records.watched import WatchingCall


def set_up(root, url="http://127.0.0.1:9/v1", now=NOON, **more):
    return JudgeSetUp(
        StorePlan(path=str(root)),
        plan(endpoint=EndpointPlan(base_url=url), timeout_s=5.0, usd_per_call=0.001, **more),
        {},
        now=lambda: now,
    )


def signals(root):
    rows = []
    for path in (root / "signals").rglob("*.jsonl"):
        rows += [json.loads(line) for line in path.read_bytes().splitlines()]
    return rows


def test_waiting_pairs_become_labels_and_calls_once(tmp_path):
    write_pairs(tmp_path, [pair(n, "good" if n % 2 else "bad", "good too" if n % 3 else "bad") for n in range(12)])
    with judge_server(says_good) as (url, bodies):
        done = judge_store(set_up(tmp_path, url))
        asked = len(bodies)
        again = judge_store(set_up(tmp_path, url))
        assert len(bodies) == asked
    assert again.ended.tally.counts == {}
    assert done.waiting == again.waiting == 0
    labels = signals(tmp_path)
    assert len(labels) == 12
    assert {label["kind"] for label in labels} == {"judge"}
    assert all(label["stratum"] == "tail" and label["inclusion_probability"] == 0.02 for label in labels)
    for label in labels:
        number = int(label["decision_id"][1:])
        served, other = number % 2 == 1, number % 3 != 0
        expected = (1, 1) if served == other else (int(served), int(other))
        assert (label["value"], label["reference_value"]) == expected
    calls = read_rows(tmp_path, CALLS, WatchingCall).rows
    assert len(calls) == asked
    assert {(call.purpose, call.tier, call.cost_usd) for call in calls} == {("judge", "judge", 0.001)}
    assert JudgeBook(tmp_path).state().counts == done.ended.tally.counts


def test_no_more_than_the_limit_are_judged_and_the_rest_wait(tmp_path):
    write_pairs(tmp_path, [pair(n) for n in range(10)])
    with judge_server(says_good) as (url, _):
        assert judge_store(set_up(tmp_path, url), 3).waiting == 7
        assert judge_store(set_up(tmp_path, url), 3).waiting == 4
    assert len(signals(tmp_path)) == 6


def test_pairs_of_an_outage_wait_and_are_judged_when_it_is_over(tmp_path):
    write_pairs(tmp_path, [pair(n) for n in range(10)])
    for _ in range(5):
        down = judge_store(set_up(tmp_path))
        assert (down.ended.stopped, down.waiting) == ("unreachable", 10)
    with judge_server(says_good) as (url, _):
        done = judge_store(set_up(tmp_path, url, NOON + timedelta(days=3)))
    assert done.ended.tally.counts == {"losses": 10}


def test_a_pair_on_which_the_judge_fails_while_others_go_well_is_given_up_in_the_end(tmp_path):
    write_pairs(tmp_path, [pair(n, prompt=f"request {n}") for n in range(3)])

    def picky(body):
        return (500, b"{}") if "request 1" in body["messages"][1]["content"] else says_good(body)

    with judge_server(picky) as (url, _):
        counts = []
        for number in range(4):
            # A new pair each time, so that the judge is seen to work.
            write_pairs(tmp_path, [pair(10 + number)])
            counts.append(judge_store(set_up(tmp_path, url)).ended.tally.counts)
    assert [each.get("failed", 0) for each in counts] == [0, 0, 1, 0]
    assert JudgeBook(tmp_path).state().counts == {"losses": 6, "failed": 1}


def test_the_budget_of_the_day_is_kept_over_runs_and_what_is_left_out_is_counted(tmp_path):
    write_pairs(tmp_path, [pair(n) for n in range(10)])
    with judge_server(says_good) as (url, bodies):
        done = judge_store(set_up(tmp_path, url, budget_usd_day=0.0085))
        assert len(bodies) == 8
        write_pairs(tmp_path, [pair(20)])
        later = judge_store(set_up(tmp_path, url, budget_usd_day=0.0085))
        assert later.ended.tally.counts == {"over_budget": 1}
        write_pairs(tmp_path, [pair(21)])
        next_day = judge_store(set_up(tmp_path, url, NOON + timedelta(days=1), budget_usd_day=0.0085))
    assert done.ended.tally.counts["over_budget"] + done.ended.tally.counts["losses"] == 10
    assert done.ended.tally.counts["losses"] >= 2
    assert next_day.ended.tally.counts == {"losses": 1}
    statuses = [call.status for call in read_rows(tmp_path, CALLS, WatchingCall).rows]
    assert statuses.count("budget") == done.ended.tally.counts["over_budget"] + 1


def test_nothing_is_doubled_when_the_state_is_lost(tmp_path):
    write_pairs(tmp_path, [pair(n) for n in range(5)])
    with judge_server(says_good) as (url, _):
        judge_store(set_up(tmp_path, url))
        (tmp_path / "state" / "judge.json").unlink()
        judge_store(set_up(tmp_path, url))
    assert len(signals(tmp_path)) == 5


def test_two_processes_do_not_judge_one_store(tmp_path):
    write_pairs(tmp_path, [pair()])
    with JudgeBook(tmp_path).locked(), pytest.raises(DataError, match="another process judges this store"):
        judge_store(set_up(tmp_path))


def test_a_judge_is_built_from_its_plan(tmp_path):
    assert build_judge(plan(), {}).name == "judge-1"
    assert build_judge(plan(model=None, endpoint=None, function="json:dumps"), {}).name == "json:dumps"
    with pytest.raises(ConfigError, match="there is no judge"):
        build_judge(plan(model=None), {})


def anchor_file(tmp_path, count=12):
    path = tmp_path / "anchors.jsonl"
    rows = [{"request": f"r{n}", "answer_a": "good", "answer_b": "bad", "human": "A"} for n in range(count)]
    path.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    return str(path)


def test_anchors_are_judged_once_a_day_by_the_keeper_and_always_by_hand(tmp_path):
    anchors = anchor_file(tmp_path)
    with judge_server(says_good) as (url, _):
        given = set_up(tmp_path, url, anchors=anchors, anchors_per_day=5)
        assert len(check_anchors(given, of_today=True)) == 5
        assert check_anchors(given, of_today=True) == []
        assert len(check_anchors(given)) == 12
        assert len(check_anchors(given, limit=3)) == 3
        tomorrow = set_up(tmp_path, url, NOON + timedelta(days=1), anchors=anchors, anchors_per_day=5)
        assert len(check_anchors(tomorrow, of_today=True)) == 5
    assert len(JudgeBook(tmp_path).results()) == 25
    assert all(result.is_right for result in JudgeBook(tmp_path).results())


def test_a_day_on_which_the_judge_is_down_is_tried_again(tmp_path):
    anchors = anchor_file(tmp_path)
    assert all(result.is_right is None for result in check_anchors(set_up(tmp_path, anchors=anchors), of_today=True))
    assert JudgeBook(tmp_path).results() == []
    with judge_server(lambda _: A) as (url, _):
        assert len(check_anchors(set_up(tmp_path, url, anchors=anchors), of_today=True)) == 12


def test_results_bear_the_set_that_their_anchors_were_drawn_from(tmp_path):
    anchors = anchor_file(tmp_path)
    with judge_server(says_good) as (url, _):
        given = set_up(tmp_path, url, anchors=anchors)
        some = {result.anchors for result in check_anchors(given, limit=3)}
        assert some == {result.anchors for result in check_anchors(given)}
        anchor_file(tmp_path, 11)
        fewer = {result.anchors for result in check_anchors(given)}
    assert len(some) == len(fewer) == 1
    assert some != fewer


def test_anchors_need_a_file(tmp_path):
    with pytest.raises(ConfigError, match=r"judge\.anchors is unset"):
        check_anchors(set_up(tmp_path))
