"""A store that its gateway left in any state: torn and foreign bytes in segments, intents and rows. The first byte chooses where."""

import shutil

from outside_bytes.target import Target, in_time, scratch
from undertow.adapters.guard.trail import read_trail
from undertow.adapters.judges.book import JudgeBook
from undertow.adapters.reviews.store import StoreReviews
from undertow.adapters.store.lookup import find_record
from undertow.adapters.store.recovery import recover
from undertow.adapters.store.row_log import PAIRS, SAMPLED, VOTES, read_rows
from undertow.records.judged import JudgeState
from undertow.records.watched import SampledText
from wire_samples import dumps

NAME = "20260301T120000000Z-w0-0123456789ab-000001"
AT = "2026-03-01T12:00:00.000Z"
ID = "0" * 31 + "1"
PLACES = (
    f"decisions/open/{NAME}.jsonl.open", f"decisions/open/{NAME}.jsonl", f"intents/{NAME}.intents", f"signals/open/{NAME}.jsonl.open",
    f"{SAMPLED}/{NAME}.jsonl", f"{VOTES}/{NAME}.jsonl", f"{PAIRS}/{NAME}.jsonl",
)  # fmt: skip
INTENT = {"decision_id": ID, "event_time": AT, "origin": "live", "endpoint": "chat"}


def read(data: bytes) -> None:
    """Recovery settles it, and a second one finds nothing more; whole records stay; readers count what they cannot read."""
    first, data = data[:1] or b"\0", data[1:]
    store = scratch() / "store"
    shutil.rmtree(store, ignore_errors=True)
    path = store / PLACES[first[0] % len(PLACES)]
    for place in PLACES:
        (store / place).parent.mkdir(parents=True, exist_ok=True)
    if first[0] >= 128:  # an intent beside whatever the segment holds
        (store / PLACES[2]).write_bytes(dumps(INTENT) + b"\n")
    path.write_bytes(data)
    with in_time():
        find_record(str(store), ID)
        found = recover(store, AT)
        assert recover(store, AT).orphans == 0
        assert found.orphans >= 0
        find_record(str(store), ID)
        read_rows(store, SAMPLED, SampledText)
        JudgeBook(store).waiting(JudgeState())
        StoreReviews(store, "review").material()
        read_trail(path)
    _kept(store, data, path)


def _kept(store, data, path):
    """Every byte that came is still somewhere: in its segment, or set aside."""
    whole = data.count(b"\n")
    if "/decisions/open/" in path.as_posix() and data:
        left = [file.read_bytes() for file in store.rglob("*") if file.is_file()]
        assert sum(content.count(b"\n") for content in left) >= whole


SEEDS = (
    b"\x80" + dumps(INTENT | {"status": "ok", "tier": "cheap"}) + b"\n" + b'{"decision_id": "x", "ev',
    b"\x82" + dumps(INTENT) + b"\n" + dumps(INTENT)[:20],
    b"\x03" + dumps({"signal_id": "s", "decision_id": ID, "event_time": AT}) + b"\n{",
    b"\x04" + dumps({"decision_id": ID, "event_time": AT, "prompt": "canary4711", "response": "b"}) + b"\n",
    b"\x05" + dumps({"vote_id": "v", "item_id": "i", "reviewer": "ada", "value": 1.0}) + b"\n",
)  # fmt: skip
TARGET = Target("store_files", read, SEEDS)
