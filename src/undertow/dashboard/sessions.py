"""Logins with a gateway key: what the cookie says, and how it is known to be ours.

A cookie holds the public id of a key, when the login ends, and 128 random bits, signed with HMAC-SHA256 by a secret of this run of the
gateway. The key's hash is signed with them, so that the login ends with the key; its role is looked up each time. The secret lies in the
runtime folder, so that logins outlive the dashboard's process and end with the gateway. Logins that were ended before their time are kept
in a file beside it.
"""

import hmac
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from undertow.records.runtime_files import UI_ENDED, UI_SECRET
from undertow.records.serving import KeyPlan, UiRole

SECRET_BYTES = 32
MAX_TOKEN = 200
"""Characters; a longer cookie is none of ours."""
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Session:
    """A login that holds.

    Attributes:
        name: Of the key.
        role: What it opens.
        csrf: Token that forms of this login must carry.
    """

    name: str
    role: UiRole
    csrf: str


class Sessions:
    """Begins, knows and ends logins. May be used from any thread.

    Args:
        keys: Keys of the gateway; those without a role open nothing.
        secret: Signs.
        lasts_s: Seconds that a login holds.
        now: Unix seconds.
        ended: File of the logins that were ended before their time, or None: they are remembered by this process alone.
    """

    def __init__(
        self,
        keys: Iterable[KeyPlan],
        secret: bytes,
        lasts_s: float,
        now: Callable[[], float],
        ended: Path | None = None,
    ) -> None:
        self._keys = {key.key_id: key for key in keys if key.ui is not None}
        self._secret, self._lasts_s, self._now, self._file = secret, lasts_s, now, ended
        self._lock = threading.Lock()
        self._ended = _read_ended(ended, now())

    @property
    def lasts_s(self) -> float:
        """Seconds that a login holds."""
        return self._lasts_s

    @property
    def are_possible(self) -> bool:
        """Whether any key opens the dashboard."""
        return bool(self._keys)

    def begin(self, key: KeyPlan) -> str:
        """The cookie of a new login with a key."""
        said = f"{key.key_id}.{int(self._now() + self._lasts_s)}.{secrets.token_urlsafe(16)}"
        return f"{said}.{self._signature(said, key)}"

    def find(self, token: str) -> Session | None:
        """The login that a cookie stands for; None: it is none of ours, is over or was ended, or its key is gone."""
        parts = token.split(".") if len(token) <= MAX_TOKEN and token.isascii() else []
        if len(parts) != 4:
            return None
        key_id, until, nonce, signature = parts
        key = self._keys.get(key_id)
        if key is None or key.ui is None:
            return None
        if not hmac.compare_digest(signature, self._signature(f"{key_id}.{until}.{nonce}", key)):
            return None
        # Signed by us, so it is a number.
        if int(until) <= self._now():
            return None
        with self._lock:
            if nonce in self._ended:
                return None
        return Session(key.name, key.ui, self.csrf(nonce))

    def end(self, token: str) -> None:
        """End a login; what is none is no matter."""
        if self.find(token) is None:
            return
        _, until, nonce, _ = token.split(".")
        with self._lock:
            self._ended[nonce] = float(until)
            self._ended = {each: over for each, over in self._ended.items() if over > self._now()}
            if self._file is not None:
                _append(self._file, f"{until} {nonce}\n")

    def csrf(self, of: str) -> str:
        """Token that forms of a login, or of a person that is known otherwise, must carry."""
        return hmac.digest(self._secret, b"csrf\0" + of.encode("utf-8", "surrogatepass"), "sha256").hex()

    def _signature(self, said: str, key: KeyPlan) -> str:
        return hmac.digest(self._secret, f"session\0{said}\0{key.sha256}".encode(), "sha256").hex()


def open_sessions(keys: Iterable[KeyPlan], lasts_s: float, runtime_dir: Path, now: Callable[[], float]) -> Sessions:
    """The logins of one run of a gateway.

    Args:
        keys: Keys of the gateway.
        lasts_s: Seconds that a login holds.
        runtime_dir: Folder of this run; nobody else may read it.
        now: Unix seconds.

    Raises:
        OSError: The secret can be neither read nor written.
    """
    return Sessions(keys, secret_in(runtime_dir), lasts_s, now, runtime_dir / UI_ENDED)


def secret_in(folder: Path) -> bytes:
    """The secret of a runtime folder, made if it is not there.

    Raises:
        OSError: It can be neither read nor written.
    """
    path = folder / UI_SECRET
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if len(found) == SECRET_BYTES:
        return found
    made = secrets.token_bytes(SECRET_BYTES)
    half = path.with_suffix(".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
        file.write(made)
    half.replace(path)
    return made


def _read_ended(path: Path | None, now: float) -> dict[str, float]:
    ended: dict[str, float] = {}
    try:
        lines = [] if path is None else path.read_text("ascii").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        until, _, nonce = line.partition(" ")
        if until.isdigit() and int(until) > now:
            ended[nonce] = float(until)
    return ended


def _append(path: Path, line: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE), "w", encoding="ascii") as file:
        file.write(line)
