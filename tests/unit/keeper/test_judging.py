import json
import logging

from judge_factory import NOON, judge_server, pair, plan, says_good, write_pairs
from undertow.bootstrap.judge import JudgeSetUp
from undertow.keeper.judging import Judging
from undertow.records.serving import EndpointPlan, StorePlan


def job(root, url, **more):
    settings = plan(endpoint=EndpointPlan(base_url=url), timeout_s=5.0, usd_per_call=0.0, **more)
    return Judging(JudgeSetUp(StorePlan(path=str(root)), settings, {}, "keeper", lambda: NOON))


def test_a_run_judges_what_came_in_since_the_last_one(tmp_path):
    write_pairs(tmp_path, [pair(1), pair(2)])
    with judge_server(says_good) as (url, _):
        judging = job(tmp_path, url)
        assert judging.run() == {"judge_losses": 2}
        assert judging.run() == {}
        write_pairs(tmp_path, [pair(3, "good", "bad")])
        assert judging.run() == {"judge_wins": 1}


def test_some_anchors_are_judged_once_a_day(tmp_path):
    anchors = tmp_path / "anchors.jsonl"
    anchors.write_text(json.dumps({"request": "r", "answer_a": "good", "answer_b": "bad", "human": "A"}))
    with judge_server(says_good) as (url, _):
        judging = job(tmp_path, url, anchors=str(anchors))
        assert judging.run() == {"judge_anchors": 1}
        assert judging.run() == {"judge_anchors": 0}


def test_an_outage_and_a_broken_anchor_file_are_logged_and_stop_nothing(tmp_path, caplog):
    write_pairs(tmp_path, [pair(1), pair(2)])
    judging = job(tmp_path, "http://127.0.0.1:9/v1", anchors=str(tmp_path / "gone.jsonl"))
    with caplog.at_level(logging.WARNING, "undertow.keeper"):
        assert judging.run() == {}
        assert judging.run() == {}
    said = [record.message for record in caplog.records]
    assert said.count("judge_not_reached") == 2
    assert said.count("anchors_unusable") == 1
    with judge_server(says_good) as (url, _):
        assert job(tmp_path, url).run() == {"judge_losses": 2}
