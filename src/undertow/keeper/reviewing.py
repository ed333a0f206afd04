"""The job that turns reviewers' votes into signals once nobody can take them back, also those of a session that was killed."""

from collections.abc import Mapping
from pathlib import Path

from undertow.adapters.store.row_log import VOTES
from undertow.records.review import ReviewRules


class Reviewing:
    """Publishes the reviews of one store.

    Args:
        store: Its root folder.
        rules: How decisions are reviewed.
        id_key: Key of the pseudonyms that stand for reviewers, or None.
    """

    def __init__(self, store: Path, rules: ReviewRules, id_key: bytes | None) -> None:
        self._store, self._rules, self._id_key = store, rules, id_key

    def run(self) -> Mapping[str, int]:
        """Run of the job `reviews`.

        Raises:
            OSError: The store cannot be read or written; it is tried again.
        """
        if not (self._store / VOTES).is_dir():
            return {}
        from undertow.bootstrap.reviewing import open_desk  # noqa: PLC0415 (only a store with votes needs it)

        with open_desk(self._store, self._rules, id_key=self._id_key) as (desk, _):
            return {"reviews_published": desk.publish()}
