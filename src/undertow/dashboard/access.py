"""Who may see and do what: viewers look, reviewers judge answers, operators act."""

from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.requests import Request

from undertow.errors import UndertowError

Role = Literal["viewer", "reviewer", "operator"]

RANKS: dict[Role, int] = {"viewer": 0, "reviewer": 1, "operator": 2}
"""Each may do what those before it may."""


class ForbiddenError(UndertowError):
    """Somebody may not do what he asked for."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks.

    Attributes:
        name: As it stands in the audit trail and beside votes.
        role: What he may do.
        csrf: Token that his forms must carry.
        can_leave: He has logged in here, and so can log out.
    """

    name: str
    role: Role
    csrf: str
    can_leave: bool = False

    def may(self, role: Role) -> bool:
        """Whether he may do what a role may.

        Examples:
            >>> Person("ada", "reviewer", "").may("viewer"), Person("ada", "reviewer", "").may("operator")
            (True, False)
        """
        return RANKS[self.role] >= RANKS[role]


class Access(Protocol):
    """Tells who asks."""

    def person(self, request: Request) -> Person | None:
        """Who asks; None: nobody that is known, so that he must log in.

        Raises:
            ForbiddenError: He is known, and may not even look; or is not to be believed.
        """
        ...


def person_of(request: Request) -> Person:
    """Who asks, as the application found out before any page was made."""
    found = request.state.person
    assert isinstance(found, Person)
    return found


def needs(request: Request, role: Role) -> Person:
    """Who asks, if he may do what a role may.

    Raises:
        ForbiddenError: He may not.
    """
    person = person_of(request)
    if not person.may(role):
        raise ForbiddenError(f"this needs the role {role}; yours is {person.role}")
    return person
