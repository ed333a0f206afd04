"""Any address that takes JSON: each message as it is, signed where there is a key.

The signature is in the header `X-Undertow-Signature: t=TIME,v1=HEX`: HMAC-SHA256, with the key, of `TIME.BODY`, TIME being Unix seconds as they
stand there and BODY the bytes of the body. A receiver compares it in constant time, and refuses a TIME more than `REPLAY_WINDOW_S` away
from its own clock, so that a message that somebody kept cannot be sent again later. Each try is signed anew; `X-Undertow-Message-Id` stays.
"""

import hashlib
import hmac
import time
from collections.abc import Callable

import msgspec

from undertow.adapters.alerts.http import Caller
from undertow.ports.alerts import Sent
from undertow.records.alert import Message

SIGNATURE, MESSAGE_ID = "X-Undertow-Signature", "X-Undertow-Message-Id"
REPLAY_WINDOW_S = 300
SCHEMA = "undertow.alert/1"


class WebhookChannel:
    """Implements `undertow.ports.alerts.AlertChannel`.

    Args:
        caller: Calls the address.
        url: Where to.
        secret: Key of the signature; None: unsigned.
        now: Unix seconds.
    """

    def __init__(
        self, caller: Caller, url: str, secret: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._caller, self._url, self._now = caller, url, now
        self._secret = secret

    async def send(self, message: Message) -> Sent:
        """Post the message."""
        body = webhook_body(message)
        headers = {MESSAGE_ID: message.id}
        if self._secret is not None:
            headers[SIGNATURE] = signature(body, self._secret, int(self._now()))
        return await self._caller.call(self._url, body, headers)

    async def hold(self, messages: object) -> None:
        """What was posted stays."""


def webhook_body(message: Message) -> bytes:
    """The JSON document of a message."""
    return msgspec.json.encode(
        {
            "schema": SCHEMA,
            "id": message.id,
            "kind": message.kind,
            "severity": message.severity,
            "at": message.at,
            "title": message.title,
            "facts": [{"name": name, "value": value} for name, value in message.facts],
            "link": message.link or None,
            "episode": message.episode,
            "resolves": message.resolves,
            "labels": message.labels,
        }
    )


def signature(body: bytes, secret: str, at_s: int) -> str:
    """The value of the signature's header.

    Examples:
        >>> signature(b"{}", "key", 1767225600)[:32]
        't=1767225600,v1=df344de429b8ee67'
    """
    digest = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def is_signed(body: bytes, header: str, secret: str, now_s: float, window_s: float = REPLAY_WINDOW_S) -> bool:
    """Whether a body was signed with a key, lately.

    Args:
        body: Bytes of the body as they came.
        header: Value of the signature's header.
        secret: The key.
        now_s: The time, Unix seconds.
        window_s: Seconds that the signature's time may be away from it.

    Examples:
        >>> header = signature(b"{}", "key", 1000)
        >>> is_signed(b"{}", header, "key", 1100), is_signed(b"{}", header, "key", 1400), is_signed(b"[]", header, "key", 1100)
        (True, False, False)
    """
    at = header.partition(",")[0].removeprefix("t=")
    if not (at.isascii() and at.isdigit() and len(at) < 16) or abs(now_s - int(at)) > window_s:
        return False
    return hmac.compare_digest(signature(body, secret, int(at)).encode(), header.encode())
