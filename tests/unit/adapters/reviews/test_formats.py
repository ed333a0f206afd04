import pytest

from undertow.adapters.reviews.formats import FORMATS
from undertow.cli.review import EXCHANGE
from undertow.records.review import ReviewRules, Sheet


def test_the_command_knows_every_format():
    assert tuple(FORMATS) == EXCHANGE


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_but_texts_and_the_opaque_item_is_exported(name):
    sheet = Sheet("f00", "Right?", "asked", ("one", "two"))
    content = FORMATS[name].write([sheet], ReviewRules(), "2026-03-01T12:00:00Z")
    for word in (b"f00", b"Right?", b"asked", b"one", b"two"):
        assert word in content
    for word in (b"tier", b"model", b"confidence", b"stratum", b"probability", b"seed", b"served", b"reference"):
        assert word not in content


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_queue_is_a_file_of_nothing(name, tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(FORMATS[name].write([], ReviewRules(), "2026-03-01T12:00:00Z") or b"[]")
    assert [
        label.verdict for label in FORMATS[name].read(path, ReviewRules(), (0.0, 1.0)) if label.reason is None
    ] == []
