"""Every figure that the gateway is to reach, from what was measured; an entry each, met or not, also where nothing was measured.

Pure: it gets the measurements and gives the entries of build/bench/gateway.json and the table's lines.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MIN_ROUNDS = 3
"""Fewer interleaved rounds give no median that is worth a verdict."""
MEMORY_REQUESTS = 100_000
KILLS = 50
RECORDS_PER_S = 5_000
FLAT_BYTES = 2_000_000
"""A worker is flat where it grew by no more between 20,000 and 100,000 requests: 25 bytes a request."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor time per request of one peer in one kind of load, a value a round, microseconds.

    Attributes:
        requests: In a round.
        total_us: Of the whole tree of processes.
        worker_us: Of the processes that serve alone; the same as `total_us` where there are no others.
        reads_per_request: Pieces in which the caller received an answer, median; tells whether events came one by one.
        requests_per_s: Median.
    """

    requests: int
    total_us: tuple[float, ...]
    worker_us: tuple[float, ...] = ()
    reads_per_request: float = 0.0
    requests_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of single requests over one connection, milliseconds, a value a request and target, in the order they were sent."""

    whole_ms: Mapping[str, Sequence[float]]
    first_ms: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Memory:
    """A fresh gateway under load.

    Attributes:
        worker_bytes: (requests served so far, resident bytes of the worker).
        keeper_peak_bytes: Most that the keeper ever had.
        requests: Served in all, streams among them.
        decisions: Decisions that `undertow audit` found in its log afterwards, or None: it could not be read.
        keeper_us: Processor time of the keeper per request over the whole run, rotation to Parquet included.
    """

    worker_bytes: tuple[tuple[int, int], ...]
    keeper_peak_bytes: int
    requests: int
    decisions: int | None
    keeper_us: float


@dataclass(frozen=True, slots=True)
class Log:
    """The decision log by itself.

    Attributes:
        write_us: Processor time of writing one record, a value a run.
        pair_us: Of an intent and a record, which is what a request costs; median.
        writes: In a run.
        kills: How often the writer was killed.
        lost: Requests that had reached the upstream and had no record afterwards, or not the one that was acknowledged.
        reached: Requests that had reached the upstream, in all.
        rate: Records a second while it was killed.
    """

    write_us: tuple[float, ...]
    pair_us: float
    writes: int
    kills: int
    lost: int
    reached: int
    rate: float


@dataclass(frozen=True, slots=True)
class Imports:
    """Seconds inside a fresh interpreter, a value a run, interleaved.

    Attributes:
        httpx_s: `import httpx`.
        undertow_s: `import undertow`.
        client_s: `undertow.Client` made from a compiled plan, ready to be asked.
        client_toml_s: The same from undertow.toml, which has to be checked first.
    """

    httpx_s: tuple[float, ...]
    undertow_s: tuple[float, ...]
    client_s: tuple[float, ...]
    client_toml_s: tuple[float, ...]


@dataclass(slots=True)
class Measured:
    """All that was measured. What is None was not; `notes` says why, by the name of the attribute or of the peer.

    Attributes:
        cpu: By (load, peer). Loads: `whole`, `stream`, `stream_unpaced`, `whole_tls`; peers: `nginx`, `litellm`, `undertow`, and
            `undertow_hold` (a stream that the cascade holds back until it is judged).
        versions: Of each peer.
    """

    cpu: dict[tuple[str, str], Cpu] = field(default_factory=dict)
    latency: Latency | None = None
    memory: Memory | None = None
    log: Log | None = None
    imports: Imports | None = None
    versions: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def entries(measured: Measured) -> list[dict[str, Any]]:
    """One entry for every figure."""
    return [
        *_cpu_entries(measured),
        *_latency_entries(measured),
        *_memory_entries(measured),
        *_log_entries(measured),
        *_import_entries(measured),
    ]


def _entry(
    criterion: str,
    bar: str,
    bar_value: float | None,
    value: float | None,
    *,
    interval: Sequence[float] = (),
    n: int = 0,
    comparator: str | None = None,
    counts: bool = True,
    at_least: bool = False,
    note: str | None = None,
    runs: int | None = None,
) -> dict[str, Any]:
    """An entry. `counts`: n is as large as the bar asks, so that it may be called met or missed."""
    ok = None
    if value is not None and bar_value is not None and counts:
        ok = value >= bar_value if at_least else value <= bar_value
    return {
        "criterion": criterion,
        "bar": bar,
        "bar_value": bar_value,
        "measured": None if value is None else _rounded(value),
        "interval": [_rounded(end) for end in interval] if value is not None else None,
        "n": n,
        "seed": None,
        "comparator": comparator,
        "ok": ok,
        "runs": runs,
        "note": note,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


# --- processor time

NGINX_LOADS = (
    ("whole", "undertow", "CPU a request, not streamed, over nginx", 6.0, 3.0),
    ("stream", "undertow", "CPU a stream of 35 events 1 ms apart (policy fixed), over nginx", 3.5, 2.0),
)
SHOWN_LOADS = (
    ("stream", "undertow_hold", "CPU a stream that the cascade holds until it is judged, over nginx", "nginx"),
    ("stream_unpaced", "undertow", "CPU a stream of 35 events without gaps (policy fixed), over nginx", "nginx"),
    ("whole_tls", "undertow", "CPU a request, not streamed, TLS to the upstream, over nginx with TLS", "nginx"),
)
LITELLM_LOADS = (
    ("whole", "CPU of a LiteLLM proxy over Undertow, not streamed", 100.0),
    ("stream", "CPU of a LiteLLM proxy over Undertow, streamed", 22.0),
)


def _cpu_entries(measured: Measured) -> list[dict[str, Any]]:
    result = []
    for load, peer, criterion, bar, aim in NGINX_LOADS:
        for word, value in (("at most", bar), ("aim", aim)):
            name = criterion if word == "at most" else f"{criterion} (aim)"
            result.append(_ratio(measured, name, f"{word} {value:g}x", value, (load, peer), (load, "nginx")))
    for load, criterion, bar in LITELLM_LOADS:
        above, below = (load, "litellm"), (load, "undertow")
        result.append(_ratio(measured, criterion, f"at least {bar:g}x", bar, above, below, at_least=True))
    result += [
        _ratio(measured, criterion, "shown", None, (load, peer), (load, other))
        for load, peer, criterion, other in SHOWN_LOADS
    ]
    over = "CPU a request with TLS to the upstream over the same without"
    result.append(_ratio(measured, over, "stated", None, ("whole_tls", "undertow"), ("whole", "undertow")))
    for load in ("whole", "stream"):
        found = measured.cpu.get((load, "undertow"))
        values = found.worker_us if found else ()
        result.append(
            _entry(
                f"CPU a request of the worker alone, {'streamed' if load == 'stream' else 'not streamed'}, microseconds",
                "shown",
                None,
                statistics.median(values) if values else None,
                interval=(min(values), max(values)) if values else (),
                n=found.requests if found else 0,
                runs=len(values),
                note=measured.notes.get("undertow"),
            )
        )
    return result


def _ratio(
    measured: Measured,
    criterion: str,
    bar: str,
    bar_value: float | None,
    above: tuple[str, str],
    below: tuple[str, str],
    *,
    at_least: bool = False,
) -> dict[str, Any]:
    first, second = measured.cpu.get(above), measured.cpu.get(below)
    if first is None or second is None:
        missing = above[1] if first is None else below[1]
        why = measured.notes.get(missing, f"{missing} was not measured")
        return _entry(criterion, bar, bar_value, None, note=why)
    upper, lower = statistics.median(first.total_us), statistics.median(second.total_us)
    paired = [one / other for one, other in zip(first.total_us, second.total_us, strict=False)]
    return _entry(
        criterion,
        bar,
        bar_value,
        upper / lower,
        interval=(min(paired), max(paired)),
        n=min(first.requests, second.requests),
        runs=len(paired),
        comparator=f"{_named(measured, above)} {upper:.4g} us, {_named(measured, below)} {lower:.4g} us a request",
        counts=len(paired) >= MIN_ROUNDS,
        at_least=at_least,
    )


def _named(measured: Measured, which: tuple[str, str]) -> str:
    peer = which[1].partition("_")[0]
    return f"{which[1]} {measured.versions.get(peer, '')}".strip()


# --- latency


def _latency_entries(measured: Measured) -> list[dict[str, Any]]:
    whole = measured.latency.whole_ms if measured.latency else {}
    first = measured.latency.first_ms if measured.latency else {}
    return [
        _added(measured, "added latency, one connection, upstream of 50 ms, p50, ms", 1.0, whole, 0.50, enough=100),
        _added(measured, "added latency, one connection, upstream of 50 ms, p99, ms", 3.0, whole, 0.99, enough=500),
        _added(measured, "added time to the first event, one connection, p50, ms", 1.0, first, 0.50, enough=100),
    ]


def _added(
    measured: Measured, criterion: str, bar: float, times: Mapping[str, Sequence[float]], share: float, *, enough: int
) -> dict[str, Any]:
    """The quantile through the gateway less the quantile without it, of requests that were sent in turn."""
    label = f"at most {bar:g} ms"
    if not times.get("undertow") or not times.get("direct"):
        return _entry(criterion, label, bar, None, note=measured.notes.get("undertow", "not measured"))
    n = len(times["undertow"])

    def added(start: int, step: int) -> float:
        return quantile(times["undertow"][start::step], share) - quantile(times["direct"][start::step], share)

    blocks = [added(start, 5) for start in range(5)] if n >= 50 else [added(0, 1)]
    beside = ", ".join(f"{name} {quantile(values, share):.3f} ms" for name, values in times.items())
    return _entry(
        criterion,
        label,
        bar,
        added(0, 1),
        interval=(min(blocks), max(blocks)),
        n=n,
        comparator=beside,
        counts=n >= enough,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value at this share of the sorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# --- memory and completeness


def _memory_entries(measured: Measured) -> list[dict[str, Any]]:
    memory = measured.memory
    why = None if memory else measured.notes.get("memory", measured.notes.get("undertow", "not measured"))
    samples = memory.worker_bytes if memory else ()
    n = samples[-1][0] if samples else 0
    enough = n >= MEMORY_REQUESTS
    last = samples[-1][1] if samples else None
    later = [size for served, size in samples if served >= n // 5]
    growth = later[-1] - later[0] if len(later) > 1 else None
    sizes = [size / 1e6 for _, size in samples]
    lost = None if memory is None or memory.decisions is None else memory.requests - memory.decisions
    return [
        _entry(
            "memory of a worker after 100,000 requests, MB",
            "at most 60 MB",
            60.0,
            None if last is None else last / 1e6,
            interval=(min(sizes), max(sizes)) if sizes else (),
            n=n,
            counts=enough,
            note=why,
        ),
        _entry(
            "growth of a worker between 20,000 and 100,000 requests, MB",
            f"flat: at most {FLAT_BYTES / 1e6:g} MB",
            FLAT_BYTES / 1e6,
            None if growth is None else growth / 1e6,
            n=n,
            counts=enough,
            note=why,
        ),
        _entry(
            "peak memory of the keeper, MB",
            "at most 600 MB",
            600.0,
            memory.keeper_peak_bytes / 1e6 if memory and memory.keeper_peak_bytes else None,
            n=n,
            counts=enough,
            note=why or ("there was no keeper" if memory and not memory.keeper_peak_bytes else None),
        ),
        _entry(
            "requests of that run without their decision in `undertow audit`",
            "exactly 0",
            0.0,
            None if lost is None else abs(lost),
            n=memory.requests if memory else 0,
            note=why or measured.notes.get("decisions"),
        ),
        _entry(
            "CPU a request of the keeper, rotation included, microseconds",
            "shown",
            None,
            memory.keeper_us if memory else None,
            n=n,
            note=why,
        ),
    ]


# --- log and imports


def _log_entries(measured: Measured) -> list[dict[str, Any]]:
    log = measured.log
    why = None if log else measured.notes.get("log", "not measured")
    writes = log.write_us if log else ()
    return [
        _entry(
            f"records lost in {KILLS} kill -9 at {RECORDS_PER_S:,} records a second",
            "exactly 0",
            0.0,
            float(log.lost) if log and log.kills else None,
            n=log.kills if log else 0,
            comparator=f"{log.reached:,} had reached the upstream, {log.rate:,.0f} records a second" if log else None,
            counts=bool(log and log.kills >= KILLS and log.rate >= 0.95 * RECORDS_PER_S),
            note=why,
        ),
        _entry(
            "CPU of a write to the log, microseconds",
            "at most 5 us",
            5.0,
            statistics.median(writes) if writes else None,
            interval=(min(writes), max(writes)) if writes else (),
            n=log.writes if log else 0,
            comparator=f"a request's intent and record together {log.pair_us:.3g} us" if log else None,
            runs=len(writes),
            note=why,
        ),
    ]


def _import_entries(measured: Measured) -> list[dict[str, Any]]:
    imports = measured.imports
    result = []
    for criterion, bar, attribute in (
        ("`import undertow` over `import httpx`", 1.0, "undertow_s"),
        ("`undertow.Client` usable (compiled plan), over `import httpx`", 1.5, "client_s"),
        ("`undertow.Client` usable (undertow.toml), over `import httpx`", None, "client_toml_s"),
    ):
        label = "shown" if bar is None else f"at most {bar:g}x"
        values = getattr(imports, attribute) if imports else ()
        if not imports or not values:
            why = measured.notes.get(attribute, measured.notes.get("imports", "not measured"))
            result.append(_entry(criterion, label, bar, None, note=why))
            continue
        mine, theirs = statistics.median(values), statistics.median(imports.httpx_s)
        paired = [one / other for one, other in zip(values, imports.httpx_s, strict=True)]
        result.append(
            _entry(
                criterion,
                label,
                bar,
                mine / theirs,
                interval=(quantile(paired, 0.1), quantile(paired, 0.9)),
                n=len(values),
                comparator=f"undertow {mine * 1e3:.1f} ms, httpx {measured.versions.get('httpx', '')} {theirs * 1e3:.1f} ms",
                counts=len(values) >= MIN_ROUNDS,
            )
        )
    return result


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """The entries as lines for people."""
    lines = [f"{'figure':<74} {'bar':>18} {'measured':>9}  {'interval':>17} {'n':>7}  met"]
    told = None
    for entry in results:
        met = {True: "yes", False: "NO", None: "-"}[entry["ok"]]
        value = "" if entry["measured"] is None else f"{entry['measured']:g}"
        spread = " to ".join(f"{end:g}" for end in entry["interval"] or [])
        more = entry["note"] if entry["measured"] is None else entry["comparator"]
        lines.append(f"{entry['criterion']:<74} {entry['bar']:>18} {value:>9}  {spread:>17} {entry['n']:>7}  {met}")
        if more and more != told:
            lines.append(f"    {more}")
        told = more
    return "\n".join(lines)
