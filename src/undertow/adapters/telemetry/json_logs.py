"""Structured logs on standard error, one line an event: JSON for collectors, or plain lines for people.

    logger.info("segment_converted", extra=fields(segment=name, rows=n))

Fields given to `extra=` directly are shown too; `fields` keeps their names apart from those that logging itself uses.

No text that came from outside can forge a line: control characters and line separators become blanks, and everything is cut to
a length. Messages of foreign exceptions are left out, since a library may quote what it was given: their kind and place are
enough to find them, and Undertow's own messages hold neither prompts nor keys.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any, Literal, TextIO

import msgspec

from undertow.errors import UndertowError

MAX_CHARS = 500
MAX_FRAMES = 8
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_OWN_KEYS = frozenset({"ts", "level", "event", "logger"})
# What logging itself puts on every record; whatever else is there was given with `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "fields", "color_message", "taskName"}


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    log_format: Literal["json", "text"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Send all logs of this process to one stream. May be called again, after a reload.

    Args:
        level: Least severe level that is shown.
        log_format: One JSON object a line, or lines for people.
        stream: Where to; None: standard error.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if log_format == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These log what they send at level debug, bodies and headers included.
    for chatty in ("urllib3", "opentelemetry", "asyncio", "httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    logging.raiseExceptions = False  # a log that cannot be written must not print a traceback with what it held


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """Fields of a log event, for `extra=`. Give names and numbers, never prompts, answers or keys.

    Examples:
        >>> fields(rows=3)
        {'fields': {'rows': 3}}
    """
    return {"fields": values}


class JsonLines(logging.Formatter):
    """One JSON object: `ts`, `level`, `event`, `logger`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        document = {
            "ts": _time(record),
            "level": record.levelname.lower(),
            "event": _message(record),
            "logger": printable(record.name),
            **_fields(record),
        }
        return msgspec.json.encode(document).decode()


class PlainLines(logging.Formatter):
    """`TIME LEVEL event key=value ...`; values with blanks are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        shown = (f"{name}={_quoted(value)}" for name, value in _fields(record).items())
        return " ".join((_time(record), f"{record.levelname.lower():<7}", _message(record), *shown))


def printable(text: str) -> str:
    r"""Text that cannot end a line, hide a part of it, or be long.

    Examples:
        >>> printable('fine\n{"level": "error"}')
        'fine {"level": "error"}'
    """
    shown = _CONTROL.sub(" ", text[: MAX_CHARS + 1])
    return shown if len(shown) <= MAX_CHARS else f"{shown[: MAX_CHARS - 1]}…"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return printable(record.getMessage())
    except (TypeError, ValueError):  # a foreign call with the wrong arguments is still an event
        return printable(str(record.msg))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    own = getattr(record, "fields", None)
    if isinstance(own, dict):
        given |= own
    found = {(f"{name}_" if name in _OWN_KEYS else printable(name)): _scalar(value) for name, value in given.items()}
    if record.exc_info and record.exc_info[1] is not None:
        found |= _error(record.exc_info[1], record.exc_info[2])
    return found


def _scalar(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) < 2**63 else str(value)[:40]
        case float():
            return value if value - value == 0 else None  # neither NaN nor infinite
        case str():
            return printable(value)
        case Path():
            return printable(str(value))
        case _:
            return type(value).__name__


def _error(error: BaseException, trace: TracebackType | None) -> dict[str, Any]:
    if isinstance(error, UndertowError):
        told = {"error_message": printable(str(error))}
    elif isinstance(error, OSError) and error.strerror:
        told = {"error_message": printable(error.strerror)}
    else:
        told = {}
    frames = extract_tb(trace)[-MAX_FRAMES:]
    place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return {"error": type(error).__name__, **told, "error_at": printable(place)}


def _quoted(value: Any) -> str:
    text = str(value)
    return msgspec.json.encode(text).decode() if not text or any(sign in text for sign in ' "=') else text
