"""Gateway keys: whose a presented one is. Only their SHA-256 is known here; a key is 256 bits of randomness, so no slow hash is needed."""

import hashlib
import hmac
from collections.abc import Iterable

from undertow.records.serving import KeyPlan


class KeyRing:
    """The keys of the plan.

    Examples:
        >>> digest = hashlib.sha256(b"ut_abcdefgh_secret").hexdigest()
        >>> ring = KeyRing([KeyPlan(name="team", key_id="abcdefgh", sha256=digest)])
        >>> ring.find(b"ut_abcdefgh_secret").name, ring.find(b"ut_abcdefgh_guess"), ring.find(None)
        ('team', None, None)
    """

    def __init__(self, keys: Iterable[KeyPlan]) -> None:
        self._by_id = {key.key_id.encode(): (key, bytes.fromhex(key.sha256)) for key in keys}
        # Compared with when the id is unknown, so that an unknown id takes as long as a wrong secret.
        self._nobody = hashlib.sha256(b"").digest()

    @property
    def is_open(self) -> bool:
        """No keys are set: everybody may call."""
        return not self._by_id

    def find(self, presented: bytes | None) -> KeyPlan | None:
        """The key that was presented, or None. Takes the same time for wrong secrets and unknown ids."""
        if presented is None:
            return None
        parts = presented.split(b"_", 2)
        known = self._by_id.get(parts[1]) if len(parts) == 3 else None
        digest = hashlib.sha256(presented).digest()
        key, expected = known if known is not None else (None, self._nobody)
        return key if hmac.compare_digest(digest, expected) else None
