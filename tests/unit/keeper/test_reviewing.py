"""Votes that nobody can take back any more become signals without anybody at a keyboard."""

import os
import time

from review_factory import sampled, text_of, vote
from undertow.adapters.store.row_log import SAMPLED, VOTES, RowLog
from undertow.bootstrap import reviewing
from undertow.bootstrap.reviewing import open_desk
from undertow.keeper.reviewing import SETTLED_S, Reviewing
from undertow.records.review import ReviewRules


def test_votes_of_a_session_that_was_killed_are_published_once(tmp_path):
    assert Reviewing(tmp_path, ReviewRules(), None).run() == {}
    now = time.time()
    texts, votes = RowLog(tmp_path, SAMPLED, "w0"), RowLog(tmp_path, VOTES, "review")
    texts.append(sampled("d1", event_time=text_of(now - 7_200)), sampled("d2", event_time=text_of(now - 7_200)))
    votes.append(vote("d1", at=text_of(now - 3_600)), vote("d2", at=text_of(now)))
    texts.close()
    votes.close()
    job = Reviewing(tmp_path, ReviewRules(), None)
    # d2 was voted on just now and may still be taken back.
    assert job.run() == {"reviews_published": 1}
    assert job.run() == {"reviews_published": 0}


def test_texts_are_read_only_where_somebody_has_voted(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(reviewing, "open_desk", lambda *given, **more: opened.append(1) or open_desk(*given, **more))
    now = [time.time()]
    job = Reviewing(tmp_path, ReviewRules(), None, lambda: now[0])
    assert job.run() == {}
    votes = RowLog(tmp_path, VOTES, "review")
    votes.append(vote("d1", at=text_of(now[0])))
    for _ in range(3):  # it may still be taken back
        job.run()
    assert len(opened) == 3
    now[0] += SETTLED_S + 60.0
    for _ in range(3):
        job.run()
    assert len(opened) == 4
    votes.append(vote("d2", at=text_of(now[0])))
    os.utime(next((tmp_path / VOTES).iterdir()), (now[0], now[0]))
    job.run()
    assert len(opened) == 5
    votes.close()
