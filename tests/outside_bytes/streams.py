"""Streams of upstreams: server-sent events in the three formats. The first byte chooses the format and how it is cut."""

from outside_bytes.target import Target, in_time
from undertow.records.answer import Evidence
from wire_samples import DIALECTS, STREAMS, asked

ALL = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)
_DIALECTS = tuple(DIALECTS.values())


def read(data: bytes) -> None:
    """Events are passed on, or the stream is garbage (`ValueError`); what is known of it can be asked for all the same."""
    first, data = data[:1] or b"\0", data[1:]
    choice = first[0]
    dialect = _DIALECTS[choice % len(_DIALECTS)]
    reader = dialect.stream_reader(asked(dialect, stream=True), evidence=ALL)
    step = 1 + (choice // 8) * 9
    forwarded = 0
    with in_time():
        try:
            for at in range(0, len(data), step):
                piece = reader.feed(data[at : at + step])
                forwarded += len(piece.forward) + len(piece.last)
                if piece.error is not None:
                    assert len(piece.error) <= 64
                    break
        except ValueError:
            pass
        facts = reader.facts()
    assert facts.chars >= 0
    assert forwarded <= 2 * len(data) + 64, "more is passed on than came"


SEEDS = tuple(
    bytes([_DIALECTS.index(dialect) + offset]) + stream for dialect, stream in STREAMS.values() for offset in (0, 240)
)
TARGET = Target("streams", read, SEEDS)
