"""Second answers from a serving plan: the capable tier's upstreams, the day's budget, and where pairs and calls are written."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from undertow.adapters.store.row_log import CALLS, PAIRS, RowLog
from undertow.adapters.store.watching_spend import StoreSpendBook
from undertow.adapters.upstreams.tier import TierUpstream
from undertow.adapters.wire import dialects
from undertow.bootstrap.redaction import redaction_hook
from undertow.records.serving import LimitsPlan, ServingPlan, ShadowPlan
from undertow.services.shadow import ShadowAnswers, ShadowParts
from undertow.services.watching_budget import WatchingBudget

MAX_RETRIES = 1
"""Nobody waits for a second answer, and a tier that is in trouble has its callers to serve."""
MAX_ANSWER_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class ShadowSide:
    """All that a keeper needs to have requests answered a second time.

    Attributes:
        plan: Of `[shadow]`.
        answers: Asks the capable tier.
        upstream: Its upstreams, to close.
        pairs, calls: Where rows go.
        is_priced: The capable tier's price is known, so that its budget is one of money.
    """

    plan: ShadowPlan
    answers: ShadowAnswers
    upstream: TierUpstream
    pairs: RowLog
    calls: RowLog
    is_priced: bool


def build_shadow(plan: ServingPlan, env: Mapping[str, str]) -> ShadowSide | None:
    """What second answers are made with, or None where the plan wants none. Opens no file and no connection yet.

    Raises:
        ConfigError: The capable tier's key is unset, or the redaction hook cannot be loaded.
    """
    if plan.shadow.share <= 0 or len(plan.tiers) < 2:
        return None
    capable, store, writer = plan.tiers[-1], Path(plan.store.path), f"keeper.{os.getpid()}"
    upstream = TierUpstream(capable, background_limits(plan.limits, plan.shadow.concurrency), env)
    parts = ShadowParts(
        tier=capable,
        upstream=upstream,
        dialects={dialect.endpoint: dialect for dialect in dialects().values()},
        never=frozenset(plan.shadow.never),
        budget=WatchingBudget("shadow", plan.shadow.budget_usd_day, StoreSpendBook(store)),
        now=time.monotonic,
        wall=lambda: datetime.now(UTC),
        max_nesting=plan.limits.max_nesting,
        redact=redaction_hook(plan.store.redact),
    )
    return ShadowSide(
        plan=plan.shadow,
        answers=ShadowAnswers(parts),
        upstream=upstream,
        pairs=RowLog(store, PAIRS, writer),
        calls=RowLog(store, CALLS, writer),
        is_priced=bool(capable.prices),
    )


def background_limits(limits: LimitsPlan, concurrency: int) -> LimitsPlan:
    """A gateway's limits for calls that nobody waits for: one retry, few connections, no long answers.

    Examples:
        >>> background_limits(LimitsPlan(max_retries=5), 4).max_retries
        1
    """
    return msgspec.structs.replace(
        limits,
        max_retries=min(limits.max_retries, MAX_RETRIES),
        max_answer_bytes=min(limits.max_answer_bytes, MAX_ANSWER_BYTES),
        connections_per_upstream=min(limits.connections_per_upstream, concurrency),
    )
