"""The text of one decision that was drawn for review."""

from datetime import UTC, datetime, timedelta

from review_factory import NOON, sampled, text_of, write_texts
from undertow.adapters.store.row_log import SAMPLED
from undertow.adapters.store.sampled_text import find_sampled_text

AT = datetime.fromtimestamp(NOON, UTC)


def test_it_is_found_by_its_id_among_broken_lines(tmp_path):
    write_texts(tmp_path, sampled("one", event_time=text_of(NOON)), sampled("two", prompt='about "one"'))
    segment = next((tmp_path / SAMPLED).iterdir())
    segment.write_bytes(b'{"decision_id":"one", broken\n' + segment.read_bytes())
    assert find_sampled_text(tmp_path, "one", AT).prompt == "question one"
    assert find_sampled_text(tmp_path, "three", AT) is None


def test_segments_that_are_older_than_the_request_are_not_read(tmp_path):
    write_texts(tmp_path, sampled("one"))
    assert find_sampled_text(tmp_path, "one", datetime.now(UTC) + timedelta(days=40)) is None


def test_a_store_without_texts_has_none(tmp_path):
    assert find_sampled_text(tmp_path, "one", AT) is None
