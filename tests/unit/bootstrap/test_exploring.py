"""What single decisions of a log are found by, by its format."""

import json
from datetime import UTC, datetime

import pytest

from explorer_factory import record, some, write_store
from review_factory import NOON, sampled, text_of, write_texts
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.exploring import open_explorer
from undertow.errors import LogError
from undertow.records.exploring import DecisionFilter

AT = datetime.fromtimestamp(NOON, UTC)


def test_a_store_has_decisions_and_their_drawn_texts(tmp_path):
    store = write_store(tmp_path / "s", *some(3), record(9, AT))
    write_texts(store, sampled("d0009", event_time=text_of(NOON)))
    explorer = open_explorer(AuditRequest((str(store),)))
    assert explorer.format == "undertow"
    assert len(explorer.book.page(DecisionFilter(), None, 10, with_text=False).rows) == 4
    assert explorer.text_of("d0009", AT).answer == "served d0009"
    assert explorer.text_of("d0001", AT) is None


def test_a_log_of_another_program_is_told_by_its_format(tmp_path):
    row = {
        "id": "1",
        "startTime": "2026-03-01T12:00:00Z",
        "call_type": "acompletion",
        "model": "small",
        "spend": 0.1,
        "api_base": "x",
        "request_tags": [],
    }
    (tmp_path / "spend.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    explorer = open_explorer(AuditRequest((str(tmp_path / "spend.jsonl"),), format="litellm"))
    assert (explorer.format, explorer.book, explorer.roots) == ("litellm", None, ())
    assert open_explorer(AuditRequest(("x.csv",), map_file="map.toml")).format == "csv"


def test_nothing_there_is_an_error(tmp_path):
    with pytest.raises(LogError):
        open_explorer(AuditRequest((str(tmp_path / "nowhere"),)))
