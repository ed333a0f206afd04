"""What an importer makes of one foreign record: decisions, signals, context for other records, or a counted rejection.

`row` dicts bear canonical column names (`undertow.records.columns`) and only values that are not null. Ids, times and joins
that need more than one record (a trace's user, a score's decision) are left as references; the driver resolves them once all
records have been seen.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Decision:
    """One routed request.

    Attributes:
        row: Canonical columns; `tier` is left out where it has to be worked out.
        names: Names that the tier patterns of the user are matched with: model, deployment group, router tier, variant.
        logged_tier: Tier that the log itself names, trusted as it stands.
        proxy_tier: Stand-in where neither a pattern nor a price gives a tier (a variant's or router tier's name).
        provider: Price list provider, where the log names it.
        cached_tokens: Part of `input_tokens` that came from the provider's prompt cache.
        served: False where nothing was served (an upstream error): the tier stays null.
        aliases: Other ids under which signals may mean this decision, `trace:…`, `response:…`.
        context: Keys of `Context` rows that fill what is null here.
        version: Among decisions with the same identity the highest version is kept.
        identity: What makes two records one request; None: the decision_id.
    """

    row: dict[str, Any]
    names: tuple[str, ...] = ()
    logged_tier: str | None = None
    proxy_tier: str | None = None
    provider: str | None = None
    cached_tokens: int | None = None
    served: bool = True
    aliases: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    version: float = 0.0
    identity: str | None = None


@dataclass(slots=True)
class Signal:
    """One signal. `refs` are aliases of its decision, tried in order; `context` as in `Decision`.

    `pair`: models of the two answers that were compared; a pair inside one tier says nothing of the other and is set aside.
    """

    row: dict[str, Any]
    refs: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    pair: tuple[str, str] | None = None
    version: float = 0.0


@dataclass(slots=True)
class Context:
    """Columns that other records refer to by `key`: a trace's user and labels, a job's sampling share.

    `calls` are appended to the decision's `calls`. `names` and `provider` replace those of a decision that has none.
    """

    key: str
    row: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    provider: str | None = None
    calls: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class Rejected:
    """A record that is not used, and why, as a short snake_case reason that is counted and shown."""

    reason: str


Row = Decision | Signal | Context | Rejected
