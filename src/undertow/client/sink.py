"""The sink of an in-process client: one place for its records and signals."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from undertow.errors import ConfigError
from undertow.ports.decision_log import DecisionLog, SignalLog
from undertow.records.serving import StorePlan

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class Sink:
    """Where records and signals go.

    Attributes:
        decisions: Takes records.
        signals: Takes signals.
        flush: Brings what was taken to where it is kept.
        close: Flushes and closes.
    """

    decisions: DecisionLog
    signals: SignalLog
    flush: Callable[[], None]
    close: Callable[[], None]


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
    if name == STANDARD_OUTPUT:
        from undertow.adapters.sinks.lines import LineSink  # noqa: PLC0415 (each sink is loaded where it is used)

        lines = LineSink(_write_to_standard_output)
        return Sink(lines, lines, sys.stdout.flush, sys.stdout.flush)
    if "://" in name:
        from undertow.adapters.sinks.objects import ObjectSink  # noqa: PLC0415

        objects = ObjectSink(name, dict(options or {}), writer=writer)
        return Sink(objects, objects, objects.flush, objects.close)
    if options:
        raise ConfigError("sink_options are for object storage; the sink is a folder")
    from undertow.adapters.store.log import StoreDecisionLog  # noqa: PLC0415
    from undertow.adapters.store.signal_log import StoreSignalLog  # noqa: PLC0415

    place = msgspec.structs.replace(store, path=name)
    decisions, signals = StoreDecisionLog(place, writer), StoreSignalLog(place, writer)

    def flush() -> None:
        decisions.tick()
        decisions.sync()
        signals.sync()
        if decisions.waiting:
            raise OSError(f"{decisions.waiting:,} records could not be written to {name}; they are kept in memory")

    def close() -> None:
        decisions.sync()
        decisions.close()
        signals.close()

    return Sink(decisions, signals, flush, close)


def _write_to_standard_output(line: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
