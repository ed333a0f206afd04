import msgspec
import pytest

from undertow.adapters.wire.labels import read_labels
from undertow.ports.wire import WireError


def read(**fields):
    return read_labels({name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()})


def test_metadata_become_labels_but_for_ids():
    metadata = {"intent": "billing", "thread_id": "t", "session_id": "s", "user_id": "u", "region": "eu"}
    assert read(metadata=metadata) == ({"intent": "billing", "region": "eu"}, "s", "u")


def test_user_fields_come_before_metadata():
    assert read(metadata={"user_id": "m"}, user="u", safety_identifier="s")[2] == "s"
    assert read(metadata={"user_id": "m"}, user="u", safety_identifier=None)[2] == "u"
    assert read(metadata={"user_id": "m"})[2] == "m"


def test_nothing_and_null_are_no_labels():
    assert read() == read(metadata=None) == read(metadata={"user_id": None, "session_id": ""}) == ({}, None, None)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("metadata", [1], "invalid_type"),
        ("metadata", {"a": 1}, "invalid_type"),
        ("metadata", {"k" * 65: "v"}, "string_above_max_length"),
        ("metadata", {"k": "v" * 513}, "string_above_max_length"),
        ("metadata", {str(n): "v" for n in range(17)}, "object_above_max_properties"),
        ("user", 5, "invalid_type"),
        ("safety_identifier", "s" * 513, "string_above_max_length"),
    ],
)
def test_what_is_no_bounded_map_of_strings_is_refused(field, value, code):
    with pytest.raises(WireError) as caught:
        read(**{field: value})
    assert (caught.value.param, caught.value.code) == (field, code)
