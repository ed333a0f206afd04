"""Access behind a gateway: a login with a key, a user whom a believed proxy names, or (where neither is set up) this machine itself.

Whatever is not clearly allowed is refused. A proxy's word counts before a login, so that nobody has two names behind one.
"""

from collections.abc import Iterable

from starlette.requests import Request

from undertow.dashboard.access import ForbiddenError, Person
from undertow.dashboard.attempts import Attempts
from undertow.dashboard.hosts import LOCAL_NAMES, host_name
from undertow.dashboard.peers import Proxies, is_here, peer_of
from undertow.dashboard.sessions import Sessions
from undertow.records.key_ring import KeyRing
from undertow.records.serving import KeyPlan, UiPlan
from undertow.reports.names import plain

COOKIE = "undertow_session"
LOCAL = "local"
"""Who asks from this machine where nobody has a name."""
MAX_USER = 256
"""Characters of a user's name."""


class KeyAccess:
    """Tells who asks.

    Args:
        plan: Who may open the dashboard.
        keys: Keys of the gateway.
        sessions: Logins.
        attempts: Failures to log in.

    Attributes:
        sessions: Logins.
        attempts: Failures to log in.
        proxies: Addresses that are believed when they speak for others.
    """

    def __init__(self, plan: UiPlan, keys: Iterable[KeyPlan], sessions: Sessions, attempts: Attempts) -> None:
        self._plan = plan
        self._ring = KeyRing(keys)
        self.sessions, self.attempts = sessions, attempts
        self.proxies = Proxies(plan.trusted_proxies)

    def person(self, request: Request) -> Person | None:
        """Who asks; None: nobody that is known.

        Raises:
            ForbiddenError: A proxy names a user who has no role, or says what cannot be believed.
        """
        named = self._named_by_proxy(request)
        if named is not None:
            return named
        if self._plan.is_open_here and self._ring.is_open and is_here(request):
            if host_name(request.headers.get("host", "")) in LOCAL_NAMES:
                return Person(LOCAL, "operator", self.sessions.csrf(f"here {LOCAL}"))
            return None
        token = cookie_of(request)
        found = None if token is None else self.sessions.find(token)
        return None if found is None else Person(found.name, found.role, found.csrf, can_leave=True)

    def find_key(self, presented: str) -> KeyPlan | None:
        """The key that was presented, if it is one. Takes the same time for wrong secrets and unknown ids."""
        return self._ring.find(presented.encode("utf-8", "surrogatepass"))

    def _named_by_proxy(self, request: Request) -> Person | None:
        name = self._plan.user_header
        if name is None or not self.proxies.has(peer_of(request)):
            return None
        said = request.headers.getlist(name)
        if not said:
            return None
        user = _user(said)
        if user is None:
            raise ForbiddenError(
                f"the proxy names nobody: one {name} of at most {MAX_USER} printable characters was expected"
            )
        role = self._plan.roles.get(user, self._plan.default_role)
        if role is None:
            raise ForbiddenError(f"the user {plain(user)} has no role here; ui.roles in the settings gives one")
        return Person(user, role, self.sessions.csrf(f"user {user}"))


def cookie_of(request: Request) -> str | None:
    """The cookie of a login; None: there is none, or more than one, of which only one can be ours."""
    found = [
        value.strip()
        for line in request.headers.getlist("cookie")
        for name, mark, value in (part.partition("=") for part in line.split(";"))
        if mark and name.strip() == COOKIE
    ]
    return found[0] if len(found) == 1 else None


def _user(said: list[str]) -> str | None:
    """The one user that a proxy names."""
    if len(said) != 1:
        return None
    try:
        # Header values are bytes; proxies send names as UTF-8.
        user = said[0].encode("latin-1").decode().strip()
    except UnicodeError:
        return None
    return user if user and user.isprintable() and len(user) <= MAX_USER else None
