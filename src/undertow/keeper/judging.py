"""The job that judges: pairs that came in since its last run, and once a day some anchors."""

import logging
import time
from collections.abc import Callable, Mapping

from undertow.adapters.telemetry.json_logs import fields
from undertow.bootstrap.judge import JudgeSetUp, check_anchors, judge_store
from undertow.errors import ConfigError, DataError
from undertow.services.judge_run import never

log = logging.getLogger("undertow.keeper")

MOST_AT_ONCE = 400
"""Pairs a run, so that what a run came to is told now and then."""
ANCHORS_AGAIN_S = 900.0
"""A judge that could not be asked about the day's anchors is asked again after so long: each try may cost money."""


class Judging:
    """Judges the pairs of one store.

    Args:
        set_up: Store and judge.
        is_over: Whether the keeper is told to stop: a slow judge would hold it up for many minutes.
        monotonic: Seconds of a clock that is never set.
    """

    def __init__(
        self,
        set_up: JudgeSetUp,
        is_over: Callable[[], bool] = never,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._set_up, self._is_over, self._monotonic = set_up, is_over, monotonic
        self._has_complained = False
        self._anchors_at = float("-inf")

    def run(self) -> Mapping[str, int]:
        """Run of the job `judging`; nothing is done while somebody else judges this store, such as another gateway's keeper.

        Raises:
            ConfigError: The judge cannot be used, or its state is none of ours.
            OSError: The store cannot be read or written.
        """
        try:
            done = judge_store(self._set_up, MOST_AT_ONCE, is_over=self._is_over)
        except DataError:
            return {"judge_elsewhere": 1}
        if done.ended.stopped is not None:
            log.warning("judge_not_reached", extra=fields(why=done.ended.stopped, waiting=done.waiting))
        if done.broken:
            log.warning("pairs_unreadable", extra=fields(lines=done.broken))
        return (
            {f"judge_{name}": count for name, count in done.ended.tally.counts.items()}
            | {"judge_usd_millionths": round(done.ended.tally.cost_usd * 1_000_000)}
            | self._anchors()
        )

    def _anchors(self) -> dict[str, int]:
        if self._set_up.plan.anchors is None or self._set_up.plan.anchors_per_day == 0 or self._is_over():
            return {}
        if self._monotonic() < self._anchors_at:
            return {}
        try:
            results = check_anchors(self._set_up, of_today=True, is_over=self._is_over)
            if results and all(result.is_right is None for result in results):
                self._anchors_at = self._monotonic() + ANCHORS_AGAIN_S
            return {"judge_anchors": len(results)}
        except ConfigError as error:
            # A file that was edited into nonsense must not stop the judging of pairs; it is said once.
            if not self._has_complained:
                log.warning("anchors_unusable", extra=fields(why=str(error)))
            self._has_complained = True
            return {}
