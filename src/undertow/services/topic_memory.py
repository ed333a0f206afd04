"""What was found of the texts of one log: cut at many days (`undertow.records.cut`), it has the same topics again and again.

Topics depend on the texts that they are found from and on nothing else, so what is kept here is what would be found anew. The model
itself (fifty megabytes) is not kept, but which texts are in its topics.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from undertow.records.label_rows import LabelRows
from undertow.slices.asked import asked
from undertow.slices.sketch import Sketch, sketch
from undertow.slices.topics import TopicOptions, find_topics

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Made = TypeVar("Made")

SEED = 1
MOST = 24
"""Generations that are kept, and as many lists of names: of a log of some ten thousand texts a few megabytes each."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Topics of one generation, and which of all texts of the log are in them.

    Attributes:
        key: Tells it from others of the same log.
        clusters: How many of the topics are clusters; the others are words.
        words: Buckets of these words.
        members, distance, is_outside: As in `undertow.slices.topics.Assignment`.
    """

    key: Hashable
    clusters: int
    words: tuple[int, ...]
    members: BoolArray
    distance: npt.NDArray[np.float64]
    is_outside: BoolArray

    @property
    def topics(self) -> int:
        """Number of topics."""
        return self.clusters + len(self.words)


class TopicMemory:
    """What was found of the texts of one log. May be used from any thread.

    Examples:
        >>> from undertow.records.label_rows import no_label_rows
        >>> memory = TopicMemory()
        >>> memory.take(no_label_rows())
        >>> memory.said
        ()
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._of: tuple[object, object] | None = None
        self._found: OrderedDict[Hashable, Found] = OrderedDict()
        self._names: OrderedDict[Hashable, list[str]] = OrderedDict()
        self._sketches: list[Sketch] = []
        self.said: tuple[str, ...] = ()
        """What each text asks; empty where only its sketch is kept."""

    def take(self, rows: LabelRows) -> None:
        """Be about the texts of these rows. Other texts than those before: what was found of these is forgotten."""
        with self._lock:
            if self._of is not None and self._of[0] is rows.texts and self._of[1] is rows.sketches:
                return
            self._found.clear()
            self._names.clear()
            self.said = tuple(asked(text) for text in rows.texts)
            made = {text: sketch(text) for text in set(self.said)}  # the same is asked again and again
            self._sketches = [rows.sketch_at(at) or made[text] for at, text in enumerate(self.said)]
            self._of = (rows.texts, rows.sketches)

    def found(self, at: IntArray, options: TopicOptions | None = None) -> Found:
        """Topics found from some of the texts.

        Args:
            at: Places of these texts, rising.
            options: See `TopicOptions`.
        """

        def find() -> Found:
            model = find_topics([self._sketches[place] for place in at.tolist()], SEED, options=options)
            if model.clusters == 0:
                nobody = np.zeros((len(self._sketches), 0), dtype=np.bool_)
                return Found(key, 0, (), nobody, np.full(len(nobody), 2.0), np.ones(len(nobody), dtype=np.bool_))
            known = model.assign(self._sketches)
            words = tuple(model.words.tolist())
            return Found(key, model.clusters, words, known.members, known.distance, known.is_outside)

        key = (_digest(at), options)
        return self._kept(self._found, key, find)

    def names(
        self, found: Found, early: IntArray, members: BoolArray, name: Callable[[Found, IntArray, BoolArray], list[str]]
    ) -> list[str]:
        """Names of the topics of a generation, given by `name` unless it has named the same before.

        Args:
            found: The generation.
            early: Places of the texts that name it.
            members: Which of these are in its topics. Shape (early, topics).
            name: Names them.
        """
        key = (found.key, _digest(early), _digest(members))
        return self._kept(self._names, key, lambda: name(found, early, members))

    def _kept(self, values: OrderedDict[Hashable, Made], key: Hashable, make: Callable[[], Made]) -> Made:
        # Whoever asks for what another is finding waits for it: to find it twice at once would take both longer.
        with self._lock:
            if key not in values:
                values[key] = make()
                while len(values) > MOST:
                    values.popitem(last=False)
            values.move_to_end(key)
            return values[key]


def _digest(array: npt.NDArray[np.generic]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
