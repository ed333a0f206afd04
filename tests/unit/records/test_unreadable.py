import msgspec
import pytest

from undertow.records.unreadable import UNREADABLE


class Row(msgspec.Struct):
    a: str


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b'{"a": 1}',
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a": "x", "unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": "x", "unknown": ' + b'{"":' * 100_000 + b"1" + b"}" * 100_001,
    ],
)
def test_whatever_is_wrong_with_a_document_is_caught(document):
    with pytest.raises(UNREADABLE):
        msgspec.json.decode(document, type=Row)
    with pytest.raises(UNREADABLE):
        msgspec.json.Decoder(Row).decode(document)
