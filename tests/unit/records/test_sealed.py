"""What a file's hash covers, and what is refused because of it."""

import json

import msgspec
import pytest

from undertow.errors import ConfigError
from undertow.records.sealed import content_hash, seal, unseal


class Thing(msgspec.Struct, kw_only=True):
    schema: str = "undertow.thing/1"
    number: float
    names: tuple[str, ...] = ()


THING = Thing(number=0.1, names=("a", "größe"))


def read(document):
    return unseal(document, "t.json", Thing, schema="undertow.thing/1", made_by="undertow make")


def test_what_is_sealed_is_read_with_its_hash():
    document = seal(THING)
    assert read(document) == (THING, json.loads(document)["sha256"])
    assert document.endswith(b"\n")


def test_the_hash_is_of_the_content_and_not_of_its_layout():
    content = json.loads(seal(THING))
    assert read(json.dumps(content, sort_keys=True).encode())[1] == content["sha256"] == content_hash(content)
    assert content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1, "sha256": "other"})
    assert content_hash({"a": 1}) != content_hash({"a": 1.5})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"\x80\x04", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "schema 'None'"),
        (b'{"schema": "undertow.thing/2"}', "schema 'undertow.thing/2' is not 'undertow.thing/1'"),
        (json.dumps(json.loads(seal(THING)) | {"number": 0.2}).encode(), "cut or edited"),
        (json.dumps({"schema": "undertow.thing/1", "number": 0.1}).encode(), "cut or edited"),
    ],
)
def test_what_was_not_written_so_is_refused_in_one_line(document, message):
    with pytest.raises(ConfigError, match=message) as refused:
        read(document)
    assert str(refused.value).startswith("t.json: ")
    assert "undertow make" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_right_hash_over_a_wrong_content_is_refused_too():
    content = {"schema": "undertow.thing/1", "number": "many"}
    with pytest.raises(ConfigError, match=r"number.*run `undertow make` again"):
        read(json.dumps(content | {"sha256": content_hash(content)}).encode())
