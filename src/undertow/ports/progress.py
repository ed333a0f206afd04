"""How far long work has come. Apart from the ports that take it, for these load NumPy, and not all who work long do."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Told how far long work has come; adapters call it, the command line draws it."""

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        """`stage` is a short phrase for people; `done` and `total` in any unit that the stage has."""
        ...


def silent(stage: str, done: float, total: float | None) -> None:
    """A `Progress` that shows nothing."""
