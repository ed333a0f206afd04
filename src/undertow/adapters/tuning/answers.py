"""The labelled answers of a store."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from undertow.adapters.training.answers import read_answers
from undertow.errors import LogError
from undertow.ports.audit_source import Progress, silent
from undertow.records.labelled_answers import LabelledAnswers


@dataclass(frozen=True, slots=True)
class StoreAnswers:
    """Implements `undertow.ports.tuning.AnswerSource`.

    Attributes:
        store: The store's root folder.
        progress: Told which file is read.
    """

    store: Path
    progress: Progress = silent

    def read(self, tier: str, capable_tier: str, since: datetime) -> LabelledAnswers:
        """Labelled answers of a tier to requests from `since` on; none where the store holds no decision or no signal yet."""
        try:
            return read_answers(
                (str(self.store),), tier=tier, capable_tier=capable_tier, since=since, progress=self.progress
            )
        except LogError:
            if any((self.store / "decisions").rglob("*.parquet")):
                raise
            return LabelledAnswers({}, np.zeros(0, bool), np.zeros(0))
