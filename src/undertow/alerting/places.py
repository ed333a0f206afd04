"""Where something is, in words that may leave the house: labels of the log do, topics do not, for their names are words of users."""

import unicodedata

from undertow.records.segment import Segment

TOPIC_KEYS = frozenset({"topic", "text topic"})
"""Keys of segments that were found from texts. A log's own label `topic` is treated alike: it is better hidden than told."""

A_TOPIC = "a topic of texts (its name stands in the report)"
LONGEST = 120
"""Characters of a name in a message."""


def is_topic(segment: str) -> bool:
    """Whether a segment, `key=value`, is named by words of users.

    Examples:
        >>> is_topic("topic=refund, parcel"), is_topic("intent=refund")
        (True, False)
    """
    return segment.partition("=")[0] in TOPIC_KEYS


def place_of(segment: Segment) -> str:
    """A segment as `key=value`; empty: the whole tier."""
    return "" if segment.is_whole else str(segment)


def shown(segment: str) -> str:
    """A segment as it may stand in a message; empty for the whole tier.

    Examples:
        >>> shown("intent=billing")
        'intent=billing'
        >>> shown("topic=my parcel")
        'a topic of texts (its name stands in the report)'
    """
    return A_TOPIC if is_topic(segment) else plain(segment)


def plain(text: str, longest: int = LONGEST) -> str:
    r"""One line without control characters or direction marks, cut to a length.

    Examples:
        >>> plain("a\x1b[31m\nb")
        'a[31m b'
        >>> plain("x" * 200, 5)
        'xxxx…'
    """
    line = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def without_topic(text: str, segment: str) -> str:
    """A text without the name of the topic that it is about.

    Examples:
        >>> without_topic("topic=my parcel goes to the capable tier", "topic=my parcel")
        'a topic of texts (its name stands in the report) goes to the capable tier'
    """
    if not is_topic(segment):
        return text
    value = segment.partition("=")[2]
    text = text.replace(segment, A_TOPIC)
    return text.replace(value, "(a topic)") if value else text
