"""Rows between the first reading and the canonical files, on disk: references are resolved when all records have been seen.

A signal may stand in the log before its decision, a trace's user after its model calls, and an update of a record anywhere.
Rows are therefore written to plain staging files, and DuckDB (which spills to disk) joins them where a format needs it:

    decisions  number, id, version, payload       contexts  number, key, payload        links    decision number, position, key
    signals    number, id, version, payload       aliases   alias, decision id, time    refs     signal number, position, alias

Columns are separated by tabs; ids, keys and payloads are JSON, in which tabs and line ends are escaped.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

import duckdb
import msgspec

from undertow.adapters.importers.rows import Context, Decision, Signal

_encode = msgspec.json.encode
_decode = msgspec.json.decode
_TABLES = {
    "decisions": "n BIGINT, id VARCHAR, version DOUBLE, payload VARCHAR",
    "signals": "n BIGINT, id VARCHAR, version DOUBLE, payload VARCHAR",
    "contexts": "n BIGINT, key VARCHAR, payload VARCHAR",
    "links": "n BIGINT, pos BIGINT, key VARCHAR",
    "signal_links": "n BIGINT, pos BIGINT, key VARCHAR",
    "aliases": "alias VARCHAR, id VARCHAR, moment VARCHAR",
    "refs": "n BIGINT, pos BIGINT, alias VARCHAR",
}
_BATCH = 4096


class Staging:
    """Staging files of one import, in a folder of their own; use as a context manager, which deletes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, int] = dict.fromkeys(_TABLES, 0)
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in _TABLES:
            self._files[name] = (self.folder / f"{name}.tsv").open("wb", buffering=1 << 20)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
        for name in (*_TABLES, "merged"):
            (self.folder / f"{name}.tsv").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "spill", ignore_errors=True)
        with contextlib.suppress(OSError):  # something else may lie there that is not ours to delete
            self.folder.rmdir()

    def add_decision(self, decision: Decision) -> None:
        """Stage a decision.

        Raises:
            UnicodeEncodeError: text that is no Unicode (a lone surrogate).
        """
        payload = _encode(pack(decision))
        number, identity = self.counts["decisions"], _encode(decision.row["decision_id"])
        same = identity if decision.identity is None else _encode(decision.identity)
        keys = [_encode(key) for key in decision.context]
        others = [_encode(alias) for alias in decision.aliases]
        self._write("decisions", b"%d\t%b\t%r\t%b\n" % (number, same, decision.version, payload))
        for position, key in enumerate(keys):
            self._write("links", b"%d\t%d\t%b\n" % (number, position, key))
        for alias in others:
            self._write("aliases", b"%b\t%b\t%b\n" % (alias, identity, decision.row["event_time"].encode()))

    def add_signal(self, signal: Signal) -> None:
        """Stage a signal."""
        payload = _encode({"r": signal.row, "f": signal.refs, "p": signal.pair})
        number, identity = self.counts["signals"], _encode(signal.row["signal_id"])
        refs, keys = [_encode(r) for r in signal.refs], [_encode(k) for k in signal.context]
        self._write("signals", b"%d\t%b\t%r\t%b\n" % (number, identity, signal.version, payload))
        for position, ref in enumerate(refs):
            self._write("refs", b"%d\t%d\t%b\n" % (number, position, ref))
        for position, key in enumerate(keys):
            self._write("signal_links", b"%d\t%d\t%b\n" % (number, position, key))

    def add_context(self, context: Context) -> None:
        """Stage a context."""
        payload = _encode({"r": context.row, "n": context.names, "v": context.provider, "c": context.calls})
        self._write("contexts", b"%d\t%b\t%b\n" % (self.counts["contexts"], _encode(context.key), payload))

    def _write(self, name: str, line: bytes) -> None:
        self._files[name].write(line)
        self.counts[name] += 1

    def decisions(self, *, latest_wins: bool) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Packed decisions in their order, each with the contexts that it names."""
        self._flush()
        contexts = self.counts["contexts"] > 0 and self.counts["links"] > 0
        if not contexts and not latest_wins:
            with (self.folder / "decisions.tsv").open("rb") as file:
                for line in file:
                    yield _decode(line.split(b"\t", 3)[3]), []
            return
        yield from self._joined("decisions", "links", latest_wins=latest_wins)

    def signals(self, *, latest_wins: bool) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], str | None]]:
        """Packed signals, each with its contexts and the id of the decision that its references name, if any."""
        self._flush()
        if not self.counts["signals"]:
            return
        with self._database() as connection:
            self._load(connection, "signals", "contexts", "signal_links", "aliases", "refs")
            connection.execute(
                "CREATE TABLE answers AS SELECT refs.n, arg_min(a.id, refs.pos) AS id FROM refs JOIN "
                "(SELECT alias, arg_max(id, moment) AS id FROM aliases GROUP BY alias) a USING (alias) GROUP BY refs.n"
            )
            cursor = connection.execute(
                f"SELECT d.payload, m.more, answers.id FROM {_latest('signals', latest_wins=latest_wins)} d "
                f"LEFT JOIN {_more('signal_links')} m ON m.n = d.n LEFT JOIN answers ON answers.n = d.n ORDER BY d.n"
            )
            for payload, more, answer in _rows(cursor):
                yield _decode(payload), [_decode(c) for c in more or ()], _decode(answer) if answer else None

    def _joined(
        self, table: str, links: str, *, latest_wins: bool
    ) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        with self._database() as connection:
            self._load(connection, table, "contexts", links)
            cursor = connection.execute(
                f"SELECT d.payload, m.more FROM {_latest(table, latest_wins=latest_wins)} d LEFT JOIN {_more(links)} m ON m.n = d.n ORDER BY d.n"
            )
            for payload, more in _rows(cursor):
                yield _decode(payload), [_decode(c) for c in more or ()]

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()

    def _database(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:")
        spill = str(self.folder).replace("'", "''")
        connection.execute(f"SET memory_limit = '768MB'; SET threads = 2; SET temp_directory = '{spill}/spill'")
        return connection

    def _load(self, connection: duckdb.DuckDBPyConnection, *names: str) -> None:
        for name in names:
            connection.execute(f"CREATE TABLE {name} ({_TABLES[name]})")
            if self.counts[name]:
                path = str(self.folder / f"{name}.tsv").replace("'", "''")
                columns = ", ".join(f"'{c.split()[0]}': '{c.split()[1]}'" for c in _TABLES[name].split(", "))
                connection.execute(
                    f"INSERT INTO {name} SELECT * FROM read_csv('{path}', columns = {{{columns}}}, delim = '\t', quote = '', escape = '', "
                    "header = false, auto_detect = false, max_line_size = 67108864, parallel = false, new_line = '\\n')"
                )


def pack(decision: Decision) -> dict[str, Any]:
    """A decision as a plain object, with short keys: row, names, logged and proxy tier, provider, cached tokens, served."""
    return {
        "r": decision.row,
        "n": decision.names,
        "l": decision.logged_tier,
        "p": decision.proxy_tier,
        "v": decision.provider,
        "c": decision.cached_tokens,
        "s": decision.served,
    }


def merge(packed: dict[str, Any], contexts: list[dict[str, Any]]) -> dict[str, Any]:
    """Fill what is null in a packed row from its contexts, the first one first; segments are united, calls appended."""
    row = packed["r"]
    for context in contexts:
        for column, value in context["r"].items():
            if column == "segment":
                row["segment"] = value | row.get("segment", {})
            elif row.get(column) is None:
                row[column] = value
        if context["c"]:
            if (
                "calls" not in row
                and row.get("cost_usd") is not None
                and any(c.get("purpose") != "serve" for c in context["c"])
            ):
                # The answer's own cost must stay apart from what watching it cost.
                row["calls"] = [
                    {
                        "purpose": "serve",
                        "model": row.get("model"),
                        "cost_usd": row["cost_usd"],
                        "status": row.get("status"),
                    }
                ]
            row["calls"] = [*row.get("calls", []), *context["c"]]
            extra = sum(c.get("cost_usd") or 0.0 for c in context["c"])
            row["cost_usd"] = (row.get("cost_usd") or 0.0) + extra if extra else row.get("cost_usd")
        if context["n"] and not packed.get("n"):
            packed["n"] = context["n"]
        if context["v"] and not packed.get("v"):
            packed["v"] = context["v"]
    return packed


def _latest(table: str, *, latest_wins: bool) -> str:
    if not latest_wins:
        return table
    return f"(SELECT * FROM {table} QUALIFY row_number() OVER (PARTITION BY id ORDER BY version DESC, n DESC) = 1)"


def _more(links: str) -> str:
    return f"(SELECT l.n, list(c.payload ORDER BY l.pos, c.n) AS more FROM {links} l JOIN contexts c USING (key) GROUP BY l.n)"


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := cursor.fetchmany(_BATCH):
        yield from batch
