"""Outcomes from a database, by any SQLAlchemy address: one SELECT, read only, with a time-out, a batch of rows in memory at a time.

SQLAlchemy is an extra (`pip install 'undertow[sql]'`), imported here alone; the database's own driver is for you to install. No message
holds an address, a statement or a value: drivers quote all three.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.adapters.outcomes.rows import RowReader, row_hash
from undertow.adapters.outcomes.statement import check_reads_only
from undertow.errors import ConfigError, LogError
from undertow.ports.outcomes import Place
from undertow.records.outcome import OutcomeRow
from undertow.records.serving import SourcePlan

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

TIMEOUT_S = 300.0
BATCH = 1_000
QUERY = "query"
MAX_CHARS = 8_192
"""Of one cell; longer ones are cut, which no id that is allowed is."""

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""What `:since` is before the first pull."""


class DatabaseRows:
    """Implements `undertow.ports.outcomes.OutcomeSource` for a query.

    Args:
        plan: Of the source.
        env: Environment with the address.
        key: Makes the key of a row that is set aside from the hash of its content.
        timeout_s: Seconds that the query may take.
        monotonic: Seconds of a clock that is never set.
    """

    def __init__(
        self,
        plan: SourcePlan,
        env: Mapping[str, str],
        key: Callable[[str], str] = str,
        *,
        timeout_s: float = TIMEOUT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._env, self._key = plan, env, key
        self._timeout_s, self._monotonic = timeout_s, monotonic

    def places(self, since: datetime | None) -> Iterator[Place | tuple[str, str]]:
        """The query, which is asked each time.

        Args:
            since: Bound to `:since`; None: all rows.

        Raises:
            LogError: The database cannot be reached.
            ConfigError: SQLAlchemy is missing, the variable is unset, or the query does not only read.
        """
        yield Place(QUERY, None, self._batches(since))

    def _batches(self, since: datetime | None) -> Iterator[Sequence[OutcomeRow]]:
        query = check_reads_only(self._plan.query or "")
        engine = _engine(self._plan, self._env, self._timeout_s)
        reader = RowReader(
            self._plan, f"the query of [sources.{self._plan.name}]", lambda record, _: self._key(row_hash(record))
        )
        try:
            yield from reader.batches(self._records(engine, query, since))
        finally:
            engine.dispose()

    def _records(self, engine: "Engine", query: str, since: datetime | None) -> Iterator[dict[str, Any]]:
        from sqlalchemy import DateTime, bindparam, text  # noqa: PLC0415 (an extra)

        ends_at = self._monotonic() + self._timeout_s
        statement = text(query)
        if "since" in statement._bindparams:  # noqa: SLF001 (there is no other way to ask; binding an absent one is an error)
            moment = since or EARLIEST
            is_zoned = engine.dialect.name == "postgresql"
            value = moment if is_zoned else moment.astimezone(UTC).replace(tzinfo=None)
            statement = statement.bindparams(bindparam("since", value, DateTime(timezone=is_zoned)))
        try:
            with engine.connect() as connection:
                _restrain(connection, self._timeout_s, ends_at, self._monotonic)
                streamed = connection.execution_options(stream_results=True, yield_per=BATCH)
                for part in streamed.execute(statement).mappings().partitions(BATCH):
                    if self._monotonic() > ends_at:
                        raise LogError(self._too_long())  # noqa: TRY301 (one way out of the connection)
                    yield from ({str(name): _cell(value) for name, value in row.items()} for row in part)
                connection.rollback()
        except (LogError, ConfigError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever a driver makes of an answer)
            # Drivers raise their own beside SQLAlchemy's: for a date that is none, a number that is too large, a socket that is gone.
            if self._monotonic() > ends_at or "timeout" in str(error).lower() or "interrupted" in str(error).lower():
                raise LogError(self._too_long()) from None
            cause = getattr(error, "orig", None)
            what = type(error).__name__ + ("" if cause is None else f", {type(cause).__name__} of the driver")
            raise LogError(
                f"the query of [sources.{self._plan.name}] failed ({what}); run it by hand to see what is wrong"
            ) from None

    def _too_long(self) -> str:
        return f"the query of [sources.{self._plan.name}] took longer than {self._timeout_s:.0f} s and was stopped; narrow it down with :since"


def _engine(plan: SourcePlan, env: Mapping[str, str], timeout_s: float) -> "Engine":
    try:
        from sqlalchemy import create_engine  # noqa: PLC0415 (an extra)
        from sqlalchemy.engine import make_url  # noqa: PLC0415 (an extra)
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SAWarning  # noqa: PLC0415 (an extra)
        from sqlalchemy.pool import NullPool  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigError(
            f"[sources.{plan.name}] is of kind sql, which needs SQLAlchemy; install it with: pip install 'undertow[sql]'"
        ) from None
    name = plan.url_env or ""
    if not env.get(name):
        raise ConfigError(
            f"[sources.{plan.name}] url_env names {name}, which is not set; put the database's address there"
        )
    # They tell programmers of a dialect's habits, on standard error, and may quote values.
    warnings.filterwarnings("ignore", category=SAWarning)
    try:
        url = make_url(env[name])
        connect: dict[str, Any] = {}
        match url.get_backend_name():
            case "sqlite":
                # A connection would make the file.
                if url.database and url.database != ":memory:" and not Path(url.database).is_file():
                    raise LogError(f"[sources.{plan.name}]: the database file that {name} names does not exist")
                connect = {"timeout": 10.0}
            case "postgresql" if url.get_driver_name() in {"psycopg", "psycopg2"}:
                connect = {
                    "connect_timeout": 10,
                    "options": f"-c statement_timeout={round(timeout_s * 1000)} -c timezone=UTC",
                }
            case "mysql" | "mariadb":
                connect = {"connect_timeout": 10}
        return create_engine(url, poolclass=NullPool, connect_args=connect, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"[sources.{plan.name}]: the database of {name} needs the driver {error.name!r}, which is not installed; install it with pip"
        ) from None
    except ImportError as error:
        raise ConfigError(
            f"[sources.{plan.name}]: the driver for the database of {name} cannot be loaded ({type(error).__name__}); install it anew with pip, with the libraries that it needs"
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError, TypeError):
        raise ConfigError(
            f"[sources.{plan.name}]: what {name} holds is no address of a database that SQLAlchemy knows; expected DIALECT+DRIVER://USER:PASSWORD@HOST/NAME"
        ) from None


def _restrain(connection: "Connection", timeout_s: float, ends_at: float, monotonic: Callable[[], float]) -> None:
    """Have the database itself refuse to write, and stop what takes too long, where it knows how."""
    match connection.dialect.name:
        case "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.set_progress_handler(lambda: int(monotonic() > ends_at), 10_000)
        case "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        case "mysql":
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET SESSION MAX_EXECUTION_TIME = {round(timeout_s * 1000)}")
        case "mariadb":
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {timeout_s}")
        case _:
            pass


def _cell(value: Any) -> Any:
    """A cell as rows are read: numbers of any kind as numbers, other values as text of a bounded length."""
    match value:
        case None | bool() | int() | float() | datetime():
            return value
        case str():
            return value[:MAX_CHARS]
        case bytes() | memoryview():
            return None
        case dict() | list():
            return value
        case _:
            return str(value)[:MAX_CHARS]
