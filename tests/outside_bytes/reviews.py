"""Labels that come back from reviewers in other tools, and the text of conversations. The first byte chooses the format."""

from outside_bytes.target import Target, check_message, in_time, only, written
from undertow.adapters.reviews.conversation import readable
from undertow.adapters.reviews.formats import FORMATS
from undertow.errors import UndertowError
from undertow.records.review import ReviewRules, Sheet

_NAMES = tuple(sorted(FORMATS))
_SHEETS = (Sheet("i1", "Right?", "2 + 2 canary4711?", ("4", "=5")), Sheet("i2", "Right?", "x", ("y",)))
AT = "2026-03-01T12:00:00Z"


def read(data: bytes) -> None:
    """Labels, or reasons; one error for a file that is none."""
    first, data = data[:1] or b"\0", data[1:]
    name = _NAMES[first[0] % len(_NAMES)]
    path = written(f"labels.{'csv' if name == 'csv' else 'jsonl'}", data)
    with in_time():
        with only(UndertowError):
            for label in FORMATS[name].read(path, ReviewRules(), (1.0, 5.0)):
                if label.reason:
                    check_message(label.reason)
        readable(data.decode("utf-8", "replace"))


SEEDS = tuple(
    bytes([number]) + content
    for number, name in enumerate(_NAMES)
    for content in (
        FORMATS[name].write(_SHEETS, ReviewRules(), AT),
        b'{"item_id": "i1", "label": "good", "reviewer": "ada", "seconds": 12}\n[]\n',
        b'{"id": "i1", "responses": [{"user_id": "u", "values": {"label": {"value": "good"}}, "status": "submitted"}]}\n',
        b"item_id,label,reviewer,note\ni1,good,ada,canary4711\n",
    )
)
TARGET = Target("reviews", read, SEEDS)
