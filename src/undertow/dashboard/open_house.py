"""Access without keys: whoever reaches this machine's own loopback address is the one who started the dashboard."""

from starlette.requests import Request

from undertow.dashboard.access import Person, Role


class OpenHouse:
    """Everybody is one person; for a server that listens on loopback alone.

    Args:
        name: As it stands in the audit trail.
        role: What he may do.
        csrf: Token that his forms must carry: random, anew for each start.
    """

    def __init__(self, name: str, role: Role, csrf: str) -> None:
        self._person = Person(name, role, csrf)

    @property
    def name(self) -> str:
        """Who everybody is."""
        return self._person.name

    def person(self, request: Request) -> Person | None:
        """Who asks."""
        del request
        return self._person
