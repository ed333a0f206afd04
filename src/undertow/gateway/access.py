"""Who may ask, and how much: keys with their rates and budgets, requests in flight, bodies and their sizes."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from undertow.gateway.arrival import Arrival
from undertow.gateway.http_errors import SENTENCES
from undertow.gateway.refusal import RefusedError
from undertow.gateway.reply import NO_RETRY
from undertow.gateway.spends import Spends
from undertow.gateway.tallies import Tallies
from undertow.records.key_ring import KeyRing
from undertow.records.serving import KeyPlan, ServingPlan

Receive = Callable[[], Awaitable[dict[str, Any]]]
CLOSE = (b"connection", b"close")


class CallerGoneError(Exception):
    """The caller went away before its body was complete."""


class Access:
    """The door of one worker.

    Args:
        plan: Keys and limits.
        tallies: Count refusals.
    """

    def __init__(self, plan: ServingPlan, tallies: Tallies) -> None:
        self._limits = plan.limits
        self._tallies = tallies
        self._keys = KeyRing(plan.keys)
        self._spends = Spends(Path(plan.store.path) / "state" / "spends")
        self._spends.open(key.name for key in plan.keys)

    def check_load(self, in_flight: int) -> None:
        """Refuse what is more than may be answered at a time.

        Raises:
            RefusedError: 503.
        """
        if in_flight > self._limits.max_in_flight:
            raise RefusedError(
                503, "the gateway answers as many requests as it may; try again shortly", code="overloaded",
                type_="overloaded_error", headers=((b"retry-after", b"1"),),
            )  # fmt: skip

    def identify(self, arrival: Arrival) -> KeyPlan | None:
        """The caller's key; None where no keys are set. Enough for what costs nothing: signals, look-ups, lists.

        Raises:
            RefusedError: 401, or 403 for a page in a browser where no keys are set.
        """
        if self._keys.is_open:
            if arrival.is_from_page:
                # Any page that is open on this machine could ask, and spend, without a word to its reader.
                raise RefusedError(
                    403, "pages in a browser need a gateway key; make one with `undertow key new`", code="page_refused"
                )
            return None
        key = self._keys.find(arrival.key)
        if key is None:
            self._tallies.add_refusal("none", "unknown_key")
            seen = "no key was sent" if arrival.key is None else "the key is not known"
            raise RefusedError(
                401, f"{seen}; send one as 'Authorization: Bearer KEY'", code="invalid_api_key",
                headers=((b"www-authenticate", b"Bearer"),),
            )  # fmt: skip
        return key

    def admit(self, arrival: Arrival) -> KeyPlan | None:
        """The caller's key, with its rate and budget checked; None where no keys are set.

        Raises:
            RefusedError: As `identify`, or 429.
        """
        key = self.identify(arrival)
        if key is None:
            return None
        limit = key.requests_per_minute
        wait_s = self._spends.allow_request(key.name, limit) if limit is not None else 0.0
        if wait_s > 0:
            self._tallies.add_refusal(key.name, "rate")
            wait = math.ceil(wait_s)
            raise RefusedError(
                429, f"this key may send {limit} requests a minute; try again in {wait} s", code="rate_limit_exceeded",
                type_="rate_limit_error", headers=((b"retry-after", b"%d" % wait),),
            )  # fmt: skip
        if key.budget_usd_day is not None and self._spends.spent_usd(key.name) >= key.budget_usd_day:
            self._tallies.add_refusal(key.name, "budget")
            raise RefusedError(
                429, "the budget of this key is used up for today (UTC)", code="insufficient_quota",
                type_="insufficient_quota", headers=(NO_RETRY,),
            )  # fmt: skip
        return key

    def spend(self, key_name: str, usd: float) -> None:
        """Count a cost to a key's day."""
        self._spends.add(key_name, usd)

    async def body(self, receive: Receive, arrival: Arrival, exchange: Any) -> bytes:
        """The whole body, within its limits.

        Args:
            receive: ASGI's.
            arrival: The head.
            exchange: The server's, which knows why a body does not come.

        Raises:
            RefusedError: 408, 413 or 415.
            CallerGoneError: Nobody is there to be told.
        """
        if arrival.content_encoding not in {None, b"identity"}:
            raise RefusedError(
                415,
                "compressed bodies are not taken; send the JSON as it is",
                code="unsupported_encoding",
                headers=(CLOSE,),
            )
        whole = exchange.whole_body()
        if whole is not None:  # as most are: they come with their head
            self._check_size(len(whole))
            return whole
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                if exchange.refusal is None:
                    raise CallerGoneError
                status, why = exchange.refusal
                raise RefusedError(status, SENTENCES[why], code=why, headers=(CLOSE,))
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            self._check_size(size)
            more = message.get("more_body", False)
        return b"".join(pieces)

    def _check_size(self, size: int) -> None:
        limit = self._limits.max_body_bytes
        if size > limit:
            raise RefusedError(413, f"the body is larger than {limit:,} bytes", code="body_too_large", headers=(CLOSE,))

    def close(self) -> None:
        """Let go of the budgets' files."""
        self._spends.close()
