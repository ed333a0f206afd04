"""The job that turns reviewers' votes into signals once nobody can take them back, also those of a session that was killed."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from undertow.adapters.store.row_log import VOTES
from undertow.records.review import ReviewRules

SETTLED_S = 900.0
"""A vote that came so long ago can surely be taken back no more."""


class Reviewing:
    """Publishes the reviews of one store.

    Args:
        store: Its root folder.
        rules: How decisions are reviewed.
        id_key: Key of the pseudonyms that stand for reviewers, or None.
        clock: Seconds since 1970.
    """

    def __init__(
        self, store: Path, rules: ReviewRules, id_key: bytes | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._rules, self._id_key, self._clock = store, rules, id_key, clock
        self._settled_until = float("-inf")

    def run(self) -> Mapping[str, int]:
        """Run of the job `reviews`. All texts are read for it, so it looks first whether anybody has voted.

        Raises:
            OSError: The store cannot be read or written; it is tried again.
        """
        now_s, latest = self._clock(), self._latest_vote()
        if latest <= self._settled_until:
            return {}
        from undertow.bootstrap.reviewing import open_desk  # noqa: PLC0415 (only a store with votes needs it)

        with open_desk(self._store, self._rules, id_key=self._id_key) as (desk, _):
            counted = {"reviews_published": desk.publish()}
        if latest < now_s - SETTLED_S:
            self._settled_until = latest
        return counted

    def _latest_vote(self) -> float:
        """When the last vote was written, Unix seconds; minus infinity: there is none."""
        latest = float("-inf")
        folder = self._store / VOTES
        for path in folder.iterdir() if folder.is_dir() else ():
            try:
                latest = max(latest, path.stat().st_mtime)
            except FileNotFoundError:  # sealed meanwhile, under another name, with another vote perhaps
                return float("inf")
        return latest
