"""When a failed request is tried again, and after how long: pure functions, and the budget that all retries of a tier share."""

import math
from collections.abc import Mapping

from undertow.ports.upstream import UpstreamFailedError

BASE_DELAY_S = 0.25
"""The first back-off is drawn from [0, this]."""
MAX_DELAY_S = 8.0
"""No back-off of ours is longer."""
MAX_RETRY_AFTER_S = 20.0
"""An endpoint that asks for a longer wait is given up at once."""
BUDGET_FLOOR = 10.0
"""Retries that are there before any request, and come back over `FLOOR_REFILL_S`."""
FLOOR_REFILL_S = 100.0
BUDGET_MEMORY_REQUESTS = 1_000
"""The budget saves up the share of at most this many requests."""

_RETRYABLE_4XX = (408, 409, 429)
_FINAL_5XX = (501, 505)


def is_retryable(failure: UpstreamFailedError) -> bool:
    """Whether asking again can help and cannot do harm: nothing was connected, or the endpoint itself says so.

    A cut or garbled answer and a time-out are not: the model has probably done, and charged for, its work.

    Examples:
        >>> [is_retryable(UpstreamFailedError("status", status=status)) for status in (400, 429, 500, 501, 503)]
        [False, True, True, False, True]
        >>> is_retryable(UpstreamFailedError("connect")), is_retryable(UpstreamFailedError("cut"))
        (True, False)
    """
    if failure.kind == "connect":
        return True
    status = failure.status
    return (
        failure.kind == "status"
        and status is not None
        and (status in _RETRYABLE_4XX or (500 <= status <= 599 and status not in _FINAL_5XX))
    )


def parse_retry_after(headers: Mapping[bytes, bytes], now_unix_s: float) -> float | None:
    """The wait in seconds that an endpoint asks for, at least 0, or None: it does not, or not legibly.

    Args:
        headers: Response headers, names in lower case. `retry-after-ms` goes before `retry-after`.
        now_unix_s: Wall clock, for `retry-after` as a date.

    Examples:
        >>> parse_retry_after({b"retry-after-ms": b"1500", b"retry-after": b"9"}, 0.0)
        1.5
        >>> parse_retry_after({b"retry-after": b"Thu, 01 Jan 1970 00:01:10 GMT"}, 60.0)
        10.0
        >>> parse_retry_after({b"retry-after": b"soon"}, 0.0) is None
        True
    """
    milliseconds = _number(headers.get(b"retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000.0)
    value = headers.get(b"retry-after")
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    if value is None:
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to load, and needed after a failure only

    try:
        return max(0.0, parsedate_to_datetime(value.decode("latin-1")).timestamp() - now_unix_s)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def delay_s(retry: int, draw: float, retry_after_s: float | None) -> float | None:
    """How long to wait before a retry, or None: longer than anybody should wait.

    Args:
        retry: 0 for the first retry.
        draw: Uniform draw from [0, 1): full jitter, so that callers that failed together do not come back together.
        retry_after_s: What the endpoint asked for, if it did.

    Examples:
        >>> [delay_s(retry, 0.999, None) > 0.99 * expected for retry, expected in ((0, 0.25), (1, 0.5), (9, 8.0))]
        [True, True, True]
        >>> delay_s(0, 0.5, 3.0), delay_s(0, 0.5, 21.0)
        (3.125, None)
    """
    if retry_after_s is None:
        return draw * min(MAX_DELAY_S, BASE_DELAY_S * 2.0 ** min(retry, 32))
    if retry_after_s > MAX_RETRY_AFTER_S:
        return None
    return retry_after_s + draw * BASE_DELAY_S


class RetryBudget:
    """Retries at most a share of the recent requests, plus a small floor: a tier that is down gets little extra load.

    Args:
        share: Retries per request, at least 0.
        now_s: Time of any clock that never goes back.

    Examples:
        >>> budget = RetryBudget(share=0.1, now_s=0.0)
        >>> sum(budget.withdraw(0.0) for _ in range(50))
        10
        >>> for _ in range(20):
        ...     budget.deposit()
        >>> sum(budget.withdraw(0.0) for _ in range(50))
        2
    """

    __slots__ = ("_capacity", "_share", "_tokens", "_updated_s")

    def __init__(self, share: float, now_s: float) -> None:
        self._share = share
        self._capacity = BUDGET_FLOOR + share * BUDGET_MEMORY_REQUESTS
        self._tokens = BUDGET_FLOOR
        self._updated_s = now_s

    def deposit(self) -> None:
        """A request was made."""
        self._tokens = min(self._capacity, self._tokens + self._share)

    def withdraw(self, now_s: float) -> bool:
        """Take one retry out, if there is one."""
        if self._tokens < BUDGET_FLOOR:
            refill = (now_s - self._updated_s) * BUDGET_FLOOR / FLOOR_REFILL_S
            self._tokens = min(BUDGET_FLOOR, self._tokens + max(0.0, refill))
        self._updated_s = now_s
        # Shares such as 0.1 do not add up to whole tokens exactly.
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True


def _number(value: bytes | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
