"""What was found of a log's texts is found once, and is what would be found anew."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from topic_log import DAYS, START, read_rows, rows
from undertow.records.cut import cut_cells
from undertow.records.report import AuditSettings
from undertow.services import topic_memory as module
from undertow.services.audit import audit
from undertow.services.topic_memory import MOST, TopicMemory
from undertow.services.topics import found_topics, log_topics

FIRST = int(START.timestamp()) // 86_400


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return read_rows(tmp_path_factory.mktemp("log"), *rows())


@pytest.fixture
def searches(monkeypatch):
    """How often topics were looked for."""
    made, find = [], module.find_topics

    def counted(*given, **options):
        made.append(1)
        return find(*given, **options)

    monkeypatch.setattr(module, "find_topics", counted)
    return made


def test_an_audit_of_a_cut_log_is_the_same_with_it_and_without(cells, searches):
    memory = TopicMemory()
    whole = audit(cells, AuditSettings(), memory=memory)
    assert whole == audit(cells, AuditSettings())
    for back in (1, 9, 25):
        cut = cut_cells(cells, FIRST + DAYS - back)
        assert audit(cut, AuditSettings(), memory=memory) == audit(cut, AuditSettings())


def test_topics_of_earlier_days_are_those_that_were_found(cells, searches):
    memory = TopicMemory()
    whole = log_topics(cells, FIRST + 10, memory)
    known = len(searches)
    for back in (1, 5, 9):
        part = log_topics(cut_cells(cells, FIRST + DAYS - back), FIRST + 10, memory)
        assert part.segments == whole.segments[: len(part.segments)]
    assert len(searches) == known
    assert memory.said == tuple(whole.asked)


def test_topics_for_a_search_are_of_texts_that_had_come_by_then(cells):
    day = FIRST + DAYS // 2
    cut = cut_cells(cells, day)
    seen = np.unique(cut.rows.text)
    place = np.full(len(cells.rows.texts), -1)
    place[seen] = np.arange(len(seen))
    alone = replace(
        cut, rows=replace(cut.rows, texts=tuple(cells.rows.texts[at] for at in seen), text=place[cut.rows.text])
    )
    mine, theirs = found_topics(cut, TopicMemory()), found_topics(alone)
    assert mine.segments == theirs.segments
    np.testing.assert_array_equal(mine.members[seen], theirs.members)


def test_other_texts_begin_anew(cells):
    memory = TopicMemory()
    memory.take(cells.rows)
    first = memory.found(np.arange(1_000))
    assert memory.found(np.arange(1_000)) is first
    other = replace(cells.rows, texts=tuple(f"{text} again" for text in cells.rows.texts))
    memory.take(other)
    assert memory.said != ()
    assert memory.found(np.arange(1_000)) is not first


def test_it_keeps_a_bounded_number(cells, monkeypatch):
    memory = TopicMemory()
    memory.take(cells.rows)
    found = [memory.found(np.arange(90 + number)) for number in range(MOST + 3)]
    assert memory.found(np.arange(90 + MOST + 2)) is found[-1]
    assert memory.found(np.arange(90)) is not found[0]


def test_two_that_ask_at_once_have_it_found_once(cells, searches):
    memory = TopicMemory()
    memory.take(cells.rows)
    found = []
    threads = [threading.Thread(target=lambda: found.append(memory.found(np.arange(2_000)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(searches) == 1
    assert all(each is found[0] for each in found)
