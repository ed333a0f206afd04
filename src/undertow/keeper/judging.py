"""The job that judges: pairs that came in since its last run, and once a day some anchors."""

import logging
from collections.abc import Mapping

from undertow.adapters.telemetry.json_logs import fields
from undertow.bootstrap.judge import JudgeSetUp, check_anchors, judge_store
from undertow.errors import ConfigError

log = logging.getLogger("undertow.keeper")

MOST_AT_ONCE = 400
"""Pairs a run, so that a keeper that is told to stop does not first work through a day's."""


class Judging:
    """Judges the pairs of one store.

    Args:
        set_up: Store and judge.
    """

    def __init__(self, set_up: JudgeSetUp) -> None:
        self._set_up = set_up
        self._has_complained = False

    def run(self) -> Mapping[str, int]:
        """Run of the job `judging`.

        Raises:
            ConfigError: The judge cannot be used, or its state is none of ours.
            DataError: Somebody else judges this store.
            OSError: The store cannot be read or written.
        """
        done = judge_store(self._set_up, MOST_AT_ONCE)
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
        if self._set_up.plan.anchors is None or self._set_up.plan.anchors_per_day == 0:
            return {}
        try:
            return {"judge_anchors": len(check_anchors(self._set_up, of_today=True))}
        except ConfigError as error:
            # A file that was edited into nonsense must not stop the judging of pairs; it is said once.
            if not self._has_complained:
                log.warning("anchors_unusable", extra=fields(why=str(error)))
            self._has_complained = True
            return {}
