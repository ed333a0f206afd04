"""A LiteLLM callback that writes our decision records, from a LiteLLM proxy or from its SDK.

    litellm_settings:
      callbacks: undertow.client.litellm_callback.handler

`handler` is made from the environment: `UNDERTOW_LITELLM_STORE` says where records go (a folder, `s3://...`, or `-`), and
`UNDERTOW_LITELLM_CONFIG` names an `undertow.toml` whose `[tiers.NAME] models` patterns say which model is which tier. With the SDK:
`litellm.callbacks = [make_handler("undertow.toml", store="undertow-data")]`.

A payload becomes a record exactly as `undertow audit --format litellm` would read it, so what is watched live and what is imported
agree: LiteLLM's own calls are left out with their spend kept, the auto-router's tier is the label `router_tier`, prompts and
answers are not kept. Ids become pseudonyms where the settings name an `id_key_env`. Where no pattern fits, the tier is the deployment that the router chose, else the model group.

LiteLLM is imported when a handler is made, not before; it is no dependency of ours.
"""

import atexit
import importlib
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from undertow.bootstrap.gateway import writer_name
from undertow.client.sink import Sink, open_sink
from undertow.errors import ConfigError
from undertow.records.decision import Call, DecisionRecord
from undertow.records.pseudonym import pseudonym
from undertow.records.serving import StorePlan

if TYPE_CHECKING:
    from undertow.adapters.importers.rows import Decision

log = logging.getLogger("undertow.client")

FLUSH_S = 10.0
"""Records are flushed at the latest this long after they came."""
REMEMBERED = 10_000
ENDPOINTS = {"anthropic_messages": "messages", "responses": "responses"}
"""By LiteLLM's call type; all others are chat completions."""


class Recorder:
    """Takes LiteLLM's logging payloads. Never raises from `take`; any thread may call it.

    Args:
        config: Settings with `[tiers.NAME] models` and `[store]`, or None.
        store: Where records go, as for `undertow.Client`; None: the settings' store, else `undertow-data`.
        store_options: Options of the object storage's file system.
        flush_s: Seconds between a record and its flush.

    Attributes:
        written: Records written.
        left_out: Payloads that are no traffic, by reason.
        failed: Payloads that could not be used.

    Raises:
        ConfigError: The settings are wrong, or the store cannot be used.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        store: "str | os.PathLike[str] | Sink | None" = None,
        store_options: Mapping[str, Any] | None = None,
        flush_s: float = FLUSH_S,
    ) -> None:
        self._patterns: dict[str, tuple[str, ...]] = {}
        self._id_key: bytes | None = None
        place = StorePlan()
        if config is not None:
            from undertow.config import load_settings  # noqa: PLC0415 (pydantic, only where there are settings)

            settings = load_settings(Path(config), os.environ).settings
            place = StorePlan(path=settings.store.path)
            self._id_key = _id_key(settings.store.id_key_env)
            self._patterns = {
                name: (*tier.models, *([tier.model] if tier.model else ())) for name, tier in settings.tiers.items()
            }
        self._place, self._given, self._options = place, store, store_options
        self._flush_s = flush_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._seen: dict[tuple[str, str | None], None] = {}
        self._process = os.getpid()
        self._sink: Sink | None = None
        self._sink = self._opened()
        self.written = 0
        self.left_out: dict[str, int] = {}
        self.failed = 0
        atexit.register(self.close)

    def take(self, payload: Any) -> None:
        """Write the record of one `standard_logging_object`."""
        try:
            for record in self._records(payload):
                self._write(record)
        except Exception as error:  # noqa: BLE001 (LiteLLM's request goes on)
            self.failed += 1
            # Without its message, which may hold what a caller sent.
            log.error("litellm_payload_unused", extra={"cause": type(error).__name__})  # noqa: TRY400

    def flush(self) -> None:
        """Bring everything that was recorded to where it is kept.

        Raises:
            OSError: It could not be written.
        """
        with self._lock:
            timer, self._timer = self._timer, None
            sink = self._sink
            if sink is not None:
                sink.tick()
        if timer is not None:
            timer.cancel()
        if sink is not None:
            sink.flush()

    def close(self) -> None:
        """Flush and close; a further record opens it again. Done by itself when the process ends."""
        with self._lock:
            sink, self._sink = self._sink, None
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if sink is not None and self._process == os.getpid():
            try:
                sink.close()
            except OSError:
                log.error("records_lost", extra={"sink": "litellm"})  # noqa: TRY400

    def _records(self, payload: Any) -> list[DecisionRecord]:
        # Imported with the first payload: the importers come with the engine.
        from undertow.adapters.importers import litellm  # noqa: PLC0415
        from undertow.adapters.importers.fields import Fields  # noqa: PLC0415
        from undertow.adapters.importers.importer import Reading  # noqa: PLC0415
        from undertow.adapters.importers.rows import Decision, Rejected  # noqa: PLC0415

        if not isinstance(payload, Mapping):
            raise TypeError("no standard_logging_object")
        reading = Reading(Fields("UTC"), tier_names=frozenset(self._patterns))
        found = []
        for row in litellm.rows(payload, reading):
            if isinstance(row, Rejected):
                self.left_out[row.reason] = self.left_out.get(row.reason, 0) + 1
            elif isinstance(row, Decision):
                record = as_record(row, payload, self._tier(row))
                # Signals are made pseudonymous too, so that they meet.
                conversation_id = pseudonym(record.conversation_id, self._id_key)
                user_id = pseudonym(record.user_id, self._id_key)
                found.append(msgspec.structs.replace(record, conversation_id=conversation_id, user_id=user_id))
        return found

    def _tier(self, decision: "Decision") -> str | None:
        from undertow.adapters.importers.tiers import matched  # noqa: PLC0415

        named = decision.logged_tier or matched(decision.names, self._patterns)
        if named is not None:
            return named
        known = next((name for name in decision.names if name in self._patterns), None)
        # names: model, routed deployment or model group, router tier. The deployment is the price class; a model's name is a
        # last resort, and the router's tier a judgement of the request.
        return known or (decision.names[1] if len(decision.names) > 1 else next(iter(decision.names), None))

    def _write(self, record: DecisionRecord) -> None:
        with self._lock:
            key = (record.decision_id, record.status)
            if key in self._seen:  # LiteLLM tells some calls to both kinds of callback
                return
            self._seen[key] = None
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
            sink = self._opened()
            sink.tick()
            sink.decisions.finish(record)
            self.written += 1
            if self._timer is None:
                self._timer = threading.Timer(self._flush_s, self._flush_quietly)
                self._timer.daemon = True
                self._timer.start()

    def _opened(self) -> Sink:
        """The sink of this process."""
        if self._sink is None or self._process != os.getpid():
            self._sink = open_sink(self._given, self._place, writer_name("litellm"), self._options)
            self._process = os.getpid()
            self._timer = None
        return self._sink

    def _flush_quietly(self) -> None:
        try:
            self.flush()
        except OSError:
            log.warning("flush_failed", extra={"sink": "litellm"})


def as_record(decision: "Decision", payload: Mapping[str, Any], tier: str | None) -> DecisionRecord:
    """The record of an imported LiteLLM row.

    Args:
        decision: The row.
        payload: What it was read from.
        tier: Tier that was asked, or None: there is none.
    """
    row = dict(decision.row)
    given: list[dict[str, Any]] = row.pop("calls", None) or [
        {
            "model": row.get("model"),
            "input_tokens": row.get("input_tokens"),
            "cached_tokens": decision.cached_tokens,
            "output_tokens": row.get("output_tokens"),
            "cost_usd": row.get("cost_usd"),
            "latency_ms": row.get("latency_ms"),
            "status": "ok" if row.get("status") in {"ok", "fallback"} else _error(payload) or "error",
        }
    ]
    calls = tuple(msgspec.convert({"tier": tier or "unknown", **call}, Call) for call in given)
    call_type = str(payload.get("call_type") or "").removeprefix("a")
    return DecisionRecord(
        **row,
        tier=tier if decision.served else None,
        calls=calls,
        endpoint=ENDPOINTS.get(call_type, ENDPOINTS.get(f"a{call_type}", "chat.completions")),
        error=_error(payload) if row.get("status") == "error" else None,
    )


def _id_key(variable: str | None) -> bytes | None:
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise ConfigError(
            f"store.id_key_env names {variable}, which is not set; without it ids would be written as they are"
        )
    return os.environ[variable].encode()


def _error(payload: Mapping[str, Any]) -> str | None:
    """A word for what went wrong: never the message, which may hold a prompt."""
    information = payload.get("error_information")
    if not isinstance(information, Mapping):
        return None
    code, kind = information.get("error_code"), information.get("error_class")
    if isinstance(code, str | int) and str(code).isdigit():
        return f"http_{code}"
    return kind[:64] if isinstance(kind, str) and kind.isidentifier() else None


def make_handler(
    config: str | os.PathLike[str] | None = None,
    *,
    store: "str | os.PathLike[str] | Sink | None" = None,
    store_options: Mapping[str, Any] | None = None,
    flush_s: float = FLUSH_S,
) -> Any:
    """A handler for `litellm.callbacks`; see `Recorder` for what it takes. Its `recorder` counts, flushes and closes.

    Raises:
        ImportError: LiteLLM is not installed.
        ConfigError: The settings are wrong, or the store cannot be used.
    """
    base: Any = importlib.import_module("litellm.integrations.custom_logger").CustomLogger

    class UndertowLogger(base):
        """Hands LiteLLM's payloads to a recorder."""

        def __init__(self, recorder: Recorder) -> None:
            super().__init__()
            self.recorder = recorder

        def _take(self, kwargs: Mapping[str, Any]) -> None:
            self.recorder.take(kwargs.get("standard_logging_object"))

        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            del response_obj, start_time, end_time
            self._take(kwargs)

        def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            del response_obj, start_time, end_time
            self._take(kwargs)

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            del response_obj, start_time, end_time
            self._take(kwargs)

        async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            del response_obj, start_time, end_time
            self._take(kwargs)

    return UndertowLogger(Recorder(config, store=store, store_options=store_options, flush_s=flush_s))


def __getattr__(name: str) -> Any:
    """`handler`, made from the environment when it is first asked for."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = make_handler(
        os.environ.get("UNDERTOW_LITELLM_CONFIG") or None, store=os.environ.get("UNDERTOW_LITELLM_STORE") or None
    )
    globals()["handler"] = made
    return made
