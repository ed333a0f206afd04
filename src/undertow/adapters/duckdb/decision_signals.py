"""Which signals tell of single decisions: by the decision's own id, else by its conversation, else by its user.

A signal is about the most specific thing that it names. One about a conversation or a user tells of all its decisions.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from undertow.adapters.duckdb.decision_rows import aware, naive
from undertow.adapters.duckdb.sql import literals
from undertow.records.decision import DecisionRecord
from undertow.records.exploring import FAILED_BELOW, JoinedSignal, LabelFilter
from undertow.records.label_grid import QUALITY_KINDS

MAX_SIGNALS = 200

ABOUT = ("decision_id", "conversation_id", "kind", "value")
"""Columns by which a signal of quality is joined."""

WHOLE = (
    "signal_id", "kind", "name", "value", "event_time", "source", "selection", "inclusion_probability", "reference_value", "decision_id",
    "conversation_id", "user_id", "revision", "deleted",
)  # fmt: skip
"""Columns by which a signal is shown."""

Rows = Callable[[str, Any], list[tuple[Any, ...]]]
"""Runs a statement with its values."""

_QUALITY = f"kind IN ({literals(QUALITY_KINDS)}) AND value IS NOT NULL"


def label_tables(source: str | None) -> Iterator[str]:
    """Statements that make tables of the decisions and conversations that signals of quality name, in all, and those said to have failed.

    Args:
        source: Signals, with the columns `ABOUT`; None: there are none.
    """
    rows = source or f"(SELECT {', '.join(f'NULL AS {name}' for name in ABOUT)} LIMIT 0)"
    for name, which in (("judged", "true"), ("failing", f"value < {FAILED_BELOW}")):
        for table, key, alone in (("d", "decision_id", ""), ("c", "conversation_id", " AND decision_id IS NULL")):
            yield (
                f"CREATE TEMP TABLE {name}_{table} AS SELECT DISTINCT CAST({key} AS VARCHAR) AS {key} FROM {rows} "
                f"WHERE {_QUALITY} AND {which} AND {key} IS NOT NULL{alone}"
            )


def nobody_is(label: LabelFilter) -> str:
    """A query, once those tables are made, whether no decision at all can have a label (`failed` or `ok`)."""
    table = "failing" if label == "failed" else "judged"
    return f"SELECT NOT EXISTS (FROM {table}_d) AND NOT EXISTS (FROM {table}_c)"


def values_of(run: Rows, source: str | None, keys: Sequence[tuple[str, str | None]]) -> list[list[float]]:
    """For each decision the values of the signals of quality that tell of it.

    Args:
        run: Runs a statement.
        source: Signals, with the columns `ABOUT`; None: there are none.
        keys: Id and conversation of each decision.
    """
    if source is None:
        return [[] for _ in keys]
    conversations = [conversation for _, conversation in keys if conversation is not None]
    told = run(
        f"SELECT decision_id, conversation_id, value FROM {source} WHERE {_QUALITY} "
        "AND (list_contains(?::VARCHAR[], decision_id) OR (decision_id IS NULL AND list_contains(?::VARCHAR[], conversation_id)))",
        [[decision for decision, _ in keys], conversations],
    )
    by_decision: dict[str, list[float]] = {}
    by_conversation: dict[str | None, list[float]] = {}
    for decision, conversation, value in told:
        if decision is not None:
            by_decision.setdefault(decision, []).append(value)
        else:
            by_conversation.setdefault(conversation, []).append(value)
    return [[*by_decision.get(decision, ()), *by_conversation.get(conversation, ())] for decision, conversation in keys]


def signals_of(run: Rows, source: str | None, record: DecisionRecord) -> tuple[tuple[JoinedSignal, ...], int]:
    """All signals that tell of a decision, and how many more there are than are shown.

    Of an outcome that was corrected the last correction counts. Those about its user count from its request on.

    Args:
        run: Runs a statement.
        source: Signals and outcomes, with the columns `WHOLE`; None: there are none.
        record: The decision.
    """
    if source is None:
        return (), 0
    found = run(
        f"SELECT {', '.join(WHOLE[1:9])}, CASE WHEN decision_id IS NOT NULL THEN 'decision' WHEN conversation_id IS NOT NULL "
        f"THEN 'conversation' ELSE 'user' END AS joined FROM (SELECT DISTINCT ON (signal_id) * FROM {source} WHERE decision_id = $id "
        "OR (decision_id IS NULL AND conversation_id = $conversation) "
        "OR (decision_id IS NULL AND conversation_id IS NULL AND user_id = $user AND event_time >= $at) "
        "ORDER BY signal_id, revision DESC NULLS LAST) WHERE deleted IS NOT TRUE "
        f"ORDER BY joined != 'decision', joined != 'conversation', event_time LIMIT {10 * MAX_SIGNALS}",
        {
            "id": record.decision_id,
            "conversation": record.conversation_id,
            "user": record.user_id,
            "at": naive(datetime.fromisoformat(record.event_time)),
        },
    )
    signals = tuple(
        JoinedSignal(kind, name, value, aware(at), source_, selection, probability, reference, by)
        for kind, name, value, at, source_, selection, probability, reference, by in found[:MAX_SIGNALS]
    )
    return signals, max(0, len(found) - MAX_SIGNALS)
