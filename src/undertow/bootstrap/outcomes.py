"""Builds what pulling outcomes needs: a source of each kind, the index, and the log of signals; and tells how outcomes are joined."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from undertow.adapters.outcomes.book import StoreOutcomes
from undertow.adapters.outcomes.database import DatabaseRows
from undertow.adapters.outcomes.files import DroppedFiles
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.errors import ConfigError
from undertow.ports.audit_source import OutcomeWindow, Progress, silent
from undertow.ports.outcomes import OutcomeSource
from undertow.records.outcome import INDEX, OutcomeJoins, Pulled, SourceState, UnjoinedOutcome
from undertow.records.pseudonym import pseudonym
from undertow.records.serving import SourcePlan, StorePlan
from undertow.services.outcomes import PullRun, alone, is_due, pull

if TYPE_CHECKING:
    from undertow.config.settings import Settings


@dataclass(frozen=True, slots=True)
class PullOptions:
    """How sources are pulled.

    Attributes:
        again: Read everything anew.
        only_due: Leave out sources whose `every_minutes` have not passed.
        wait: Waits for files that changed a moment ago; None: they are left for the next time.
    """

    again: bool = False
    only_due: bool = False
    wait: Callable[[float], None] | None = None


def id_key_of(name: str | None, env: Mapping[str, str]) -> bytes | None:
    """The key of the pseudonyms; None: ids stay as given.

    Args:
        name: Variable of `[store] id_key_env`, or None: it is unset.
        env: Environment.

    Raises:
        ConfigError: The variable is named and not set: ids would be written as they are, and would meet no decision.

    Examples:
        >>> id_key_of("KEY", {"KEY": "secret"}), id_key_of(None, {})
        (b'secret', None)
    """
    if name is None:
        return None
    if not env.get(name):
        raise ConfigError(
            f"store.id_key_env names {name}, which is not set; without it ids would be written as they are, and meet no decision"
        )
    return env[name].encode()


def source_of(plan: SourcePlan, env: Mapping[str, str], key: bytes | None, wait: Callable[[float], None] | None = None) -> OutcomeSource:  # fmt: skip
    """What reads a source.

    Args:
        plan: Of the source.
        env: Environment with the address of a database.
        key: Of the pseudonyms.
        wait: See `PullOptions`.
    """
    match plan.kind:
        case "files" | "zendesk" | "intercom":
            return DroppedFiles(plan, time.time, wait)
        case "sql":
            return DatabaseRows(plan, env, partial(_pseudonym, key=key))
        case _:
            assert_never(plan.kind)


def pull_sources(
    store: StorePlan,
    plans: Sequence[SourcePlan],
    options: PullOptions = PullOptions(),
    *,
    env: Mapping[str, str] = os.environ,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Progress = silent,
) -> tuple[Pulled, ...]:
    """Pull sources into a store, one after the other.

    Args:
        store: The store.
        plans: The sources.
        options: How.
        env: Environment with the id key and addresses.
        now: The time, aware.
        progress: Told of each file.

    Raises:
        DataError: Another process is pulling.
        ConfigError: The id key is named and not set, or a query cannot be asked.
        OSError: The store cannot be written.
    """
    key = id_key_of(store.id_key_env, env)
    done = []
    with StoreOutcomes(Path(store.path)) as book, alone(book):
        signals = StoreSignalLog(store, f"outcomes.{os.getpid()}")
        try:
            for plan in plans:
                if options.only_due and not is_due(book.state(plan.name), plan.every_minutes, now()):
                    continue
                run = PullRun(now(), partial(_pseudonym, key=key), options.again)
                source = source_of(plan, env, key, options.wait)
                done.append(pull(plan, source, book, signals, run, progress))
        finally:
            signals.close()
    return tuple(done)


@dataclass(frozen=True, slots=True)
class OutcomeStatus:
    """Where the outcomes of a store stand.

    Attributes:
        sources: By the name of each source that was ever pulled.
        set_aside: Rows that are set aside now, by source, by reason.
        joins: How outcomes meet decisions, a source and name at a time, whatever brought them.
    """

    sources: Mapping[str, SourceState]
    set_aside: Mapping[str, Mapping[str, int]]
    joins: tuple[OutcomeJoins, ...]


def outcome_status(store: Path, settings: "Settings", now: datetime, progress: Progress = silent) -> OutcomeStatus:
    """Where the outcomes of a store stand.

    Args:
        store: Its root folder.
        settings: With the outcomes' windows and prices.
        now: The time, aware.
        progress: Told what is done.

    Raises:
        LogError: The store cannot be read.
        OSError: The index cannot be read.
    """
    from undertow.adapters.outcomes.joined import outcome_joins  # noqa: PLC0415 (DuckDB)

    states: dict[str, SourceState] = {}
    aside: dict[str, Mapping[str, int]] = {}
    if (store / INDEX).exists():
        with StoreOutcomes(store) as book:
            states = book.states()
            aside = {name: book.set_aside(name) for name in states}
    priced = frozenset(str(name) for name, outcome in settings.outcomes.items() if outcome.usd is not None)
    return OutcomeStatus(states, aside, outcome_joins(store, windows_of(settings), priced, now, progress))


def unjoined(store: Path, settings: "Settings", limit: int, progress: Progress = silent) -> tuple[UnjoinedOutcome, ...]:
    """Outcomes that belong to no decision, the latest first; arguments and errors as of `outcome_status`."""
    from undertow.adapters.outcomes.joined import unjoined_outcomes  # noqa: PLC0415 (DuckDB)

    return unjoined_outcomes(store, windows_of(settings), limit, progress)


def windows_of(settings: "Settings") -> tuple[OutcomeWindow, ...]:
    """Windows of the outcomes that settings name."""
    return tuple(
        OutcomeWindow(str(name), outcome.attribution_days, outcome.maturity_days)
        for name, outcome in settings.outcomes.items()
    )


def _pseudonym(value: str, key: bytes | None) -> str:
    return pseudonym(value, key) or ""
