"""An artefact is read only as it was written."""

import json

import pytest

from undertow.errors import ConfigError
from undertow.policies.artefact import (
    Artefact,
    Auroc,
    TrainedOn,
    decode_artefact,
    encode_artefact,
    pack_weights,
    unpack_weights,
)
from undertow.records.sealed import content_hash


def artefact(**changes):
    return Artefact(
        **{
            "method": "text",
            "features": "f/1",
            "trained_at": "2026-01-01T00:00:00Z",
            "trained_on": TrainedOn(source="column label", labels=60, easy=30, texts=55, easy_share=0.5),
            "auroc": Auroc(value=0.9, interval=(0.8, 0.95)),
            "size": 2,
            "intercept": -0.1,
            "weights": pack_weights([0.5, -2.0]),
        }
        | changes
    )


def edited(document, **changes):
    content = json.loads(document) | changes
    return json.dumps(content | {"sha256": content_hash(content)}).encode()


def test_what_was_written_is_read():
    document = encode_artefact(artefact())
    found, version = decode_artefact(document, "f.json")
    assert found == artefact()
    assert version == json.loads(document)["sha256"]
    assert list(unpack_weights(found, "f.json")) == [0.5, -2.0]


def test_the_layout_does_not_matter_and_the_content_does():
    document = encode_artefact(artefact())
    content = json.loads(document)
    assert decode_artefact(json.dumps(content, sort_keys=True).encode(), "f")[0] == artefact()
    with pytest.raises(ConfigError, match=r"f\.json: .*sha256"):
        decode_artefact(json.dumps(content | {"intercept": 9.0}).encode(), "f.json")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"\x80\x04pickle", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "schema 'None'"),
        (b'{"schema": "undertow.audit/1"}', "undertow.audit/1"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_other_files_are_refused(document, message):
    with pytest.raises(ConfigError, match=message):
        decode_artefact(document, "f.json")


def test_a_field_of_a_wrong_type_is_refused():
    with pytest.raises(ConfigError, match="intercept"):
        decode_artefact(edited(encode_artefact(artefact()), intercept="x"), "f.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "?"}, "base64"),
        ({"weights": "AAAA"}, "base64"),
        ({"size": 3}, "2 weights where 3"),
        ({"size": 0, "weights": ""}, "0 weights where 0"),
        ({"weights": pack_weights([float("nan"), 0.0])}, "finite"),
    ],
)
def test_broken_weights_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        unpack_weights(artefact(**changes), "f.json")
