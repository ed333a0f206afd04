"""The exception tree. Everything Undertow raises on purpose is an `UndertowError`.

    UndertowError
    |-- UsageError            a command line that cannot be meant (exit 2)
    |-- ConfigError           a setting that is unknown, of the wrong type or out of range (exit 2)
    |-- LogError              an input that cannot be read at all: missing, empty, not a log (exit 2)
    |-- DataError             rows were read, but they cannot answer the question (exit 2)
    `-- StatisticalError      a statistic was asked of data that do not define it
        `-- EmptySampleError  (also ValueError) a mean of nothing

Messages say what was seen, what was expected and what to do next, on one line, and never contain prompt text or keys.
The command line prints them without a traceback; a traceback is always a bug of ours.
"""


class UndertowError(Exception):
    """Root of every error that Undertow raises on purpose."""


class UsageError(UndertowError):
    """A combination of arguments that cannot be meant."""


class ConfigError(UndertowError):
    """A setting that is unknown, of the wrong type or out of range."""


class LogError(UndertowError):
    """An input that cannot be read at all: missing, empty, or not a log in any known format."""


class DataError(UndertowError):
    """Rows were read, but they cannot answer the question that was asked."""


class StatisticalError(UndertowError):
    """A statistic was asked of data that do not define it."""


class EmptySampleError(StatisticalError, ValueError):
    """A mean, rate or interval of no observations. A cell that nobody labelled has no rate; it does not have rate 0."""
