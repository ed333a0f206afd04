import json
import logging
import threading
import time

from judge_factory import NOON, judge_server, pair, plan, says_good, write_pairs
from undertow.adapters.judges.book import JudgeBook
from undertow.bootstrap.judge import JudgeSetUp
from undertow.keeper.judging import Judging
from undertow.records.serving import EndpointPlan, StorePlan
from undertow.services import judge_run

FREE = "judge_usd_millionths"
"""Counted by each run; nothing where verdicts are free."""


def job(root, url, **more):
    settings = plan(endpoint=EndpointPlan(base_url=url), timeout_s=5.0, usd_per_call=0.0, **more)
    return Judging(JudgeSetUp(StorePlan(path=str(root)), settings, {}, "keeper", lambda: NOON))


def test_a_run_judges_what_came_in_since_the_last_one(tmp_path):
    write_pairs(tmp_path, [pair(1), pair(2)])
    with judge_server(says_good) as (url, _):
        judging = job(tmp_path, url)
        assert judging.run() == {"judge_losses": 2, FREE: 0}
        assert judging.run() == {FREE: 0}
        write_pairs(tmp_path, [pair(3, "good", "bad")])
        assert judging.run() == {"judge_wins": 1, FREE: 0}


def test_some_anchors_are_judged_once_a_day(tmp_path):
    anchors = tmp_path / "anchors.jsonl"
    anchors.write_text(json.dumps({"request": "r", "answer_a": "good", "answer_b": "bad", "human": "A"}))
    with judge_server(says_good) as (url, _):
        judging = job(tmp_path, url, anchors=str(anchors))
        assert judging.run() == {"judge_anchors": 1, FREE: 0}
        assert judging.run() == {"judge_anchors": 0, FREE: 0}


def test_an_outage_and_a_broken_anchor_file_are_logged_and_stop_nothing(tmp_path, caplog):
    write_pairs(tmp_path, [pair(1), pair(2)])
    judging = job(tmp_path, "http://127.0.0.1:9/v1", anchors=str(tmp_path / "gone.jsonl"))
    with caplog.at_level(logging.WARNING, "undertow.keeper"):
        assert judging.run() == {FREE: 0}
        assert judging.run() == {FREE: 0}
    said = [record.message for record in caplog.records]
    assert said.count("judge_not_reached") == 2
    assert said.count("anchors_unusable") == 1
    with judge_server(says_good) as (url, _):
        assert job(tmp_path, url).run() == {"judge_losses": 2, FREE: 0}


def test_a_keeper_that_is_told_to_stop_is_not_held_up_by_a_slow_judge(tmp_path, monkeypatch):
    monkeypatch.setattr(judge_run, "LAST_S", 0.2)
    write_pairs(tmp_path, [pair(n) for n in range(40)])
    told, go_on = threading.Event(), threading.Event()

    def slow(body):
        told.set()
        go_on.wait(20)
        return says_good(body)

    with judge_server(slow) as (url, bodies):
        settings = plan(endpoint=EndpointPlan(base_url=url), timeout_s=60.0, usd_per_call=0.0)
        judging = Judging(JudgeSetUp(StorePlan(path=str(tmp_path)), settings, {}, "keeper", lambda: NOON), told.is_set)
        began = time.monotonic()
        assert judging.run() == {FREE: 0}
        assert time.monotonic() - began < 15
        assert len(bodies) <= 4
        go_on.set()
    with judge_server(says_good) as (url, _):
        assert job(tmp_path, url).run() == {"judge_losses": 40, FREE: 0}


def test_a_judge_that_cannot_be_asked_about_anchors_is_left_in_peace_for_a_while(tmp_path):
    anchors = tmp_path / "anchors.jsonl"
    anchors.write_text(json.dumps({"request": "r", "answer_a": "good", "answer_b": "bad", "human": "A"}))
    now = [0.0]
    with judge_server(lambda _: (200, b"no JSON")) as (url, bodies):
        settings = plan(endpoint=EndpointPlan(base_url=url), usd_per_call=0.0, anchors=str(anchors))
        set_up = JudgeSetUp(StorePlan(path=str(tmp_path)), settings, {}, "keeper", lambda: NOON)
        judging = Judging(set_up, monotonic=lambda: now[0])
        judging.run()
        asked = len(bodies)
        now[0] = 600.0
        judging.run()
        assert len(bodies) == asked > 0
        now[0] = 901.0
        judging.run()
        assert len(bodies) == 2 * asked


def test_another_gateway_s_keeper_that_judges_this_store_is_no_failure(tmp_path):
    write_pairs(tmp_path, [pair(1)])
    with judge_server(says_good) as (url, bodies):
        with JudgeBook(tmp_path).locked():
            assert job(tmp_path, url).run() == {"judge_elsewhere": 1}
        assert bodies == []
        assert job(tmp_path, url).run() == {"judge_losses": 1, FREE: 0}
