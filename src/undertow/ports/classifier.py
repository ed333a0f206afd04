"""A classifier that tells easy requests from hard ones before any model runs."""

from typing import Protocol


class ClassifierError(Exception):
    """A classifier could not give a probability."""


class Classifier(Protocol):
    """Gives the probability that the cheap tier's answer will be as good as the capable one's."""

    @property
    def version(self) -> str:
        """Hash of the artefact it was loaded from."""
        ...

    async def probability(self, text: str) -> float:
        """Probability in [0, 1] for the last user message `text`. The caller bounds the time.

        Raises:
            ClassifierError: It failed.
        """
        ...
