"""Writes a simulated incident as a store: decisions by day, signals, draws, outcomes, settings and what was planted.

Days are made and written in parallel; the files are the same whatever the number of threads.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import local
from typing import Any, Literal

import numpy as np

from undertow.adapters.simulated.canonical import (
    connect,
    listed,
    prepare_folder,
    quoted,
    write_decisions,
    write_draws,
    write_signals,
)
from undertow.adapters.simulated.notes import write_notes
from undertow.ports.audit_source import Progress, silent
from undertow.simulation.incidents import (
    CHEAP,
    RENAMED_TO,
    TIERS,
    UNSERVED,
    IncidentParameters,
    midnight,
    rollout_share,
)
from undertow.simulation.incidents_log import DayLog, generator, population_of, simulate_day
from undertow.simulation.incidents_signals import REVIEWERS, STRATA, Signals
from undertow.simulation.incidents_texts import texts_of
from undertow.simulation.incidents_traffic import DAY_MS, REASONS, THRESHOLD, Traffic

Text = Literal["all", "sampled", "none"]

MODELS: tuple[str, ...] = ("sim-small-1", "sim-large-1")
FINGERPRINTS: tuple[str, ...] = ("fp_small_a", "fp_large_a")


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were written."""

    decisions: int
    signals: int
    outcomes: int
    draws: int


def write_incident(
    parameters: IncidentParameters,
    out: Path,
    *,
    seed: int = 1,
    text: Text = "sampled",
    threads: int = 2,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Written:
    """Simulate an incident and write it as a store.

    Args:
        parameters: The incident.
        out: Root folder of the store; made if needed.
        seed: Seed of everything.
        text: Whose prompts and answers are kept: all decisions', those drawn for review (as the retention setting of a real
            store would), or none.
        threads: Days made at the same time; it does not change what is written.
        overwrite: Replace a simulated log that is there.
        progress: Told after each day.

    Raises:
        UsageError: `out` cannot be used.
    """
    prepare_folder(out, overwrite=overwrite)
    population = population_of(parameters, seed)
    thread = local()

    def one_day(day: int) -> tuple[int, dict[str, list[dict[str, Any]]]]:
        if not hasattr(thread, "connection"):
            thread.connection = connect()
        log = simulate_day(parameters, population, seed, day)
        n = _write_day(thread.connection, parameters, log, out, seed, text)
        kept: dict[str, list[dict[str, Any]]] = {}
        for signals in (*log.signals, *log.outcomes):
            rows = _signal_arrays(parameters, log, signals)
            if rows is not None:
                kept.setdefault(signals.kind, []).append(rows)
        return n, kept

    decisions = 0
    signals_by_kind: dict[str, list[dict[str, Any]]] = {}
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        # map gives the days back in order, whichever was done first.
        for day, (n, kept) in enumerate(pool.map(one_day, range(parameters.days))):
            decisions += n
            for kind, rows in kept.items():
                signals_by_kind.setdefault(kind, []).extend(rows)
            progress("writing days", day + 1, parameters.days)
    counts = _write_signals(signals_by_kind, out)
    outcomes = counts.pop("outcome", 0)
    written = Written(decisions, sum(counts.values()), outcomes, decisions)
    write_notes(parameters, out, seed=seed, written={"decisions": decisions, "outcomes": outcomes, **counts})
    return written


def _date(parameters: IncidentParameters, day: int) -> str:
    return (parameters.start + timedelta(days=day)).isoformat()


def _times(parameters: IncidentParameters, milliseconds: Any) -> Any:
    """Times for DuckDB, which reads datetime64[us] as TIMESTAMP."""
    first = np.datetime64(midnight(parameters.start).replace(tzinfo=None), "us")
    return first + milliseconds.astype("timedelta64[ms]").astype("timedelta64[us]")


def _id(kind: str, day: int) -> str:
    """SQL for the id of row `i` of a day: `d0031-000123`."""
    return f"{quoted(f'{kind}{day:04d}-')} || lpad(CAST(i AS VARCHAR), 6, '0')"


def _write_day(connection: Any, parameters: IncidentParameters, log: DayLog, out: Path, seed: int, text: Text) -> int:
    day = log.traffic.day
    folder = f"date={_date(parameters, day)}"
    judged = {s.kind: s for s in log.signals}["judge"].row
    n = 0
    for traffic, name in ((log.traffic, "live"), (log.suite, "suite")):
        if traffic is None:
            continue
        arrays = _decision_arrays(parameters, traffic)
        arrays["judged"] = np.zeros(len(traffic), dtype=np.bool_)
        if not traffic.suite:
            arrays["judged"][judged] = True
            arrays |= _texts(parameters, log, seed, text)
        path = out / "decisions" / folder / f"{name}.parquet"
        write_decisions(connection, path, arrays, _decision_sql(parameters, traffic, with_text="prompt" in arrays))
        n += len(traffic)
    _write_draws(connection, parameters, log, out / "draws" / folder / "review.parquet")
    return n


def _decision_arrays(parameters: IncidentParameters, traffic: Traffic) -> dict[str, Any]:
    return {
        "i": np.arange(len(traffic)),
        "moment": _times(parameters, traffic.time_ms),
        "conversation": traffic.conversation,
        "user": traffic.user,
        "intent": traffic.intent,
        "eligible": traffic.eligible,
        "holdout": traffic.holdout,
        "tier": traffic.tier,
        "reason": traffic.reason,
        "propensity": traffic.propensity,
        "confidence": traffic.confidence,
        "novelty": traffic.novelty,
        "input_tokens": traffic.input_tokens,
        "output_tokens": traffic.output_tokens,
        "cost_usd": traffic.cost_usd,
        "baseline_cost_usd": traffic.baseline_cost_usd,
        "latency_ms": traffic.latency_ms,
        "ttft_ms": traffic.ttft_ms,
    }


def _decision_sql(parameters: IncidentParameters, traffic: Traffic, *, with_text: bool) -> dict[str, str]:
    """How the canonical columns of one day's file follow from its arrays."""
    p, day = parameters, traffic.day
    routing = day >= p.pre_days
    share = rollout_share(p, day)
    served = f"tier <> {UNSERVED}"
    tier = f"CASE WHEN {served} THEN {listed(TIERS)}[tier + 1] END"
    model = f"CASE WHEN {served} THEN {listed(MODELS)}[tier + 1] END"
    judge = p.judge_usd * p.scale
    sql = {
        "decision_id": _id("t" if traffic.suite else "d", day),
        "event_time": "moment",
        "segment": f"MAP {{'intent': {_intent_sql(p, day)}}}",
        "policy": quoted(p.policy_kind),
        "policy_version": quoted(f"rollout-{share:.0%}" if routing else "observing"),
        "mode": quoted("route" if routing else "observe"),
        "origin": quoted("suite" if traffic.suite else "live"),
        "eligible": "eligible",
        "propensity": f"CASE WHEN {served} THEN propensity END",
        "first_tier": tier,
        "tier": tier,
        "requested_model": "'auto'",
        "model": model,
        "model_fingerprint": f"CASE WHEN {served} THEN {listed(FINGERPRINTS)}[tier + 1] END",
        "escalated": "FALSE",
        "reason": f"{listed(REASONS)}[reason + 1]",
        "confidence": "CASE WHEN eligible THEN confidence END",
        "threshold": f"CASE WHEN eligible THEN {THRESHOLD} END",
        "confidence_kind": "CASE WHEN eligible THEN 'uncalibrated' END",
        "novelty": "novelty",
        "input_tokens": f"CASE WHEN {served} THEN input_tokens END",
        "output_tokens": f"CASE WHEN {served} THEN output_tokens END",
        "calls": f"CASE WHEN judged THEN [{_call(model, tier)}, {_judge_call(judge)}] END",
        "cost_usd": f"cost_usd + CASE WHEN judged THEN {judge!r} ELSE 0 END",
        "baseline_cost_usd": f"CASE WHEN {served} THEN baseline_cost_usd END",
        "latency_ms": f"CASE WHEN {served} THEN latency_ms END",
        "ttft_ms": f"CASE WHEN {served} THEN ttft_ms END",
        "status": f"CASE WHEN {served} THEN 'ok' ELSE 'error' END",
        "finish_reason": f"CASE WHEN {served} THEN 'stop' END",
        "prompt_hash": f"CASE tier WHEN {CHEAP} THEN 'b1f0' ELSE '7c2e' END",
    }
    if not traffic.suite:
        sql |= {
            "conversation_id": f"{quoted(f'c{day:04d}-')} || lpad(CAST(conversation AS VARCHAR), 6, '0')",
            "user_id": "'u' || lpad(CAST(\"user\" AS VARCHAR), 7, '0')",
            "arm": "CASE WHEN holdout THEN 'holdout' ELSE 'treatment' END",
            "arm_probability": f"CASE WHEN holdout THEN {p.holdout!r} ELSE {1 - p.holdout!r} END",
        }
    if with_text:
        sql |= {"prompt": "prompt", "response": "response"}
    return sql


def _intent_sql(parameters: IncidentParameters, day: int) -> str:
    """The label of a request: from a day on, the target intent's new name on a part of the users."""
    p = parameters
    names = [intent.name for intent in p.intents]
    label = f"{listed(names)}[intent + 1]"
    if p.drift != "segment" or day < p.drift_day:
        return label
    target = names.index(p.target_intent)
    renamed = f'intent = {target} AND "user" % 1000 < {round(1000 * p.drift_share)}'
    return f"CASE WHEN {renamed} THEN {quoted(RENAMED_TO)} ELSE {label} END"


def _call(model: str, tier: str) -> str:
    return (
        f"{{'tier': {tier}, 'model': {model}, 'purpose': 'serve', 'input_tokens': input_tokens, 'cached_tokens': 0, "
        "'output_tokens': output_tokens, 'reasoning_tokens': 0, 'cost_usd': cost_usd, 'latency_ms': latency_ms, "
        "'status': 'ok'}"
    )


def _judge_call(usd: float) -> str:
    return (
        "{'tier': NULL, 'model': 'sim-judge-1', 'purpose': 'judge', 'input_tokens': 900, 'cached_tokens': 0, "
        f"'output_tokens': 30, 'reasoning_tokens': 0, 'cost_usd': {usd!r}, 'latency_ms': 700.0, 'status': 'ok'}}"
    )


def _texts(parameters: IncidentParameters, log: DayLog, seed: int, text: Text) -> dict[str, Any]:
    """Prompts and answers of the day, as the retention setting allows; None elsewhere."""
    if text == "none":
        return {}
    traffic = log.traffic
    kept = log.draw.chosen if text == "sampled" else np.ones(len(traffic), dtype=np.bool_)
    rng = generator(parameters, seed, "text", traffic.day)
    names = tuple(intent.name for intent in parameters.intents)
    prompts, responses = texts_of(
        parameters.incident, names, traffic.intent[kept], traffic.hidden[kept], traffic.failed[kept], rng
    )
    columns: dict[str, Any] = {}
    for name, values in (("prompt", prompts), ("response", responses)):
        column = np.full(len(traffic), None, dtype=object)
        column[kept] = values
        columns[name] = column
    return columns


def _write_draws(connection: Any, parameters: IncidentParameters, log: DayLog, path: Path) -> None:
    """Every request that could have been drawn for review, with its probability, drawn or not."""
    in_frame = log.draw.inclusion_probability > 0
    arrays = {
        "i": np.flatnonzero(in_frame),
        "stratum": log.draw.stratum[in_frame],
        "p": log.draw.inclusion_probability[in_frame],
        "chosen": log.draw.chosen[in_frame],
    }
    drawn_at = _times(parameters, np.array([(log.traffic.day + 1) * DAY_MS]))[0]
    write_draws(
        connection,
        path,
        arrays,
        {
            "decision_id": _id("d", log.traffic.day),
            "drawn_at": f"TIMESTAMP {quoted(str(drawn_at).replace('T', ' '))}",
            "purpose": "'review'",
            "stratum": f"{listed(STRATA)}[stratum + 1]",
            "inclusion_probability": "p",
            "chosen": "chosen",
        },
    )


def _signal_arrays(parameters: IncidentParameters, log: DayLog, signals: Signals) -> dict[str, Any] | None:
    """Rows of one day's signals of one kind that arrived before the log was exported."""
    signals = signals.take(signals.time_ms < parameters.days * DAY_MS)
    if not len(signals):
        return None
    traffic = log.suite if signals.suite else log.traffic
    assert traffic is not None
    letter, number = {
        "decision": ("t" if signals.suite else "d", signals.row),
        "conversation": ("c", traffic.conversation[signals.row]),
        "user": ("u", traffic.user[signals.row]),
    }[signals.key]
    return {
        "day": np.full(len(signals), signals.day),
        "position": signals.row,
        "letter": np.full(len(signals), letter, dtype=object),
        "number": number,
        "name": np.full(len(signals), signals.name, dtype=object),
        "selection": np.full(len(signals), signals.selection, dtype=object),
        "source": np.full(len(signals), signals.source, dtype=object),
        "moment": _times(parameters, signals.time_ms),
        "value": signals.value,
        "p": signals.inclusion_probability,
    }


def _write_signals(by_kind: dict[str, list[dict[str, Any]]], out: Path) -> dict[str, int]:
    """One file for each kind, in the order in which the system had them; rows by kind."""
    connection = connect()
    counts = {}
    for kind, parts in by_kind.items():
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(arrays["moment"], kind="stable")
        arrays = {name: values[order] for name, values in arrays.items()}
        where = out / ("outcomes" if kind == "outcome" else "signals") / f"{kind}.parquet"
        source = "source"
        if kind == "review":
            source = f"'human:r' || lpad(CAST((position * 7 + day) % {REVIEWERS} AS VARCHAR), 2, '0')"
        write_signals(
            connection,
            where,
            arrays,
            {
                "signal_id": f"{quoted(kind)} || '-' || name || '-' || letter || day || '-' || position",
                "event_time": "moment",
                "decision_id": "CASE WHEN letter IN ('d', 't') THEN letter || lpad(CAST(day AS VARCHAR), 4, '0') "
                "|| '-' || lpad(CAST(number AS VARCHAR), 6, '0') END",
                "conversation_id": "CASE letter WHEN 'c' THEN 'c' || lpad(CAST(day AS VARCHAR), 4, '0') "
                "|| '-' || lpad(CAST(number AS VARCHAR), 6, '0') END",
                "user_id": "CASE letter WHEN 'u' THEN 'u' || lpad(CAST(number AS VARCHAR), 7, '0') END",
                "kind": quoted(kind),
                "name": "name",
                "value": "value",
                "selection": "selection",
                "inclusion_probability": "CASE WHEN NOT isnan(p) THEN p END",
                "received_at": "moment",
                "source": source,
            },
        )
        counts[kind] = len(order)
    return counts
