"""The sink of an in-process client: one place for its records and signals."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from undertow.errors import ConfigError
from undertow.ports.decision_log import DecisionLog, SignalLog
from undertow.records.serving import StorePlan

STANDARD_OUTPUT = "-"


def _nothing() -> None:
    """For a sink that has nothing to do between records."""


class Sink(msgspec.Struct, frozen=True):
    """Where records and signals go.

    Attributes:
        decisions: Takes records, in the client's own thread.
        signals: Takes signals, in any thread.
        flush: Brings what was taken to where it is kept, in any thread; raises OSError where it cannot.
        close: Flushes and closes.
        tick: What time brings; called with each request, in the client's own thread.
    """

    decisions: DecisionLog
    signals: SignalLog
    flush: Callable[[], None]
    close: Callable[[], None]
    tick: Callable[[], None] = _nothing


def open_sink(
    given: "str | os.PathLike[str] | Sink | None",
    store: StorePlan,
    writer: str,
    options: Mapping[str, Any] | None = None,
) -> Sink:
    """A sink from what a user writes: a folder, `-`, a URL, a sink, or None for the store of the settings.

    Raises:
        ConfigError: It cannot be used.
    """
    if isinstance(given, Sink):
        return given
    name = store.path if given is None else os.fspath(given)
    if "://" in name:
        from undertow.adapters.sinks.objects import ObjectSink  # noqa: PLC0415 (each sink is loaded where it is used)

        objects = ObjectSink(name, dict(options or {}), writer=writer)
        return Sink(objects, objects, objects.flush, objects.close)
    if options:
        raise ConfigError("sink_options are for object storage; the sink is none")
    if name == STANDARD_OUTPUT:
        from undertow.adapters.sinks.lines import LineSink, write_to_standard_output  # noqa: PLC0415

        lines = LineSink(write_to_standard_output)
        return Sink(lines, lines, lines.flush, lines.close)
    return _folder(msgspec.structs.replace(store, path=name), writer)


def _folder(store: StorePlan, writer: str) -> Sink:
    try:
        from undertow.adapters.store.log import StoreDecisionLog  # noqa: PLC0415
        from undertow.adapters.store.signal_log import StoreSignalLog  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "fcntl":
            raise
        raise ConfigError(
            "records in a folder need the file locks of a Unix system; here, give sink='-' (standard output) or a URL of object storage"
        ) from error

    decisions, signals = StoreDecisionLog(store, writer), StoreSignalLog(store, writer)

    def complain() -> None:
        if decisions.waiting:
            raise OSError(
                f"{decisions.waiting:,} records could not be written to {store.path}; they are kept in memory"
            )

    def flush() -> None:
        errors = decisions.sync_errors
        decisions.sync()
        signals.sync()
        complain()
        if decisions.sync_errors > errors:
            raise OSError(f"the disk of {store.path} did not confirm what was written")

    def close() -> None:
        decisions.tick()
        decisions.sync()
        try:
            complain()
        finally:
            decisions.close()
            signals.close()

    return Sink(decisions, signals, flush, close, decisions.tick)
