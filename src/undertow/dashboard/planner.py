"""Delays of planned losses, simulated in the background: a page shows those that are there, and asks again for the others.

One loss takes a second or two to simulate, and a page asks for ten, so that a slider could not follow a finger. So each is simulated
roughly first, the most urgent before the others, and then to the end; what was simulated is kept, and what is asked for last comes first.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.records.power import Delay, Design, PlannedLoss
from undertow.services.power import days_taken, summary

FloatArray = npt.NDArray[np.float64]

ROUNDS = (20, 80)
"""Runs of a first look, and those that follow: together as many as `undertow plan` simulates."""
SEED = 1
MOST_KEPT = 2_000
MOST_ASKED = 4
"""Pages that are worked for at a time; older ones are dropped, and ask again if somebody still looks at them."""


@dataclass(frozen=True, slots=True)
class Question:
    """How soon is this loss seen by this design?"""

    design: Design
    loss: PlannedLoss


@dataclass(frozen=True, slots=True)
class Found:
    """What is known by now.

    Attributes:
        delay: How soon the loss is seen, by the runs that are done.
        is_final: All are done.
    """

    delay: Delay
    is_final: bool


class Planner:
    """Simulates what pages ask for. May be used from any thread.

    Args:
        rounds: Runs of each round.
    """

    def __init__(self, rounds: tuple[int, ...] = ROUNDS) -> None:
        self._rounds = rounds
        self._taken: OrderedDict[Question, tuple[FloatArray, ...]] = OrderedDict()
        self._asked: list[tuple[Question, ...]] = []
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None

    def ask(self, questions: Sequence[Question], wait_s: float, *, until_final: bool = False) -> dict[Question, Found]:
        """What is known of some questions; the rest is worked on.

        Args:
            questions: The most urgent first.
            wait_s: Seconds to wait: for the first of them, or for all of them to the end.
            until_final: Wait for all of them to the end.
        """
        wanted = tuple(dict.fromkeys(questions))
        needed = wanted if until_final else wanted[:1]
        rounds = len(self._rounds) if until_final else 1
        with self._changed:
            if any(self._done(each) < len(self._rounds) for each in wanted):
                self._asked = [wanted, *(each for each in self._asked if each != wanted)][:MOST_ASKED]
                if self._worker is None:
                    self._worker = threading.Thread(target=self._work, name="planner", daemon=True)
                    self._worker.start()
                self._changed.wait_for(lambda: all(self._done(each) >= rounds for each in needed), wait_s)
            return {
                each: Found(
                    summary(each.loss, np.concatenate(self._taken[each])), self._done(each) == len(self._rounds)
                )
                for each in wanted
                if each in self._taken
            }

    def _done(self, question: Question) -> int:
        return len(self._taken.get(question, ()))

    def _work(self) -> None:
        try:
            while (found := self._next()) is not None:
                question, number = found
                rng = np.random.default_rng([SEED, number])  # alike for all, so that differences are theirs
                taken = days_taken(question.design, question.loss, self._rounds[number], rng)
                with self._changed:
                    self._taken[question] = (*self._taken.get(question, ()), taken)
                    while len(self._taken) > MOST_KEPT:
                        self._taken.popitem(last=False)
                    self._changed.notify_all()
        except BaseException:
            with self._changed:
                self._asked, self._worker = [], None
            raise

    def _next(self) -> tuple[Question, int] | None:
        """The next question and round; None: there is none, and the thread ends."""
        with self._changed:
            for asked in self._asked:
                for number in range(len(self._rounds)):
                    for question in asked:
                        if self._done(question) == number:
                            return question, number
            self._asked, self._worker = [], None
            return None
