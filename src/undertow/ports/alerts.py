"""Where people are told, and the book of what they were told and what is on its way."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from undertow.records.alert import Delivered, Delivery, Episodes, Message, Silences, Told


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one try.

    Attributes:
        outcome: `delivered`; `retry`: may work later; `refused`: will not work as it is.
        said: A status or the kind of an error, never an address or a secret.
        retry_after_s: Seconds that the receiver asks to wait, or None.
    """

    outcome: Literal["delivered", "retry", "refused"]
    said: str = ""
    retry_after_s: float | None = None


class AlertChannel(Protocol):
    """One way to tell people. It never raises: what went wrong is in what it returns."""

    async def send(self, message: Message) -> Sent:
        """Tell people of a message; told the same id twice, they see it once where the channel can see to that."""
        ...

    async def hold(self, messages: Sequence[Message]) -> Sent | None:
        """Keep open what the channel would otherwise close by itself; None: it needs no such thing."""
        ...


class DeadMan(Protocol):
    """Somebody outside who tells people when calls stop."""

    async def call(self) -> Sent:
        """Say that watching goes on."""
        ...


class AlertBook(Protocol):
    """What people were told, and what waits. Files that cannot be read are set aside, begin anew, and are counted."""

    @property
    def set_aside(self) -> int:
        """Files that were set aside by this process."""
        ...

    def changing(self) -> AbstractContextManager[None]:
        """Keep all others from changing episodes, silences and what was told; waits for them.

        Raises:
            OSError: The store cannot be written.
        """
        ...

    def delivering(self) -> AbstractContextManager[bool]:
        """Keep all others from delivering; False: another does.

        Raises:
            OSError: The store cannot be written.
        """
        ...

    def episodes(self) -> Episodes:
        """All episodes that are open or lately closed."""
        ...

    def told(self) -> Told:
        """What people were told."""
        ...

    def silences(self) -> Silences:
        """All silences, those that have ended among them."""
        ...

    def write(
        self, *, episodes: Episodes | None = None, told: Told | None = None, silences: Silences | None = None
    ) -> None:
        """Replace what is given; only while `changing`."""
        ...

    def put(self, delivery: Delivery) -> bool:
        """Let a message wait for delivery; False: it waits or was settled already."""
        ...

    def waiting(self) -> tuple[Delivery, ...]:
        """What waits, oldest message first. What was settled before a crash could say so is cleared away."""
        ...

    def retry(self, delivery: Delivery) -> None:
        """Note a failed try."""
        ...

    def settle(self, delivery: Delivery, line: Delivered) -> None:
        """A message was delivered or given up: write that down, then forget that it waits."""
        ...

    def note(self, line: Delivered) -> None:
        """Write down what was not delivered because it was silenced."""
        ...

    def history(self, longest: int) -> tuple[Delivered, ...]:
        """The latest lines, newest first; lines that are none are left out."""
        ...
